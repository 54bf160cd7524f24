"""The fitted model's curves of a case, by which the eye judges whether the quantitative maps rest on sound fits."""

from __future__ import annotations

import os
from typing import Any

from spinekit.errors import InputRefusedError
from spinekit.workflow.computing import NOT_SUPPORTED
from spinekit.workflow.loading import open_series, open_settings
from spinekit.workflow.marking import open_roi

__all__ = ["fitted_curves"]


def fitted_curves(case_dir: str | os.PathLike[str]) -> Any:
    """Return the relative enhancement of the model that was fitted in the region.

    Returns
    -------
    ndarray of shape (T, Z, Y, X) or None
        None where the settings state no T1, or the protocol does not support the fit; `compute_maps` says why.
    """
    from spinekit.kinetics.fitted import fitted_enhancement

    chosen = open_settings(case_dir).kinetics
    if chosen.assumed_t1_ms <= 0:
        return None
    try:
        return fitted_enhancement(
            open_series(case_dir), open_roi(case_dir), n_baseline=chosen.n_baseline, t1=chosen.assumed_t1_ms / 1000.0,
            arterial=chosen.arterial_input,
        )  # fmt: skip
    except InputRefusedError as refused:
        if refused.code not in NOT_SUPPORTED:
            raise
        return None
