"""How good a prediction is, with intervals: discrimination, calibration, net benefit, overlap, fair splits."""

from spinekit.evaluation.calibration import Calibration, calibration
from spinekit.evaluation.comparison import (
    AucDifference,
    AucEstimate,
    Interval,
    bootstrap_interval,
    delong_auc,
    delong_test,
    paired_bootstrap,
    reclassification,
)
from spinekit.evaluation.decision_curve import net_benefit
from spinekit.evaluation.metrics import lesion_wise, overlap_scores, overlap_table, surface_dice
from spinekit.evaluation.nested import NestedResult, fit_pipeline, nested_cross_validation, permuted_areas
from spinekit.evaluation.roc import area_under_curve, at_threshold, roc_band, roc_curve, youden_threshold
from spinekit.evaluation.splits import NestedSplit, nested_splits

__all__ = [
    "AucDifference",
    "AucEstimate",
    "Calibration",
    "Interval",
    "NestedResult",
    "NestedSplit",
    "area_under_curve",
    "at_threshold",
    "bootstrap_interval",
    "calibration",
    "delong_auc",
    "delong_test",
    "fit_pipeline",
    "lesion_wise",
    "nested_cross_validation",
    "nested_splits",
    "net_benefit",
    "overlap_scores",
    "overlap_table",
    "paired_bootstrap",
    "permuted_areas",
    "reclassification",
    "roc_band",
    "roc_curve",
    "surface_dice",
    "youden_threshold",
]
