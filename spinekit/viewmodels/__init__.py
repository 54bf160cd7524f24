"""What a reader has chosen, and the journal of it. Knows no widget: a test and the command line drive it too."""

from spinekit.viewmodels.journal import Journal
from spinekit.viewmodels.model import ViewModel
from spinekit.viewmodels.probe import Probe
from spinekit.viewmodels.review import RoiReview
from spinekit.viewmodels.seeds import SeedSelection

__all__ = ["Journal", "Probe", "RoiReview", "SeedSelection", "ViewModel"]
