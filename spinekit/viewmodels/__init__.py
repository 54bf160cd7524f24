"""Room 'viewmodels'."""
