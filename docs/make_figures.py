"""Draw the figures of the documentation from simulated cases. Run: ``python docs/make_figures.py``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from spinekit import plotting
from spinekit.case import Roi
from spinekit.phantom import SimulatedCase, simulate_case
from spinekit.phantom.reader import outlined_by_reader
from spinekit.phantom.tissue import tissue_index
from spinekit.segmentation import grow_along_outline, grow_region

FOLDER = Path(__file__).resolve().parent / "figures"
OVERVIEW = 7
SIX = (
    (21, "lytic_metastasis"), (22, "blastic_metastasis"), (23, "myeloma"),
    (24, "lymphoma"), (25, "chordoma"), (26, "osteosarcoma"),
)  # fmt: skip


def muscle_of(case: SimulatedCase) -> Roi:
    """Return the paraspinal muscle as a region."""
    mask = case.tissue.values == tissue_index("muscle")
    return Roi(np.asarray(mask), case.series.geometry, "muscle")


def row_of(case: SimulatedCase, roi: Roi) -> plotting.SheetCase:
    """Return the row of a case."""
    title = f"{case.entity.replace('_', ' ')}\n({case.label})"
    return plotting.SheetCase(title, case.series, roi, case.n_baseline, case.t2, case.t2_outline, muscle_of(case))


def save(figure: Figure, name: str) -> None:
    """Write a figure as PNG."""
    figure.savefig(FOLDER / f"{name}.png", dpi=100)
    print(f"docs/figures/{name}.png")


def main() -> int:
    """Draw every figure; return 0."""
    FOLDER.mkdir(exist_ok=True)
    case = simulate_case(OVERVIEW)
    roi = grow_region(case.series, [case.seed_ijk], n_baseline=case.n_baseline)
    save(plotting.montage(case.series, roi, n_baseline=case.n_baseline), "overview")
    steps = grow_along_outline(case.series, outlined_by_reader(case.t2_outline, 1), n_baseline=case.n_baseline)
    save(plotting.outline_panels(case.series, steps, case.t2, n_baseline=case.n_baseline), "outline_route")
    save(plotting.growing_panels(case.series, roi, n_baseline=case.n_baseline), "growing")
    cases = [simulate_case(seed, entity=entity) for seed, entity in SIX]
    save(plotting.case_sheet([row_of(c, c.lesion) for c in cases]), "six_cases")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
