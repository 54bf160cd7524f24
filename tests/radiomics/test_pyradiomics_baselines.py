"""The pyradiomics path against the project's own baselines, each with the settings it carries."""

from __future__ import annotations

import pytest

from spinekit.errors import InputRefusedError
from spinekit.radiomics.baseline_conformity import BASELINE_FAMILIES, baseline_conformity

NUMBER_OF_FEATURES = {
    "firstorder": 19, "glcm": 24, "glrlm": 16, "glszm": 16, "gldm": 14, "ngtdm": 5, "shape": 17, "shape2D": 10,
}  # fmt: skip


@pytest.mark.parametrize("family", BASELINE_FAMILIES)
def test_features_equal_the_published_baselines(shared_data, family):
    table = baseline_conformity(shared_data / "pyradiomics_cases", family)
    assert table.index[~table["agrees"]].tolist() == []
    baselines = table.index.get_level_values("baseline")
    assert set(table.loc[baselines != "brain1", "limit"]) == {1e-9}
    assert {name.split("_")[0] for name in baselines} == {"brain1", "brain2", "breast1"}
    # two baselines of shape in a slice hold nine features, those of 3-D shape three deprecated ones more
    assert table.groupby("baseline").size().min() >= NUMBER_OF_FEATURES[family] - 5


def test_a_folder_without_baselines_is_refused(tmp_path):
    with pytest.raises(InputRefusedError, match=r"baseline_glcm\.csv"):
        baseline_conformity(tmp_path, "glcm")
