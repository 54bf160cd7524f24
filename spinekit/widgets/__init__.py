"""Thin views on view-models: the only room that knows ipywidgets and the viewers."""

from spinekit.widgets.roi_review import roi_review
from spinekit.widgets.seed_picker import seed_picker
from spinekit.widgets.series_view import series_view
from spinekit.widgets.viewer import niivue_view

__all__ = ["niivue_view", "roi_review", "seed_picker", "series_view"]
