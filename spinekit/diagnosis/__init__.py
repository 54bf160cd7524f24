"""From features to a probability: classifiers, combined model, calibration, abstention. Research only.

Names are loaded when they are first used, since scikit-learn takes a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "AuditReport": "spinekit.diagnosis.audit_finding",
    "CLASSIFIERS": "spinekit.diagnosis.pipelines",
    "ComBat": "spinekit.diagnosis.combat",
    "LEAKS": "spinekit.diagnosis.audit_finding",
    "LinearModel": "spinekit.diagnosis.formula",
    "PipelineChoices": "spinekit.diagnosis.pipelines",
    "audit": "spinekit.diagnosis.auditor",
    "build_pipeline": "spinekit.diagnosis.pipelines",
    "linear_model": "spinekit.diagnosis.formula",
    "nomogram": "spinekit.diagnosis.points",
    "read_linear_model": "spinekit.diagnosis.formula",
    "sample_size": "spinekit.diagnosis.required_sample",
    "write_linear_model": "spinekit.diagnosis.formula",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'spinekit.diagnosis' has no attribute '{name}'")
