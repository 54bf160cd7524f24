"""Radiomic features of a region: by pyradiomics' conventions or by IBSI's, with every choice stated."""

from spinekit.radiomics.cases import extract_cases
from spinekit.radiomics.catalogue import describe_features, feature_columns, parts_of, wide_row
from spinekit.radiomics.discretisation import Discretisation, FixedBinCount, FixedBinWidth
from spinekit.radiomics.extract import extract_features
from spinekit.radiomics.ibsi_conformity import IBSI_CONFIGURATIONS, compare_with_reference, ibsi_conformity
from spinekit.radiomics.ibsi_tags import values_by_tag
from spinekit.radiomics.normalisation import NORMALISATIONS, normalised
from spinekit.radiomics.over_time import delta_row, feature_curves, features_over_time
from spinekit.radiomics.preflight import doubtful_features, preflight, suggest_bin_width

__all__ = [
    "IBSI_CONFIGURATIONS",
    "NORMALISATIONS",
    "Discretisation",
    "FixedBinCount",
    "FixedBinWidth",
    "compare_with_reference",
    "delta_row",
    "describe_features",
    "doubtful_features",
    "extract_cases",
    "extract_features",
    "feature_columns",
    "feature_curves",
    "features_over_time",
    "ibsi_conformity",
    "normalised",
    "parts_of",
    "preflight",
    "suggest_bin_width",
    "values_by_tag",
    "wide_row",
]
