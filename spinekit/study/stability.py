"""One call: measure cases under perturbation, judge every feature, write the tables and the figure."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spinekit.errors import InputRefusedError
from spinekit.provenance import library_versions, write_beside, write_json

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StabilityPlan", "StabilityResult", "run_stability"]

LOG_SIGMA_MM = (2.0, 4.0)
WAVELET = "coif1"
FEWEST_CASES = 3


@dataclass(frozen=True)
class StabilityPlan:
    """What is perturbed: folders of cases, or simulated cases with the choices that follow."""

    cases: tuple[Path, ...] = ()
    n_simulated: int = 12
    first_seed: int = 0
    size: tuple[int, int, int] = (160, 160, 20)
    bin_count: int = 32
    resample_mm: float = 1.0
    filters: bool = True
    workers: int = 1

    @property
    def simulated(self) -> bool:
        """Whether the cases are made here; cases of folders tell themselves whether the simulator wrote them."""
        return not self.cases


@dataclass(frozen=True)
class StabilityResult:
    """Tables of a run: every feature over all perturbations, its ICC by kind, shares that survive."""

    table: pd.DataFrame
    by_kind: pd.DataFrame
    shares: pd.DataFrame
    measurements: dict[str, pd.DataFrame]
    folder: Path
    simulated: bool

    def text(self) -> str:
        """Return the shares as text, beside the published one."""
        from spinekit.radiomics import PUBLISHED_SHARE

        percent = self.shares.drop(columns="n_features").mul(100).round()
        percent.insert(0, "features", self.shares["n_features"])
        stable, lower = (100 * float(self.table[column].mean()) for column in ("stable", "surely_stable"))
        complete = int(self.table["n_cases"].max())
        lines = [
            "Per cent of features with an ICC(2,1) above 0.75, by what was perturbed:",
            percent.to_string(float_format="{:.0f}".format, na_rep="-"),
            f"Over all perturbations together, {complete} cases measured in all of them: {stable:.1f} % of "
            f"{len(self.table)} (by the lower 95 % limit {lower:.1f} %).",
            f"Published, other tumours: {100 * PUBLISHED_SHARE:.1f} % of 1702.",
        ]
        if self.simulated:
            lines.append("SIMULATED cases: no patient; not a clinical result.")
        return "\n".join(lines)


def run_stability(
    plan: StabilityPlan, out: str | os.PathLike[str], *, on_case: Callable[[int, int], Any] | None = None
) -> StabilityResult:
    """Measure, judge and write ``stability.csv``, ``stability_by_kind.csv``, ``survival.csv``, ``stability.png``.

    ``measurements.csv`` keeps every number (perturbation, case, features), so that a pipeline can fit the filter in
    its folds; ``stability.json`` the choices and versions. Simulated cases are kept in ``cases`` as they are
    measured, so that a run that was stopped goes on with the case it was at.

    Raises
    ------
    InputRefusedError
        ``value-out-of-range`` for fewer than three cases; what the steps of a case refuse.
    """
    from spinekit.radiomics import PUBLISHED_SHARE, stability_by_kind, stability_table, survival
    from spinekit.workflow import is_simulated

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    measurements = _measured(plan, folder / "cases", on_case)
    simulated = plan.simulated or all(is_simulated(case) for case in plan.cases)
    table, by_kind = stability_table(measurements), stability_by_kind(measurements)
    result = StabilityResult(table, by_kind, survival(by_kind), measurements, folder, simulated)
    for name, content in (("stability", table), ("stability_by_kind", by_kind), ("survival", result.shares)):
        with write_beside(folder / f"{name}.csv") as path:
            content.to_csv(path, float_format="%.10g")
    with write_beside(folder / "measurements.csv") as path:
        _long(measurements).to_csv(path, float_format="%.17g")
    write_json(
        folder / "stability.json",
        {
            "simulated": simulated,
            "plan": {k: str(v) if k == "cases" else v for k, v in vars(plan).items()},
            "perturbations": {name: len(rows) for name, rows in measurements.items()},
            "stable_share": float(table["stable"].mean()),
            "surely_stable_share": float(table["surely_stable"].mean()),
            "published_share": PUBLISHED_SHARE,
            "versions": library_versions(),
        },
    )
    _draw(result, folder / "stability.png")
    return result


def _measured(plan: StabilityPlan, keep: Path, on_case: Callable[[int, int], Any] | None) -> dict[str, pd.DataFrame]:
    from spinekit import workflow

    if plan.simulated:
        filters: dict[str, Any] = {"log_sigma_mm": LOG_SIGMA_MM, "wavelet": WAVELET} if plan.filters else {}
        return workflow.simulated_measurements(
            plan.n_simulated, first_seed=plan.first_seed, size=plan.size, processes=plan.workers, progress=on_case,
            keep=keep, discretisation={"bin_count": plan.bin_count}, resample_mm=plan.resample_mm or None, **filters,
        )  # fmt: skip
    if len(plan.cases) < FEWEST_CASES:
        raise InputRefusedError(
            "value-out-of-range",
            found=f"{len(plan.cases)} cases were given.",
            expected=f"At least {FEWEST_CASES}, better twenty or more.",
            cause="An intraclass correlation compares the spread between cases with that within them.",
            cure="Name more case folders, or none to use simulated cases. Notebook 05 shows the spread of one case.",
        )
    import pandas as pd

    rows = {}
    for number, case in enumerate(plan.cases, start=1):
        try:
            rows[case.name] = workflow.stability_of_case(case)
        except InputRefusedError as refused:
            if not refused.code.startswith("roi-"):
                raise
            rows[case.name] = {}  # it is in no table, and the record counts what was measured
        _ = on_case and on_case(number, len(plan.cases))
    names = dict.fromkeys(name for found in rows.values() for name in found)
    return {name: pd.DataFrame({case: r[name] for case, r in rows.items() if name in r}).T for name in names}


def _long(measurements: dict[str, pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(measurements, names=["perturbation", "case"])


def _draw(result: StabilityResult, path: Path) -> None:
    from spinekit.plotting import stability_figure
    from spinekit.radiomics import PUBLISHED_SHARE

    figure = stability_figure(result.shares, result.table, published=PUBLISHED_SHARE, simulated=result.simulated)
    with write_beside(path) as beside:
        figure.savefig(beside, format="png")
