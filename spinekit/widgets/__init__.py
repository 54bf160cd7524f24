"""Room 'widgets'."""
