"""Pipelines from a feature table to a probability: every step that learns is inside, so that a fold can hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spinekit.diagnosis.combat import ComBat
from spinekit.diagnosis.steps import LassoColumns, MrmrColumns, StableColumns, UncorrelatedColumns, UsableColumns
from spinekit.errors import InputRefusedError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["CLASSIFIERS", "REFERENCE", "SELECTIONS", "PipelineChoices", "build_pipeline", "parameter_grid"]

REFERENCE = "logistic_regression"
SELECTIONS = ("none", "lasso", "mrmr")
AGREEMENTS = ("icc2", "icc3")
CLASSIFIERS = (
    REFERENCE, "svm", "random_forest", "extra_trees", "gradient_boosting", "nearest_neighbours", "naive_bayes",
    "linear_discriminant",
)  # fmt: skip
GRIDS: Mapping[str, Mapping[str, Sequence[Any]]] = {
    REFERENCE: {"C": (0.01, 0.1, 1.0)},
    "svm": {"C": (0.3, 1.0, 3.0)},
    "random_forest": {"min_samples_leaf": (2, 5)},
    "extra_trees": {"min_samples_leaf": (2, 5)},
    "gradient_boosting": {"max_depth": (1, 2)},
    "nearest_neighbours": {"n_neighbors": (5, 11)},
    "naive_bayes": {},
    "linear_discriminant": {"shrinkage": ("auto", 0.9)},
}


@dataclass(frozen=True)
class PipelineChoices:
    """What a pipeline is made of.

    Attributes
    ----------
    classifier : str
        One of `CLASSIFIERS`; the logistic regression is the reference that others have to beat.
    selection : {"none", "lasso", "mrmr"}
        How columns are chosen, up to ``n_columns`` (several: the inner folds choose).
    redundancy : float
        Of two columns with an absolute correlation above it the first is kept.
    site : str
        Column with the site, for ComBat; empty for no harmonisation.
    keep : tuple of str
        Columns that ComBat leaves as they are.
    stability : float
        Smallest ICC between the table and ``repeats``.
    agreement : {"icc2", "icc3"}
        ICC(2,1), absolute agreement, or ICC(3,1), which forgives offsets.
    missing : float
        Largest share of missing values in a column.
    seed : int
        Of classifiers that draw.
    """

    classifier: str = REFERENCE
    selection: str = "mrmr"
    n_columns: tuple[int, ...] = (4, 8)
    redundancy: float = 0.9
    site: str = ""
    keep: tuple[str, ...] = ()
    stability: float = 0.75
    agreement: str = "icc2"
    missing: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        for value, known, what in (
            (self.classifier, CLASSIFIERS, "classifier"),
            (self.selection, SELECTIONS, "selection"),
            (self.agreement, AGREEMENTS, "agreement"),
        ):
            if value not in known:
                raise InputRefusedError(
                    "choice-unknown",
                    found=f"{what}='{value}' was asked for.",
                    expected=f"One of {', '.join(known)}.",
                    cause="The name may be misspelt.",
                    cure=f"Choose one of these; '{known[0]}' is the first.",
                )


def _classifier(name: str, seed: int) -> Any:
    from sklearn import ensemble, linear_model
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.naive_bayes import GaussianNB
    from sklearn.neighbors import KNeighborsClassifier

    from spinekit.diagnosis.support_vectors import CalibratedSvm

    made: dict[str, Any] = {
        REFERENCE: lambda: linear_model.LogisticRegression(max_iter=2000),
        "svm": CalibratedSvm,
        "random_forest": lambda: ensemble.RandomForestClassifier(200, random_state=seed, n_jobs=1),
        "extra_trees": lambda: ensemble.ExtraTreesClassifier(200, random_state=seed, n_jobs=1),
        "gradient_boosting": lambda: ensemble.GradientBoostingClassifier(
            n_estimators=60, learning_rate=0.05, subsample=0.7, random_state=seed
        ),
        "nearest_neighbours": lambda: KNeighborsClassifier(weights="distance"),
        "naive_bayes": GaussianNB,
        "linear_discriminant": lambda: LinearDiscriminantAnalysis(solver="lsqr"),
    }
    return made[name]()


def build_pipeline(choices: PipelineChoices | None = None, *, repeats: Any = None) -> Pipeline:
    """Return an unfitted scikit-learn pipeline for a feature table with named columns.

    Steps, in order: ``stable`` (ICC over the table and `repeats`, if given), ``harmonise`` (ComBat, if a site
    column is named), ``usable`` (missing and constant columns out, gaps to the training median), ``scale``,
    ``uncorrelated``, ``select`` (mRMR or LASSO, if chosen), ``classify``.

    Parameters
    ----------
    choices : PipelineChoices, optional
    repeats : DataFrame or mapping of str to DataFrame, optional
        Features of perturbed regions by the same index, for the stability filter; several ways by name.

    Examples
    --------
    >>> [name for name, _ in build_pipeline(PipelineChoices(selection="lasso")).steps]
    ['usable', 'scale', 'uncorrelated', 'select', 'classify']
    """
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    chosen = choices or PipelineChoices()
    steps: list[tuple[str, Any]] = []
    if repeats is not None:  # first: repeats are neither harmonised nor filled
        steps.append(("stable", StableColumns(repeats, chosen.stability, chosen.agreement, chosen.site)))
    if chosen.site:
        steps.append(("harmonise", ComBat(chosen.site, chosen.keep)))
    steps.append(("usable", UsableColumns(chosen.missing)))
    steps.append(("scale", StandardScaler().set_output(transform="pandas")))
    steps.append(("uncorrelated", UncorrelatedColumns(chosen.redundancy)))
    if chosen.selection != "none":
        selector = {"lasso": LassoColumns, "mrmr": MrmrColumns}[chosen.selection]
        steps.append(("select", selector(chosen.n_columns[0])))
    steps.append(("classify", _classifier(chosen.classifier, chosen.seed)))
    return Pipeline(steps)


def parameter_grid(choices: PipelineChoices) -> dict[str, list[Any]]:
    """Return what the inner folds choose among, by scikit-learn's names.

    Examples
    --------
    >>> sorted(parameter_grid(PipelineChoices()))
    ['classify__C', 'select__n']
    """
    grid = {f"classify__{name}": list(values) for name, values in GRIDS[choices.classifier].items()}
    if choices.selection != "none" and len(choices.n_columns) > 1:
        grid["select__n"] = list(choices.n_columns)
    return grid
