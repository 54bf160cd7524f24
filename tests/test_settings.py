"""Settings: what nobody knows is refused, with the nearest name."""

from __future__ import annotations

import pytest

from spinekit.errors import InputRefusedError
from spinekit.settings import Study, read_settings, settings_from, with_baseline


def test_no_file_gives_the_defaults():
    assert read_settings(None) == Study()


def test_a_file_changes_only_what_it_names(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text('[kinetics]\nn_baseline = 2\n[growing]\ntolerance = 3\n[radiomics]\nimages = ["auc60"]\n')

    study = read_settings(file)

    assert study.kinetics.n_baseline == 2
    assert study.growing.tolerance == 3.0
    assert study.radiomics.images == ("auc60",)
    assert study.reading == Study().reading


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("[kinetics]\nn_basline = 2\n", "settings-unknown-key", "n_baseline"),
        ("[kinetic]\nn_baseline = 2\n", "settings-unknown-key", "kinetics"),
        ("[kinetics]\nn_baseline = '2'\n", "settings-invalid", "int"),
        ("[kinetics]\nn_baseline = true\n", "settings-invalid", "int"),
        ("[growing]\nfill_holes = 1\n", "settings-invalid", "bool"),
        ("kinetics = 3\n", "settings-invalid", "dict"),
        ("a: !!python/object:os.system\n", "settings-invalid", "TOML"),
    ],
)
def test_wrong_files_are_refused_with_the_cure(tmp_path, text, code, hint):
    file = tmp_path / "study.toml"
    file.write_text(text)

    with pytest.raises(InputRefusedError) as caught:
        read_settings(file)

    assert caught.value.code == code
    assert hint in caught.value.message


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputRefusedError) as caught:
        read_settings(tmp_path / "absent.toml")

    assert caught.value.code == "path-missing"


def test_settings_survive_the_way_through_json():
    study = with_baseline(Study(), 3)

    assert settings_from(study.as_dict()) == study
    assert study.kinetics.n_baseline == 3


def test_zero_baseline_phases_mean_what_the_settings_say():
    assert with_baseline(Study(), 0) == Study()


def test_paths_in_the_file_are_relative_to_the_file_and_not_to_where_the_command_is_given(tmp_path, monkeypatch):
    (tmp_path / "study").mkdir()
    (tmp_path / "elsewhere").mkdir()
    file = tmp_path / "study" / "study.toml"
    file.write_text('[segmentation]\nmodel = "weights/unet.safetensors"\n[diagnosis]\nmodel = "../net.safetensors"\n')
    monkeypatch.chdir(tmp_path / "elsewhere")

    study = read_settings("../study/study.toml")

    assert study.segmentation.model == str(tmp_path / "study" / "weights" / "unet.safetensors")
    assert study.diagnosis.model == str(tmp_path / "net.safetensors")
    assert study.radiomics.reference_file == ""  # what is not given stays empty


def test_an_absolute_path_in_the_file_stays(tmp_path):
    file = tmp_path / "study.toml"
    file.write_text(f"[diagnosis]\nmodel = '{tmp_path / 'net.safetensors'}'\n")

    assert read_settings(file).diagnosis.model == str(tmp_path / "net.safetensors")
