"""Tissues of the simulated patient: relaxation, visibility, exchange of contrast agent, and where each is from.

T1 follows Stanisz 2005 (doi 10.1002/mrm.20605) and de Bazelaire 2004 (doi 10.1148/radiol.2303021331)
where they measured the tissue; other values, and the kinetics of healthy tissue, are our assumption,
chosen so that a reader finds the usual order of brightness. None of them enters the diagnosis.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TISSUES", "Tissue", "tissue_index"]


@dataclass(frozen=True)
class Tissue:
    """One healthy or benign tissue.

    Attributes
    ----------
    density : float
        Visible proton density relative to water; low where T2* is very short.
    t1_s : tuple of float
        At 1.5 T and 3 T, s.
    t2_s : float
        Apparent T2 of a fast spin echo, s.
    t2_density : float
        Proton density that a spin echo sees; low in vessels because of flow.
    ktrans_per_min, kep_per_min, vp : float
        Extended Tofts.
    fat : float
        Share of the signal that fat suppression removes.
    input : str
        Which blood feeds it: ``"artery"`` or ``"vein"``.
    """

    name: str
    density: float
    t1_s: tuple[float, float]
    t2_s: float
    t2_density: float
    ktrans_per_min: float = 0.0
    kep_per_min: float = 0.0
    vp: float = 0.0
    fat: float = 0.0
    input: str = "artery"


TISSUES: tuple[Tissue, ...] = (
    Tissue("air", 0.0, (1.0, 1.0), 0.01, 0.0),
    Tissue("skin", 0.55, (0.90, 1.05), 0.030, 0.60, 0.020, 0.30, 0.01),
    Tissue("fat", 0.95, (0.34, 0.38), 0.110, 0.95, 0.004, 0.20, 0.004, fat=1.0),
    Tissue("muscle", 0.85, (1.01, 1.41), 0.040, 0.85, 0.025, 0.28, 0.008),
    Tissue("fibrous", 0.25, (0.90, 1.00), 0.018, 0.35, 0.004, 0.20, 0.005),
    Tissue("viscera", 0.85, (0.90, 1.15), 0.070, 0.80, 0.110, 0.60, 0.08),
    Tissue("kidney", 0.90, (0.97, 1.19), 0.085, 0.90, 0.260, 0.90, 0.18),
    Tissue("artery", 0.95, (1.44, 1.93), 0.200, 0.07, vp=1.0),
    Tissue("vein", 0.95, (1.44, 1.93), 0.200, 0.12, vp=1.0, input="vein"),
    Tissue("cortex", 0.06, (0.60, 0.70), 0.010, 0.10, 0.002, 0.20, 0.002),
    Tissue("red_marrow", 0.80, (0.72, 0.80), 0.055, 0.75, 0.035, 0.50, 0.012, fat=0.35),
    Tissue("yellow_marrow", 0.85, (0.34, 0.38), 0.095, 0.85, 0.008, 0.30, 0.004, fat=0.90),
    Tissue("basivertebral_vein", 0.85, (1.30, 1.70), 0.120, 0.80, 0.030, 0.40, 0.10, input="vein"),
    Tissue("annulus", 0.35, (0.85, 0.95), 0.025, 0.45, 0.003, 0.15, 0.003),
    Tissue("nucleus", 0.85, (1.15, 1.35), 0.125, 0.95, 0.002, 0.10, 0.0),
    Tissue("degenerate_nucleus", 0.55, (0.90, 1.00), 0.045, 0.65, 0.004, 0.15, 0.003),
    Tissue("csf", 1.00, (4.00, 4.30), 1.500, 0.95),
    Tissue("cord", 0.80, (0.75, 0.99), 0.080, 0.80, vp=0.003),
    Tissue("nerve", 0.75, (0.85, 1.05), 0.080, 0.75, 0.008, 0.30, 0.006),
    Tissue("haemangioma", 0.92, (0.48, 0.52), 0.130, 0.95, 0.030, 0.25, 0.04, fat=0.45),
    Tissue("interspinous", 0.65, (0.65, 0.75), 0.050, 0.62, 0.012, 0.25, 0.006, fat=0.35),
    Tissue("oedema", 0.88, (1.10, 1.30), 0.105, 0.90, 0.040, 0.35, 0.015),
)


def tissue_index(name: str) -> int:
    """Return the label of a tissue in a `tissue` volume.

    Examples
    --------
    >>> tissue_index("air"), tissue_index("muscle")
    (0, 3)
    """
    return [tissue.name for tissue in TISSUES].index(name)
