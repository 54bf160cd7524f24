"""Which feature of pyradiomics answers to which tag of IBSI.

A tag such as ``cm_contrast_3D_avg`` is a stem and the aggregation it is taken with. Tags of features that
pyradiomics does not have (local intensity, intensity-volume histogram, distance zones, bounding
boxes and hulls, autocorrelation in space) have no counterpart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ALL_FEATURES", "tags_of", "values_by_tag"]

SHAPE = {
    "morph_volume": "MeshVolume",
    "morph_vol_approx": "VoxelVolume",
    "morph_area_mesh": "SurfaceArea",
    "morph_av": "SurfaceVolumeRatio",
    "morph_comp_1": "Compactness1",
    "morph_comp_2": "Compactness2",
    "morph_sph_dispr": "SphericalDisproportion",
    "morph_sphericity": "Sphericity",
    "morph_diam": "Maximum3DDiameter",
    "morph_pca_maj_axis": "MajorAxisLength",
    "morph_pca_min_axis": "MinorAxisLength",
    "morph_pca_least_axis": "LeastAxisLength",
    "morph_pca_elongation": "Elongation",
    "morph_pca_flatness": "Flatness",
}
FIRST_ORDER = {
    "stat_mean": "Mean",
    "stat_var": "Variance",
    "stat_skew": "Skewness",
    "stat_kurt": "Kurtosis",
    "stat_median": "Median",
    "stat_min": "Minimum",
    "stat_p10": "10Percentile",
    "stat_p90": "90Percentile",
    "stat_max": "Maximum",
    "stat_iqr": "InterquartileRange",
    "stat_range": "Range",
    "stat_mad": "MeanAbsoluteDeviation",
    "stat_rmad": "RobustMeanAbsoluteDeviation",
    "stat_energy": "Energy",
    "stat_rms": "RootMeanSquared",
    "ih_entropy": "Entropy",
    "ih_uniformity": "Uniformity",
}
CO_OCCURRENCE = {
    "cm_joint_max": "MaximumProbability",
    "cm_joint_avg": "JointAverage",
    "cm_joint_var": "SumSquares",
    "cm_joint_entr": "JointEntropy",
    "cm_diff_avg": "DifferenceAverage",
    "cm_diff_var": "DifferenceVariance",
    "cm_diff_entr": "DifferenceEntropy",
    "cm_sum_avg": "SumAverage",
    "cm_sum_var": "ClusterTendency",  # equal by definition; pyradiomics keeps one of the two
    "cm_sum_entr": "SumEntropy",
    "cm_energy": "JointEnergy",
    "cm_contrast": "Contrast",
    "cm_dissimilarity": "DifferenceAverage",  # equal by definition
    "cm_inv_diff": "Id",
    "cm_inv_diff_norm": "Idn",
    "cm_inv_diff_mom": "Idm",
    "cm_inv_diff_mom_norm": "Idmn",
    "cm_inv_var": "InverseVariance",
    "cm_corr": "Correlation",
    "cm_auto_corr": "Autocorrelation",
    "cm_clust_tend": "ClusterTendency",
    "cm_clust_shade": "ClusterShade",
    "cm_clust_prom": "ClusterProminence",
    "cm_info_corr1": "Imc1",
    "cm_info_corr2": "Imc2",
}
RUN_LENGTH = {
    "rlm_sre": "ShortRunEmphasis",
    "rlm_lre": "LongRunEmphasis",
    "rlm_lgre": "LowGrayLevelRunEmphasis",
    "rlm_hgre": "HighGrayLevelRunEmphasis",
    "rlm_srlge": "ShortRunLowGrayLevelEmphasis",
    "rlm_srhge": "ShortRunHighGrayLevelEmphasis",
    "rlm_lrlge": "LongRunLowGrayLevelEmphasis",
    "rlm_lrhge": "LongRunHighGrayLevelEmphasis",
    "rlm_glnu": "GrayLevelNonUniformity",
    "rlm_glnu_norm": "GrayLevelNonUniformityNormalized",
    "rlm_rlnu": "RunLengthNonUniformity",
    "rlm_rlnu_norm": "RunLengthNonUniformityNormalized",
    "rlm_r_perc": "RunPercentage",
    "rlm_gl_var": "GrayLevelVariance",
    "rlm_rl_var": "RunVariance",
    "rlm_rl_entr": "RunEntropy",
}
SIZE_ZONE = {
    "szm_sze": "SmallAreaEmphasis",
    "szm_lze": "LargeAreaEmphasis",
    "szm_lgze": "LowGrayLevelZoneEmphasis",
    "szm_hgze": "HighGrayLevelZoneEmphasis",
    "szm_szlge": "SmallAreaLowGrayLevelEmphasis",
    "szm_szhge": "SmallAreaHighGrayLevelEmphasis",
    "szm_lzlge": "LargeAreaLowGrayLevelEmphasis",
    "szm_lzhge": "LargeAreaHighGrayLevelEmphasis",
    "szm_glnu": "GrayLevelNonUniformity",
    "szm_glnu_norm": "GrayLevelNonUniformityNormalized",
    "szm_zsnu": "SizeZoneNonUniformity",
    "szm_zsnu_norm": "SizeZoneNonUniformityNormalized",
    "szm_z_perc": "ZonePercentage",
    "szm_gl_var": "GrayLevelVariance",
    "szm_zs_var": "ZoneVariance",
    "szm_zs_entr": "ZoneEntropy",
}
TONE_DIFFERENCE = {
    "ngt_coarseness": "Coarseness",
    "ngt_contrast": "Contrast",
    "ngt_busyness": "Busyness",
    "ngt_complexity": "Complexity",
    "ngt_strength": "Strength",
}
DEPENDENCE = {
    "ngl_lde": "SmallDependenceEmphasis",
    "ngl_hde": "LargeDependenceEmphasis",
    "ngl_lgce": "LowGrayLevelEmphasis",
    "ngl_hgce": "HighGrayLevelEmphasis",
    "ngl_ldlge": "SmallDependenceLowGrayLevelEmphasis",
    "ngl_ldhge": "SmallDependenceHighGrayLevelEmphasis",
    "ngl_hdlge": "LargeDependenceLowGrayLevelEmphasis",
    "ngl_hdhge": "LargeDependenceHighGrayLevelEmphasis",
    "ngl_glnu": "GrayLevelNonUniformity",
    "ngl_dcnu": "DependenceNonUniformity",
    "ngl_dcnu_norm": "DependenceNonUniformityNormalized",
    "ngl_gl_var": "GrayLevelVariance",
    "ngl_dc_var": "DependenceVariance",
    "ngl_dc_entr": "DependenceEntropy",
}
TEXTURE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"glcm": CO_OCCURRENCE, "glrlm": RUN_LENGTH, "glszm": SIZE_ZONE, "ngtdm": TONE_DIFFERENCE, "gldm": DEPENDENCE}
)
ALL_FEATURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"shape": tuple(SHAPE.values()), "firstorder": (), **dict.fromkeys(TEXTURE, ())}
)
MERGES_DIRECTIONS = ("glcm", "glrlm")


def tags_of(aggregation: str) -> Iterator[tuple[str, str]]:
    """Yield (tag, column) of every feature with a counterpart, for one aggregation.

    Zone, tone difference and dependence matrices have no directions; their tags end in the
    dimension alone and are yielded with the averaged aggregation.

    Examples
    --------
    >>> dict(tags_of("3D_avg"))["cm_contrast_3D_avg"]
    'original_glcm_Contrast'
    >>> "szm_sze_3D" in dict(tags_of("3D_comb"))
    False
    """
    for family, tags in (("shape", SHAPE), ("firstorder", FIRST_ORDER)):
        yield from ((tag, f"original_{family}_{name}") for tag, name in tags.items())
    for family, texture_tags in TEXTURE.items():
        if family in MERGES_DIRECTIONS:
            yield from ((f"{tag}_{aggregation}", f"original_{family}_{name}") for tag, name in texture_tags.items())
        elif aggregation.endswith("_avg"):
            dimension = aggregation.removesuffix("_avg")
            yield from ((f"{tag}_{dimension}", f"original_{family}_{name}") for tag, name in texture_tags.items())
    if aggregation.endswith("_avg") and not aggregation.startswith("2D"):
        # every voxel has one dependence, so that this is the uniformity of the histogram
        yield f"ngl_glnu_norm_{aggregation.removesuffix('_avg')}", "original_firstorder_Uniformity"


def values_by_tag(table: pd.DataFrame) -> pd.Series:
    """Return the features of one image by IBSI's tags.

    Parameters
    ----------
    table : DataFrame
        From `spinekit.radiomics.extract_features` with ``path="ibsi"``: one row for each aggregation
        of one and the same image.

    Returns
    -------
    Series of float
        Index ``tag``; only tags whose feature stands in the table.
    """
    import pandas as pd

    found: dict[str, float] = {}
    for aggregation, row in zip(table["aggregation"], table.to_dict("records"), strict=True):
        found |= {tag: float(row[column]) for tag, column in tags_of(str(aggregation)) if column in row}
    return pd.Series(found, name="value").rename_axis("tag")
