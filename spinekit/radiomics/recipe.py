"""What a feature extraction does, decided once and checked before anything is computed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.radiomics.discretisation import Discretisation, FixedBinWidth

__all__ = ["AGGREGATIONS", "FAMILIES", "PATHS", "Recipe", "one_of"]

PATHS = ("pyradiomics", "ibsi")
FAMILIES = ("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
FLAT_FAMILIES = ("shape2D", "firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
AGGREGATIONS = ("3D_avg", "3D_comb", "2_5D_avg", "2_5D_comb", "2D_avg", "2D_comb")
INTERPOLATIONS = {"pyradiomics": ("bspline", "linear", "nearest"), "ibsi": ("linear", "cubic", "nearest")}
LOG_MARGIN_SIGMA = 16.0  # ITK's recursive Gaussian falls off like exp(-1.7 x / sigma)
WAVELET_MARGIN_VOXEL = 40  # longer than any discrete wavelet in common use
PYRADIOMICS_KEYS = (
    "normalize", "normalizeScale", "removeOutliers", "resegmentRange", "resegmentMode", "resegmentShape",
    "voxelArrayShift", "distances", "gldm_a", "symmetricalGLCM", "weightingNorm", "padDistance",
    "force2Ddimension",
)  # fmt: skip


def one_of(value: Any, known: Sequence[str], *, what: str) -> str:
    """Return `value` if it is among the known names; refuse it with the nearest one otherwise."""
    if value in known:
        return str(value)
    near = difflib.get_close_matches(str(value), known, n=1, cutoff=0.4)
    raise InputRefusedError(
        "choice-unknown",
        found=f"{what} {value!r} was asked for.",
        expected=f"One of {', '.join(known)}.",
        cause="The name may be misspelt, or belong to the other path.",
        cure=f"Did you mean '{near[0]}'?" if near else "Choose one of the names above.",
    )


def _out_of_range(found: str, expected: str, cure: str) -> InputRefusedError:
    return InputRefusedError(
        "value-out-of-range",
        found=found,
        expected=expected,
        cause="A value of another kind was probably meant.",
        cure=cure,
    )


@dataclass(frozen=True)
class Recipe:
    """Every choice of an extraction; see `spinekit.radiomics.extract_features` for their meaning.

    Raises
    ------
    InputRefusedError
        ``choice-unknown`` or ``value-out-of-range`` for a choice that cannot be carried out.
    """

    discretisation: Discretisation
    path: str = "pyradiomics"
    families: Mapping[str, tuple[str, ...]] | None = None
    aggregations: tuple[str, ...] = ("3D_avg",)
    spacing_mm: tuple[float, float, float] | None = None
    interpolation: str = ""
    round_intensities: bool = False
    resegment_range: tuple[float, float] | None = None
    resegment_sigma: float | None = None
    not_finite: str = "refuse"
    log_sigma_mm: tuple[float, ...] = ()
    wavelet: str = ""
    pyradiomics: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one_of(self.path, PATHS, what="The path")
        one_of(self.not_finite, ("refuse", "exclude"), what="The treatment not_finite=")
        for name in self.aggregations:
            one_of(name, AGGREGATIONS, what="The aggregation")
        for name in self.families or ():
            one_of(name, (*FAMILIES, "shape2D"), what="The feature family")
        for name in self.pyradiomics:
            one_of(name, PYRADIOMICS_KEYS, what="The pyradiomics setting")
        default = {"pyradiomics": "bspline", "ibsi": "linear"}[self.path]
        chosen = one_of(self.interpolation or default, INTERPOLATIONS[self.path], what="The interpolation")
        object.__setattr__(self, "interpolation", chosen)
        object.__setattr__(self, "pyradiomics", MappingProxyType(dict(self.pyradiomics)))
        self._check_path()
        self._check_filters()
        if self.resegment_sigma is not None and not 0 < self.resegment_sigma < np.inf:
            raise _out_of_range(
                f"resegment_sigma is {self.resegment_sigma!r}.",
                "A number above zero, such as 3.",
                "Leave it out or use 3.",
            )

    def _check_path(self) -> None:
        other = {
            "pyradiomics": {
                "round_intensities": self.round_intensities,
                "resegment_range": self.resegment_range is not None,
                "resegment_sigma": self.resegment_sigma is not None,
                "FixedBinWidth(start=...)": getattr(self.discretisation, "start", None) is not None,
            },
            "ibsi": {
                "pyradiomics_settings": bool(self.pyradiomics),
                "log_sigma_mm": bool(self.log_sigma_mm),  # the filters of IBSI-2 are defined otherwise
                "wavelet": bool(self.wavelet),
            },
        }[self.path]
        for name in (name for name, used in other.items() if used):
            raise InputRefusedError(
                "choice-unknown",
                found=f"{name} was given for path='{self.path}'.",
                expected="Only choices that this path carries out.",
                cause="The two paths prepare images differently and have choices of their own.",
                cure="Use path='ibsi', or pyradiomics_settings= for the pyradiomics path."
                if self.path == "pyradiomics"
                else f"Leave {name} out, or use path='pyradiomics'.",
            )

    def _check_filters(self) -> None:
        import pywt

        if not all(0 < sigma < np.inf for sigma in self.log_sigma_mm):
            raise _out_of_range(
                f"log_sigma_mm is {self.log_sigma_mm!r}.", "Widths above zero, mm.", "Use for example (2.0, 4.0)."
            )
        if self.wavelet:
            one_of(self.wavelet, pywt.wavelist(kind="discrete"), what="The wavelet")

    @property
    def filters(self) -> bool:
        """Whether filtered images are asked for."""
        return bool(self.log_sigma_mm or self.wavelet)

    def filter_window(
        self, box: tuple[slice, slice, slice], shape: tuple[int, ...], spacing_zyx_mm: tuple[float, float, float]
    ) -> tuple[slice, slice, slice]:
        """Return the part of an image on which filters give, within `box`, the values of the whole image.

        An axis on which the margin would reach the edge is taken whole, since filters then feel the
        edge (or, for wavelets, the opposite one).
        """
        widest = max(self.log_sigma_mm, default=0.0)
        window = []
        for part, n, spacing in zip(box, shape, spacing_zyx_mm, strict=True):
            margin = max(int(np.ceil(LOG_MARGIN_SIGMA * widest / spacing)), WAVELET_MARGIN_VOXEL)
            inner = part.start - margin > 0 and part.stop + margin < n
            window.append(slice(part.start - margin, part.stop + margin) if inner else slice(0, n))
        return window[0], window[1], window[2]

    @property
    def slice_wise(self) -> bool:
        """Whether every aggregation looks at slices only."""
        return all(not name.startswith("3D") for name in self.aggregations)

    def describe(self) -> str:
        """Return the bins in words."""
        if self.path == "pyradiomics" and isinstance(self.discretisation, FixedBinWidth):
            return f"{self.discretisation.describe()}, edges counted from 0"
        return self.discretisation.describe()


def families_asked(
    families: Iterable[str] | Mapping[str, Iterable[str]] | None,
) -> Mapping[str, tuple[str, ...]] | None:
    """Return families with the features asked of each; an empty tuple means all that are not deprecated."""
    if families is None:
        return None
    if isinstance(families, str):
        families = [families]
    if isinstance(families, Mapping):
        return {name: tuple(features or ()) for name, features in families.items()}
    return dict.fromkeys(families, ())


def spacing_asked(resample_mm: float | Sequence[float] | None) -> tuple[float, float, float] | None:
    """Return the spacing (x, y, z) asked for in mm, or None; a zero keeps that axis as it is."""
    if resample_mm is None:
        return None
    values = (resample_mm,) * 3 if isinstance(resample_mm, (int, float, np.number)) else tuple(resample_mm)
    numbers = tuple(float(v) for v in values)
    if len(numbers) != 3 or not all(0 <= v < np.inf for v in numbers) or not any(numbers):
        raise _out_of_range(
            f"resample_mm is {resample_mm!r}.",
            "One spacing in mm, or three for x, y and z of which a zero keeps that axis.",
            "Use resample_mm=1.0, or leave it out to stay on the images' own grid.",
        )
    return numbers[0], numbers[1], numbers[2]
