"""What a lesion looks like inside: patchy exchange, necrosis, septa, rings and arcs, mineral matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.phantom.entities import LARGEST_VE, Entity
from spinekit.phantom.randomness import SmoothField

if TYPE_CHECKING:
    from spinekit.phantom.lesions import Lesion

__all__ = ["Interior", "Texture"]


@dataclass(frozen=True)
class Interior:
    """Values at n points of a lesion: Ktrans and kep (1/min), vp, T1 and T2 (s), proton density."""

    ktrans: Any
    kep: Any
    vp: Any
    t1_s: Any
    t2_s: Any
    density: Any


@dataclass(frozen=True)
class Texture:
    """The random part of a lesion's interior.

    ``patches`` varies exchange, ``mixture`` relaxation and kep, ``lobules`` carries septa, rings and
    matrix; ``core`` is the relative radius of a necrotic centre (0 without).
    """

    patches: SmoothField
    mixture: SmoothField
    lobules: SmoothField
    core: float

    @classmethod
    def draw(cls, rng: np.random.Generator, entity: Entity, *, radius_mm: float) -> Texture:
        """Draw the interior of a lesion of a mean radius."""
        lobule = {"septa": 0.40, "rings": 0.28}.get(entity.texture, 0.30) * radius_mm
        return cls(
            patches=SmoothField.draw(rng, length_mm=0.35 * radius_mm),
            mixture=SmoothField.draw(rng, length_mm=0.5 * radius_mm),
            lobules=SmoothField.draw(rng, length_mm=lobule),
            core=float(rng.uniform(0.35, 0.62)) if entity.texture == "necrosis" else 0.0,
        )

    def at(self, lesion: Lesion, x: Any, y: Any, z: Any, *, core: Any, strong: bool) -> Interior:
        """Return the interior at positions in mm.

        Parameters
        ----------
        lesion : Lesion
            Whose interior.
        x, y, z : ndarray of shape (n,)
            LPS mm.
        core : ndarray of bool, shape (n,)
            Points that belong to the lesion's mask: over them Ktrans, kep and vp have the lesion's means.
        strong : bool
            3 T instead of 1.5 T.
        """
        entity = lesion.entity
        patches, mixture, lobules = (f(x, y, z).astype(np.float64) for f in (self.patches, self.mixture, self.lobules))
        wall = np.exp(-((lobules / 0.35) ** 2))  # 1 on the surfaces between lobules
        dead = self._dead(lesion, x, y, z, mixture)
        mineral = _share_above(lobules + 0.6 * mixture, entity.matrix)
        vessels = entity.heterogeneity * patches - 2.8 * dead - 0.7 * mineral
        washout = entity.heterogeneity * (0.3 * patches + 0.4 * mixture)
        t1, t2 = 0.06 * mixture + 0.35 * dead, 0.16 * mixture + 0.6 * dead - 0.5 * mineral
        if entity.texture in ("septa", "rings"):
            depth = 1.0 if entity.texture == "septa" else 1.5
            vessels, washout = vessels + depth * (wall - 0.4), washout + 0.8 * depth * (wall - 0.4)
            t2 = t2 - 0.7 * (wall - 0.4)
        if not core.any():  # too small to fill half of any voxel: the mean over what there is
            core = np.ones_like(core)
        ktrans = _with_mean(np.exp(vessels), lesion.ktrans_per_min, core)
        return Interior(
            ktrans=ktrans,
            kep=_fast_enough(np.exp(washout), ktrans, lesion.kep_per_min, core),
            vp=_with_mean(np.exp(vessels), lesion.vp, core),
            t1_s=entity.t1_s[int(strong)] * np.exp(t1),
            t2_s=entity.t2_s * np.exp(t2),
            density=entity.density * (1.0 - 0.55 * mineral),
        )

    def _dead(self, lesion: Lesion, x: Any, y: Any, z: Any, mixture: Any) -> Any:
        if self.core == 0.0:
            return np.zeros_like(mixture)
        return np.clip((self.core + 0.10 * mixture - lesion.radius_at(x, y, z)) / 0.12 + 0.5, 0.0, 1.0)


def _with_mean(values: Any, mean: float, core: Any) -> Any:
    return values * (mean / values[core].mean())


def _fast_enough(values: Any, ktrans: Any, mean: float, core: Any) -> Any:
    """Return kep with the given mean over the core, nowhere so slow that ve would exceed `LARGEST_VE`."""
    kep = values
    for _ in range(20):
        kep = np.maximum(_with_mean(kep, mean, core), ktrans / LARGEST_VE)
        if abs(kep[core].mean() / mean - 1.0) < 1e-6:
            break
    return kep


def _share_above(field: Any, share: float) -> Any:
    """Return 0 to 1, softly, where a field of unit order lies in its highest `share`."""
    if share == 0.0:
        return np.zeros_like(field)
    from scipy.special import ndtri

    limit = float(ndtri(1.0 - share)) * np.sqrt(1.36)
    return np.clip((field - limit) / 0.4 + 0.5, 0.0, 1.0)
