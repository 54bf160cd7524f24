"""Room 'io'."""
