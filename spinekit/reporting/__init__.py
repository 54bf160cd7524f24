"""Room 'reporting'."""
