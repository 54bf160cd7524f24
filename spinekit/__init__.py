"""spinekit: contrast-enhanced MRI of spinal lesions, from a dynamic series to a report.

Research only: no output is a diagnosis. The public names are loaded when they are first used, so
that ``import spinekit`` stays fast and pulls in no torch, matplotlib or ipywidgets.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Acquisition": "spinekit.case",
    "Diagnosis": "spinekit.case",
    "DynamicSeries": "spinekit.case",
    "Geometry": "spinekit.geometry",
    "InputRefusedError": "spinekit.errors",
    "ParameterMaps": "spinekit.case",
    "Roi": "spinekit.case",
    "Seed": "spinekit.case",
    "Segmentation": "spinekit.case",
    "SpinekitError": "spinekit.errors",
    "Volume": "spinekit.case",
    "audit": "spinekit.diagnosis.auditor",
    "build_pipeline": "spinekit.diagnosis.pipelines",
    "diagnose": "spinekit.diagnosis.diagnose",
    "correct_motion": "spinekit.kinetics",
    "denoised": "spinekit.kinetics",
    "extract_features": "spinekit.radiomics",
    "grow_from_outline": "spinekit.segmentation",
    "grow_region": "spinekit.segmentation",
    "image_derived_aif": "spinekit.kinetics",
    "model_report": "spinekit.study.model_report",
    "nested_cross_validation": "spinekit.evaluation",
    "parameter_maps": "spinekit.kinetics",
    "read_roi": "spinekit.io",
    "read_series": "spinekit.io",
    "read_volume": "spinekit.io",
    "resample_to": "spinekit.case",
    "segment": "spinekit.models.segmenting",
    "seed_sensitivity": "spinekit.segmentation",
    "simulate_case": "spinekit.phantom",
    "write_roi": "spinekit.io",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'spinekit' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
