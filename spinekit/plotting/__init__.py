"""Static figures in radiological orientation. Every function returns a `Figure`; none shows or saves it."""

from spinekit.plotting.anatomy import montage, three_planes
from spinekit.plotting.curves import enhancement_curve
from spinekit.plotting.diagnosis import diagnosis_overview, explanation_panels
from spinekit.plotting.features import feature_overview
from spinekit.plotting.growing import growing_panels, region_in_3d
from spinekit.plotting.maps import map_histograms, map_panels
from spinekit.plotting.outline import outline_panels
from spinekit.plotting.overview import SheetCase, case_sheet
from spinekit.plotting.scene import region_within_image

__all__ = [
    "SheetCase", "case_sheet",
    "diagnosis_overview", "enhancement_curve", "explanation_panels", "feature_overview", "growing_panels",
    "map_histograms", "map_panels", "montage", "outline_panels", "region_in_3d", "region_within_image", "three_planes",
]  # fmt: skip
