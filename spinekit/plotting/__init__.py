"""Static figures in radiological orientation. Every function returns a `Figure`; none shows or saves it."""

from spinekit.plotting.agreement import agreement_over_cases, agreement_panels
from spinekit.plotting.anatomy import montage, three_planes
from spinekit.plotting.curves import enhancement_curve
from spinekit.plotting.diagnosis import diagnosis_overview, explanation_panels
from spinekit.plotting.feature_stability import feature_curves_panels, stability_figure, stability_of_one_case
from spinekit.plotting.features import feature_overview
from spinekit.plotting.film import growth_strip
from spinekit.plotting.growing import growing_panels, region_in_3d
from spinekit.plotting.maps import map_histograms, map_panels
from spinekit.plotting.outline import outline_panels
from spinekit.plotting.overview import SheetCase, case_sheet
from spinekit.plotting.questions import map_question, roc_at_threshold
from spinekit.plotting.scene import region_within_image
from spinekit.plotting.segmentation import learning_curve, segmentation_panels

__all__ = [
    "SheetCase", "agreement_over_cases", "agreement_panels", "case_sheet",
    "diagnosis_overview", "enhancement_curve", "explanation_panels", "feature_curves_panels",
    "feature_overview", "growing_panels", "growth_strip",
    "learning_curve", "map_histograms", "map_panels", "map_question", "montage", "outline_panels", "region_in_3d",
    "region_within_image", "roc_at_threshold", "segmentation_panels", "stability_figure", "stability_of_one_case",
    "three_planes",
]  # fmt: skip
