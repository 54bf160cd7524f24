"""What is measured in a region of a case: histogram, texture and shape of maps and of ten phases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from spinekit.case import DynamicSeries, ParameterMaps, Roi, Volume
from spinekit.errors import InputRefusedError
from spinekit.kinetics import parameter_maps
from spinekit.models.phases import PHASE_TIMES_S, bolus_arrival_s, phases_after_arrival
from spinekit.radiomics import extract_features
from spinekit.settings import Kinetics

__all__ = ["BINS", "MAPS", "layer_features", "maps_of", "radiomics_features", "two_parameters"]

MAPS = ("relative_enhancement_peak", "time_to_peak", "wash_in_slope", "wash_out_slope", "wash_out_ratio", "auc60")
FAMILIES = ("firstorder", "glcm", "glrlm", "glszm")
BINS = 32  # a count, since the scale of an MR signal is arbitrary
N_SLICES = 10


def maps_of(series: DynamicSeries, n_baseline: int, *, wash_out: str = "lang2013") -> ParameterMaps:
    """Return the kinetic maps with one of the two conventions of wash-out."""
    return parameter_maps(series, n_baseline=n_baseline, settings=Kinetics(n_baseline=n_baseline, wash_out=wash_out))


def relative_phases(series: DynamicSeries, n_baseline: int, roi: Roi) -> dict[str, Volume]:
    """Return ten phases at stated times after arrival, in units of the region's mean signal before contrast.

    A phase that the protocol does not cover is left out. The receiver's gain cancels.
    """
    arrival = bolus_arrival_s(series, n_baseline)
    phases, present = phases_after_arrival(series, n_baseline, arrival_s=arrival)
    before = float(phases[0][roi.mask].mean())
    unit = before if before > 0 else float("nan")
    return {
        f"phase_{after:+.0f}s": Volume(phases[n] / np.float32(unit), series.geometry, f"phase_{after:+.0f}s", "1")
        for n, after in enumerate(PHASE_TIMES_S)
        if present[n]
    }


def radiomics_features(series: DynamicSeries, n_baseline: int, roi: Roi, maps: ParameterMaps) -> dict[str, float]:
    """Return features of maps and phases by ``image_feature``, and of the region's shape once.

    Raises
    ------
    InputRefusedError
        What `spinekit.extract_features` refuses, such as ``roi-too-small``.
    """
    images = {name: maps[name] for name in MAPS} | relative_phases(series, n_baseline, roi)
    shape = _flat({"relative_enhancement_peak": maps["relative_enhancement_peak"]}, roi, ("shape",))
    named = {key.removeprefix("relative_enhancement_peak_original_"): value for key, value in shape.items()}
    return named | _flat(images, roi, FAMILIES)


def _flat(images: Mapping[str, Volume], roi: Roi, families: tuple[str, ...]) -> dict[str, float]:
    usable = {name: image for name, image in images.items() if np.isfinite(image.values[roi.mask]).sum() >= 2}
    table = extract_features(usable, roi, discretisation={"bin_count": BINS}, families=families, not_finite="exclude")
    columns = [c for c in table.columns if c.startswith("original_")]
    values = table[columns].to_numpy(dtype=np.float64)
    return {
        f"{image}_{c}": float(v) for image, row in zip(table.index, values, strict=True)
        for c, v in zip(columns, row, strict=True)
    }  # fmt: skip


def _statistics(values: Any) -> dict[str, float]:
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        return dict.fromkeys(("mean", "sd", "p10", "p50", "p90"), float("nan"))
    low, middle, high = np.percentile(finite, [10, 50, 90])
    return {
        "mean": float(finite.mean()), "sd": float(finite.std()),
        "p10": float(low), "p50": float(middle), "p90": float(high),
    }  # fmt: skip


def two_parameters(maps: ParameterMaps, roi: Roi) -> dict[str, float]:
    """Return five statistics of wash-in and of wash-out, the pair of the study."""
    return {
        f"{name}_{key}": value
        for name in ("wash_in_slope", "wash_out_ratio")
        for key, value in _statistics(maps[name].values[roi.mask]).items()
    }


def layer_features(series: DynamicSeries, n_baseline: int, roi: Roi, *, layers: str) -> dict[str, float]:
    """Return five statistics of each of ten layers, which are phases or slices.

    Parameters
    ----------
    layers : {"phases", "slices"}
        Ten phases of the whole region, or ten slices through it of the phase that is brightest in it.
    """
    phases = relative_phases(series, n_baseline, roi)
    if layers == "phases":
        parts = {name: image.values[roi.mask] for name, image in phases.items()}
    elif layers == "slices":
        brightest = max(phases.values(), key=lambda image: float(image.values[roi.mask].mean()))
        inside = np.flatnonzero(roi.mask.any(axis=(1, 2)))
        chosen = np.rint(np.linspace(inside[0], inside[-1], N_SLICES)).astype(int)
        parts = {f"slice_{n}": brightest.values[k][roi.mask[k]] for n, k in enumerate(chosen)}
    else:
        raise InputRefusedError(
            "choice-unknown",
            found=f"layers='{layers}' was asked for.",
            expected="'phases' or 'slices'.",
            cause="The study says 'ten layers', which may be either.",
            cure="Choose one of the two.",
        )
    return {f"{name}_{key}": value for name, part in parts.items() for key, value in _statistics(part).items()}
