"""Radiomic features of a region: by pyradiomics' conventions or by IBSI's, with every choice stated."""

from spinekit.radiomics.cases import extract_cases
from spinekit.radiomics.catalogue import describe_features, feature_columns, parts_of, wide_row
from spinekit.radiomics.discretisation import Discretisation, FixedBinCount, FixedBinWidth
from spinekit.radiomics.extract import extract_features
from spinekit.radiomics.ibsi_conformity import IBSI_CONFIGURATIONS, compare_with_reference, ibsi_conformity
from spinekit.radiomics.ibsi_tags import values_by_tag

__all__ = [
    "IBSI_CONFIGURATIONS",
    "Discretisation",
    "FixedBinCount",
    "FixedBinWidth",
    "compare_with_reference",
    "describe_features",
    "extract_cases",
    "extract_features",
    "feature_columns",
    "ibsi_conformity",
    "parts_of",
    "values_by_tag",
    "wide_row",
]
