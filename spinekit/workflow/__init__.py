"""One function per step of a case: read its files, compute, write its files.

The notebooks and the command line call these; the rooms below do not know each other and meet here.
Every function takes the case folder, so that any step can be run again on its own.
"""

from spinekit.workflow.computing import (
    check_features,
    compute_feature_curves,
    compute_features,
    compute_maps,
    feature_images,
    open_features,
    open_maps,
    write_provenance,
)  # fmt: skip
from spinekit.workflow.diagnosing import DiagnosedCase, clinical_facts, diagnose_case, open_diagnosis
from spinekit.workflow.fitted import fitted_curves
from spinekit.workflow.loading import LoadedCase, is_simulated, load_case, open_series, open_settings, open_t2
from spinekit.workflow.marking import begin_marking, begin_review, open_journal, open_roi, outline_steps, save_roi
from spinekit.workflow.segmenting import open_segmentation, propose_region, segment_case, segmentation_notes
from spinekit.workflow.stability import check_stability, simulated_measurements, stability_of_case

__all__ = [
    "DiagnosedCase", "LoadedCase", "begin_marking", "begin_review", "check_features", "check_stability",
    "clinical_facts", "compute_feature_curves", "compute_features", "compute_maps", "diagnose_case", "feature_images",
    "fitted_curves", "is_simulated", "load_case", "open_diagnosis", "open_features", "open_journal", "open_maps",
    "open_roi",
    "open_segmentation", "open_series", "open_settings", "open_t2", "outline_steps", "propose_region", "save_roi",
    "segment_case", "segmentation_notes", "simulated_measurements", "stability_of_case", "write_provenance",
]  # fmt: skip
