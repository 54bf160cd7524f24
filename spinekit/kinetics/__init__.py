"""Room 'kinetics'."""
