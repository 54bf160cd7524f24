"""Radiomic features of a region: by pyradiomics' conventions or by IBSI's, with every choice stated."""

from spinekit.radiomics.cases import extract_cases
from spinekit.radiomics.catalogue import describe_features, feature_columns, parts_of, wide_row
from spinekit.radiomics.discretisation import Discretisation, FixedBinCount, FixedBinWidth
from spinekit.radiomics.extract import extract_features
from spinekit.radiomics.ibsi_conformity import IBSI_CONFIGURATIONS, compare_with_reference, ibsi_conformity
from spinekit.radiomics.ibsi_tags import values_by_tag
from spinekit.radiomics.normalisation import NORMALISATIONS, normalised
from spinekit.radiomics.over_time import delta_row, feature_curves, features_over_time
from spinekit.radiomics.perturbations import dilated, eroded, moved, noisy, region_perturbations
from spinekit.radiomics.preflight import doubtful_features, preflight, suggest_bin_width
from spinekit.radiomics.reliability import reliability
from spinekit.radiomics.stability import (
    PUBLISHED_SHARE,
    spread_of_one_case,
    stability_by_kind,
    stability_table,
    stable_features,
    survival,
)

__all__ = [
    "IBSI_CONFIGURATIONS",
    "NORMALISATIONS",
    "PUBLISHED_SHARE",
    "Discretisation",
    "FixedBinCount",
    "FixedBinWidth",
    "compare_with_reference",
    "delta_row",
    "describe_features",
    "dilated",
    "doubtful_features",
    "eroded",
    "extract_cases",
    "extract_features",
    "feature_columns",
    "feature_curves",
    "features_over_time",
    "ibsi_conformity",
    "moved",
    "noisy",
    "normalised",
    "parts_of",
    "preflight",
    "region_perturbations",
    "reliability",
    "spread_of_one_case",
    "stability_by_kind",
    "stability_table",
    "stable_features",
    "suggest_bin_width",
    "survival",
    "values_by_tag",
    "wide_row",
]
