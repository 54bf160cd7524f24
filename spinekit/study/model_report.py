"""One call: the figures of a set of predictions, and the numbers they are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spinekit.errors import InputRefusedError
from spinekit.evaluation import (
    area_under_curve,
    at_threshold,
    bootstrap_interval,
    calibration,
    delong_auc,
    delong_test,
    net_benefit,
    paired_bootstrap,
    reclassification,
    roc_band,
    roc_curve,
)

if TYPE_CHECKING:
    import pandas as pd

    from spinekit.diagnosis.formula import LinearModel

__all__ = ["ModelReport", "compare_models", "comparison_sentence", "model_report", "numbers_of"]

SIGNIFICANT = 0.05
LEVELS = tuple(float(v) for v in np.round(np.arange(0.05, 0.96, 0.05), 2))
DRAWS = 2000


@dataclass(frozen=True)
class ModelReport:
    """What predictions come to.

    Attributes
    ----------
    numbers : DataFrame
        One row per model: areas, intervals, rates, calibration.
    comparisons : DataFrame
        Each model against the reference: DeLong, paired bootstrap, reclassification, a sentence.
    benefit : mapping of str to DataFrame
        Net benefit over thresholds.
    words : tuple of str
        Coefficients in words, where a formula was given.
    figures : mapping of str to matplotlib Figure
        ``roc``, ``calibration``, ``decision_curve``; ``nomogram`` and ``coefficients`` with a formula.
    """

    numbers: pd.DataFrame
    comparisons: pd.DataFrame
    benefit: Mapping[str, pd.DataFrame]
    words: tuple[str, ...]
    figures: Mapping[str, Any]

    def save(self, folder: str | Path, *, prefix: str = "") -> tuple[Path, ...]:
        """Write tables as CSV and figures as PNG; return the paths."""
        from spinekit.provenance import write_beside, write_text

        out = Path(folder)
        written = [
            write_text(out / f"{prefix}numbers.csv", self.numbers.to_csv()),
            write_text(out / f"{prefix}comparisons.csv", self.comparisons.to_csv()),
        ]
        for name, figure in self.figures.items():
            with write_beside(out / f"{prefix}{name}.png") as path:
                figure.savefig(path, dpi=110, metadata={"Software": None})
            written.append(out / f"{prefix}{name}.png")
        return tuple(written)


def numbers_of(
    labels: Any, probabilities: Any, *, called: Any = None, threshold: float = 0.5, seed: int, n: int = DRAWS
) -> dict[str, float]:
    """Return every number of one model.

    Parameters
    ----------
    called : array of shape (N,), optional
        Whether each patient was called class 1 by a threshold chosen on training rows; if not given,
        `threshold` is applied.
    seed, n : int
        Of the bootstrap.
    """
    area = bootstrap_interval(labels, probabilities, area_under_curve, seed=seed, n=n)
    estimate = delong_auc(labels, probabilities)
    judged = calibration(labels, probabilities, groups=min(10, max(2, len(labels) // 8)))
    guess = np.asarray(probabilities) if called is None else np.asarray(called, dtype=np.float64)
    rates = at_threshold(labels, guess, threshold=threshold if called is None else 0.5)
    return {
        "n": len(labels), "AUC": area.value, "AUC low": area.low, "AUC high": area.high, "AUC SE (DeLong)": estimate.se,
        **rates, "Brier": judged.brier, "calibration slope": judged.slope,
        "calibration intercept": judged.intercept, "ECE": judged.ece,
        "Hosmer-Lemeshow": judged.hosmer_lemeshow, "Hosmer-Lemeshow p": judged.p,
    }  # fmt: skip


def comparison_sentence(name: str, reference: str, *, difference: float, low: float, high: float, p: float) -> str:
    """Return a sentence that says whether one model gains on another.

    Examples
    --------
    >>> comparison_sentence("U-Net", "radiomics", difference=0.02, low=-0.04, high=0.08, p=0.5)
    'No significant gain of U-Net over radiomics: AUC +0.020 (-0.040 to +0.080), DeLong p = 0.50.'
    """
    clear = np.isfinite(p) and p < SIGNIFICANT and (low > 0 or high < 0)
    p_words = "no p value, since both rank alike" if not np.isfinite(p) else f"DeLong p = {p:.2g}"
    p_words = f"DeLong p = {p:.2f}" if np.isfinite(p) and p >= 0.095 else p_words
    numbers = f"AUC {difference:+.3f} ({low:+.3f} to {high:+.3f}), {p_words}."
    if not clear:
        return f"No significant gain of {name} over {reference}: {numbers}"
    verb = "Significant gain" if difference > 0 else "Significant loss"
    return f"{verb} of {name} over {reference}: {numbers}"


def compare_models(
    labels: Any, probabilities: Mapping[str, Any], *, reference: str, seed: int, threshold: float = 0.5, n: int = DRAWS
) -> pd.DataFrame:
    """Compare each model with the reference on the same patients.

    Returns
    -------
    DataFrame
        Index: name of the model. p values are not corrected for the number of comparisons; their
        number is in the column ``comparisons``.
    """
    import pandas as pd

    rows = {}
    if reference not in probabilities:
        raise InputRefusedError(
            "choice-unknown",
            found=f"The reference is '{reference}'.",
            expected=f"One of the models: {', '.join(map(str, probabilities))}.",
            cause="The name may be misspelt.",
            cure="Name the model that the others are compared with.",
        )
    base = probabilities[reference]
    others = [name for name in probabilities if name != reference]
    for name in others:
        test = delong_test(labels, probabilities[name], base)
        drawn = paired_bootstrap(labels, probabilities[name], base, area_under_curve, seed=seed, n=n)
        moved = reclassification(labels, base, probabilities[name], threshold=threshold)
        rows[name] = {
            "reference": reference, "AUC difference": test.difference, "low": drawn.low, "high": drawn.high,
            "DeLong z": test.z, "DeLong p": test.p, "NRI": moved["nri"], "IDI": moved["idi"],
            "comparisons": len(others),
            "in words": comparison_sentence(
                name, reference, difference=test.difference, low=drawn.low, high=drawn.high, p=test.p
            ),
        }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")


def model_report(
    labels: Any,
    probabilities: Mapping[str, Any],
    *,
    reference: str,
    seed: int,
    called: Mapping[str, Any] | None = None,
    threshold: float = 0.5,
    formula: LinearModel | None = None,
    table: Any = None,
    title: str = "",
    simulated: bool = False,
    n: int = DRAWS,
) -> ModelReport:
    """Return every figure and number of a set of models on the same patients.

    Parameters
    ----------
    labels : array of shape (N,)
        0 or 1.
    probabilities : mapping of str to array of shape (N,)
        Predicted for class 1 by each model, out of fold.
    reference : str
        The model that others are compared with.
    called, threshold : mapping, float
        See `numbers_of`; `threshold` is also that of the reclassification.
    formula, table : LinearModel and DataFrame, optional
        For nomogram and coefficients.
    simulated : bool
        Stamp the figures.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> y = np.tile([0, 1], 30)
    >>> models = {"good": (y + rng.random(60)) / 2, "chance": rng.random(60)}
    >>> report = model_report(y, models, reference="good", seed=1, n=50)
    >>> sorted(report.figures)
    ['calibration', 'decision_curve', 'roc']
    >>> report.comparisons.loc["chance", "in words"].startswith("Significant loss of chance over good")
    True
    """
    import pandas as pd

    flags = called or {}
    numbers = pd.DataFrame.from_dict(
        {
            name: numbers_of(labels, p, called=flags.get(name), threshold=threshold, seed=seed, n=n)
            for name, p in probabilities.items()
        },
        orient="index",
    ).rename_axis("model")
    benefit = {name: net_benefit(labels, p, thresholds=LEVELS) for name, p in probabilities.items()}
    figures = _figures(labels, probabilities, numbers, benefit, title=title, simulated=simulated, seed=seed, n=n)
    words: tuple[str, ...] = ()
    if formula is not None:
        words = formula.in_words()
        figures |= _formula_figures(formula, table, simulated=simulated)
    comparisons = compare_models(labels, probabilities, reference=reference, seed=seed, threshold=threshold, n=n)
    return ModelReport(numbers, comparisons, benefit, words, figures)


def _figures(
    labels: Any, probabilities: Any, numbers: Any, benefit: Any, *, title: str, simulated: bool, seed: int, n: int
) -> dict[str, Any]:
    from spinekit.plotting import statistics as drawing

    curves, groups, words = {}, {}, {}
    for place, (name, p) in enumerate(probabilities.items()):
        row = numbers.loc[name]
        corners = roc_curve(labels, p)
        band = roc_band(labels, p, seed=seed, n=min(n, 500)) if place == 0 else None
        legend = f"{row['AUC']:.3f} ({row['AUC low']:.3f} to {row['AUC high']:.3f})"
        curves[name] = drawing.RocDrawing(corners.false_positive, corners.true_positive, band, legend)
        judged = calibration(labels, p, groups=min(10, max(2, len(labels) // 8)))
        groups[name] = (judged.predicted, judged.observed, judged.size)
        slope = f"{judged.slope:.2f}" if np.isfinite(judged.slope) else "undefined"
        words[name] = f"slope {slope}, intercept {judged.intercept:+.2f}, ECE {judged.ece:.3f}"
    heading = f" · {title}" if title else ""
    return {
        "roc": drawing.roc_plot(curves, title=f"ROC{heading}", simulated=simulated),
        "calibration": drawing.calibration_plot(
            groups, words, probabilities, title=f"Calibration{heading}", simulated=simulated
        ),
        "decision_curve": drawing.decision_plot(benefit, title=f"Decision curve{heading}", simulated=simulated),
    }


def _formula_figures(formula: LinearModel, table: Any, *, simulated: bool) -> dict[str, Any]:
    from spinekit.diagnosis.points import nomogram
    from spinekit.plotting import statistics as drawing

    return {
        "nomogram": drawing.nomogram_plot(nomogram(formula, table), simulated=simulated),
        "coefficients": drawing.coefficient_plot(
            formula.columns, formula.coefficients, outcome=formula.classes[1], simulated=simulated
        ),
    }
