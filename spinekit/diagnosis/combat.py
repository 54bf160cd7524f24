"""Harmonisation between sites (ComBat), learned from training rows and applied to others as it was learned."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from spinekit.errors import InputRefusedError, coded_warning

__all__ = ["ComBat", "SiteConfoundedWarning", "site_and_class"]

CONFOUNDED = 0.5  # Cramér's V between site and class from which on harmonisation removes the class with the site
TOLERANCE = 1e-6


class SiteConfoundedWarning(UserWarning):
    """Site and class go together, so that removing the site removes the class."""


def site_and_class(sites: Any, labels: Any) -> float:
    """Return Cramér's V between site and class: 0 independent, 1 one tells the other; 0 with a single site.

    Examples
    --------
    >>> site_and_class(["A", "A", "B", "B"], [0, 0, 1, 1]), site_and_class(["A", "A", "B", "B"], [0, 1, 0, 1])
    (1.0, 0.0)
    """
    where, kind = (np.unique(np.asarray(v), return_inverse=True)[1] for v in (sites, labels))
    if min(where.max(), kind.max()) < 1:
        return 0.0
    counts = np.zeros((where.max() + 1, kind.max() + 1))
    np.add.at(counts, (where, kind), 1)
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    return float(np.sqrt(((counts - expected) ** 2 / expected).sum() / counts.sum() / (min(counts.shape) - 1)))


class ComBat(TransformerMixin, BaseEstimator):
    """Remove each site's shift and scale from every feature, shrunk towards what the features share.

    The site stands in a column of the table, which is taken out. `fit` sees training rows only; a row
    of a site that was not among them is refused, since nothing is known of its shift.

    Parameters
    ----------
    site : str
        Column that holds the site.
    keep : tuple of str
        Columns that are passed on as they are, such as age, which no scanner has shifted.

    Attributes
    ----------
    warnings_ : tuple of str
        ``[site-confounded]`` where site and class go together; also issued as `SiteConfoundedWarning`.

    References
    ----------
    .. [1] Johnson WE, Li C, Rabinovic A. Biostatistics 2007;8:118-127.
    .. [2] Orlhac F et al. J Nucl Med 2022;63:172-179.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> table = pd.DataFrame(rng.normal(size=(40, 3)), columns=list("abc"))
    >>> table.loc[20:, :] += 5.0
    >>> table["site"] = ["A"] * 20 + ["B"] * 20
    >>> even = ComBat(site="site").fit_transform(table)
    >>> bool(abs(even[:20].mean() - even[20:].mean()).max() < 0.5)
    True
    """

    def __init__(self, site: str = "site", keep: tuple[str, ...] = ()) -> None:
        self.site = site
        self.keep = keep

    def fit(self, X: Any, y: Any = None) -> ComBat:
        """Learn shift and scale of each site from these rows."""
        sites = self._sites(X)
        self.columns_ = tuple(c for c in X.columns if c not in (self.site, *self.keep))
        self.names_ = tuple(str(c) for c in X.columns)
        values = X[list(self.columns_)].to_numpy(dtype=np.float64)
        self.sites_ = tuple(sorted(set(sites)))
        self._check(sites)
        self.warnings_: tuple[str, ...] = () if y is None else self._confounded(sites, y)
        share = np.array([(sites == s).mean() for s in self.sites_])
        means = np.array([np.nanmean(values[sites == s], axis=0) for s in self.sites_])
        self.grand_ = share @ means
        residual = values - means[[self.sites_.index(s) for s in sites]]
        self.spread_ = np.sqrt(np.nanmean(residual**2, axis=0))
        self.spread_[~(self.spread_ > 0)] = 1.0
        scaled = (values - self.grand_) / self.spread_
        shifts = [_shrunk(scaled[sites == s]) for s in self.sites_]
        self.shift_ = {s: shift for s, (shift, _) in zip(self.sites_, shifts, strict=True)}
        self.scale_ = {s: scale for s, (_, scale) in zip(self.sites_, shifts, strict=True)}
        return self

    def transform(self, X: Any) -> Any:
        """Return the features without their site's shift and scale, and without the column of the site."""
        sites = self._sites(X)
        unseen = sorted(set(sites) - set(self.sites_))
        if unseen:
            raise InputRefusedError(
                "site-unseen",
                found=f"Rows come from site '{unseen[0]}', which was not among the training rows.",
                expected=f"Sites out of {', '.join(self.sites_)}.",
                cause="An external test set has a scanner whose shift cannot be known from training.",
                cure="Leave harmonisation out for external tests, or learn it with reference rows of that site.",
            )
        out = X.drop(columns=[self.site]).astype(np.float64)
        values = out[list(self.columns_)].to_numpy()
        shift = np.array([self.shift_[s] for s in sites])
        scale = np.sqrt(np.array([self.scale_[s] for s in sites]))
        even = ((values - self.grand_) / self.spread_ - shift) / scale * self.spread_ + self.grand_
        out[list(self.columns_)] = even
        return out

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the features, without the column of the site."""
        given = self.names_ if input_features is None else [str(name) for name in input_features]
        return np.asarray([name for name in given if name != self.site], dtype=object)

    def _sites(self, table: Any) -> Any:
        if self.site not in getattr(table, "columns", ()):
            raise InputRefusedError(
                "table-invalid",
                found=f"The table has no column '{self.site}'.",
                expected="A column that tells each row's site.",
                cause="It may have another name, or an array was given.",
                cure="Add the column, or name it with site=.",
            )
        return np.asarray(table[self.site].astype(str))

    def _check(self, sites: Any) -> None:
        few = [s for s in self.sites_ if (sites == s).sum() < 3]
        if few:
            raise InputRefusedError(
                "value-out-of-range",
                found=f"Site '{few[0]}' has {(sites == few[0]).sum()} training rows.",
                expected="At least 3, to estimate a shift and a scale.",
                cause="The site is small, or the folds are many.",
                cure="Leave the site out, or use fewer folds.",
            )

    def _confounded(self, sites: Any, labels: Any) -> tuple[str, ...]:
        strength = site_and_class(sites, labels)
        if strength < CONFOUNDED:
            return ()
        text = coded_warning(
            "site-confounded",
            f"Site and class go together (Cramér's V {strength:.2f}): removing the site removes part of the "
            "class, and a model may have learned the site.",
        )
        warnings.warn(text, SiteConfoundedWarning, stacklevel=3)
        return (text,)


def _shrunk(scaled: Any) -> tuple[Any, Any]:
    """Return a site's shift and variance of every feature, shrunk by empirical Bayes (equations 3.1 to 3.3 of [1])."""
    n = np.isfinite(scaled).sum(axis=0)
    mean, variance = np.nanmean(scaled, axis=0), np.nanvar(scaled, axis=0, ddof=1)
    variance = np.where(variance > 0, variance, 1.0)
    if mean.size < 3:  # too few features to learn what they share
        return mean, variance
    centre, tau2 = float(mean.mean()), float(mean.var(ddof=1))
    m, s2 = float(variance.mean()), float(variance.var(ddof=1))
    a, b = (2 * s2 + m**2) / max(s2, 1e-12), (m * s2 + m**3) / max(s2, 1e-12)
    shift, scale = mean.copy(), variance.copy()
    for _ in range(200):
        moved = (n * tau2 * mean + scale * centre) / (n * tau2 + scale)
        around = np.nansum((scaled - moved) ** 2, axis=0)
        spread = (b + 0.5 * around) / (n / 2 + a - 1)
        step = max(np.abs(moved - shift).max(), np.abs(spread - scale).max())
        shift, scale = moved, spread
        if step < TOLERANCE:
            break
    return shift, scale
