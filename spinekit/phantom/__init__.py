"""Room 'phantom'."""
