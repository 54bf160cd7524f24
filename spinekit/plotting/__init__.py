"""Room 'plotting'."""
