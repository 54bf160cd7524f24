"""What the auditor says: a code, what was seen, and the cure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CURE", "LEAKS", "AuditReport", "Finding"]

CURE = "Put the step into the pipeline and fit the pipeline on the training part of each fold."

LEAKS: Mapping[str, str] = MappingProxyType(
    {
        "row-in-train-and-test": "the same row is trained on and tested",
        "patient-in-two-folds": "a patient has rows on both sides of a fold",
        "duplicate-across-folds": "a copy of a row stands on the other side of a fold",
        "oversampling-outside-fold": "rows were copied or interpolated before the folds were made",
        "training-after-test": "a training row is later than a test row",
        "tuned-on-test": "test rows were used to choose parameters",
        "threshold-on-test": "the threshold is the best one for the test rows",
        "target-in-column": "a column tells the class by itself",
        "known-only-afterwards": "a column is known only once the diagnosis is",
        "identifier-as-feature": "a column numbers or names the rows",
        "missingness-tells-target": "where a column is missing tells the class",
        "site-as-proxy": "site and class go together, or the site is a feature",
        "scaler-outside-fold": "columns were scaled with all rows",
        "imputation-outside-fold": "gaps were filled with a value of all rows",
        "selection-outside-fold": "columns were chosen with all rows",
        "harmonisation-outside-fold": "sites were harmonised with all rows",
        "fitted-outside-fold": "another step was fitted with all rows",
        "test-labels-used": "predictions change when the labels of test rows change",
        "test-rows-used": "predictions change when other test rows change",
    }
)


@dataclass(frozen=True)
class Finding:
    """One leak: `code` out of `LEAKS`, what was seen, and what to do."""

    code: str
    seen: str
    cure: str

    def __post_init__(self) -> None:
        if self.code not in LEAKS:
            raise KeyError(f"'{self.code}' is not in LEAKS; add it there first.")

    def __str__(self) -> str:
        return f"{self.seen} {self.cure} [{self.code}]"


@dataclass(frozen=True)
class AuditReport:
    """Findings of an audit, and what was looked for; iterates over the findings.

    Attributes
    ----------
    findings : tuple of Finding
    checked : tuple of str
        Codes that were looked for; others need what was not given, such as folds.
    """

    findings: tuple[Finding, ...]
    checked: tuple[str, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes of the findings, each once, in their order."""
        return tuple(dict.fromkeys(finding.code for finding in self.findings))

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def as_table(self) -> pd.DataFrame:
        """Return one row per leak that was looked for, with what was seen or 'nothing'."""
        import pandas as pd

        rows = []
        for code in self.checked:
            seen = [f for f in self.findings if f.code == code]
            rows.append({"leak": code, "meaning": LEAKS[code], "seen": seen[0].seen if seen else "nothing"})
        return pd.DataFrame(rows, columns=["leak", "meaning", "seen"])
