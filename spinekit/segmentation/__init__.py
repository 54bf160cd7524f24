"""Room 'segmentation'."""
