"""Thin views on view-models: the only room that knows ipywidgets and the viewers."""

from spinekit.widgets.roi_review import roi_review
from spinekit.widgets.seed_picker import seed_picker

__all__ = ["roi_review", "seed_picker"]
