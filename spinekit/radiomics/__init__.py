"""Room 'radiomics'."""
