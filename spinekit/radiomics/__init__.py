"""Radiomic features of a region: by pyradiomics' conventions or by IBSI's, with every choice stated."""

from spinekit.radiomics.discretisation import Discretisation, FixedBinCount, FixedBinWidth
from spinekit.radiomics.extract import extract_features

__all__ = ["Discretisation", "FixedBinCount", "FixedBinWidth", "extract_features"]
