"""A stranger's table of features, from the file to the page: what is a feature, what is refused, what is written."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from spinekit.cli import app
from spinekit.errors import InputRefusedError
from spinekit.study.plain_table import read_plain_table, read_repeats

N = 48


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    who = np.repeat(np.arange(N // 2), 2)
    y = (np.arange(N // 2) % 2)[who]
    values = rng.normal(size=(N, 6)) + 50
    values[:, 0] += 1.5 * y
    table = pd.DataFrame(values, columns=[f"map_original_glcm_F{k}" for k in range(6)])
    table["age_years"] = rng.normal(60, 9, N // 2)[who].round()
    table["sex"] = rng.choice(["F", "M"], N // 2)[who]
    table["entity"] = np.where(y, "lung", "myeloma")
    table["group"] = np.where(y, "metastasis", "primary")
    table["subject"], table["hospital"] = who, np.where(who % 3 == 0, "B", "A")
    table.insert(0, "case", [f"lesion-{k}" for k in range(N)])
    return table


@pytest.fixture(scope="module")
def file(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "table.csv"
    rows.to_csv(path, sep=";", index=False)
    return path


OPTIONS = ("--label", "group", "--patient", "subject", "--centre", "hospital", "--leave-out", "entity",
           "--outer", "2", "--inner", "2", "--draws", "50")  # fmt: skip
NAMED = {"label": "group", "patient": "subject", "centre": "hospital", "leave_out": ("entity",)}


def test_features_are_what_is_not_named_otherwise(file, rows):
    table = read_plain_table(file, **NAMED)

    assert list(table.features.columns) == [f"map_original_glcm_F{k}" for k in range(6)] + ["age_years", "sex"]
    assert table.features.index[0] == "lesion-0"
    assert table.features["sex"].isin([0.0, 1.0]).all()
    assert table.classes == ("metastasis", "primary")
    assert (table.labels == (rows["group"] == "primary")).all()
    assert read_plain_table(file, positive="metastasis", **NAMED).classes == ("primary", "metastasis")
    assert not table.simulated


@pytest.mark.parametrize(
    ("change", "named", "words"),
    [
        ({}, {"leave_out": ()}, "The column 'entity' holds words, such as 'myeloma'"),
        ({}, {"label": "diagnosis"}, "no column 'diagnosis'"),
        ({}, {"label": "entity", "positive": "breast", "leave_out": ()}, "one of them 'breast'"),
        ({"group": ["a", "b", "c"] * 16}, {}, "values a, b, c"),
        ({"case": "same"}, {}, "'same' stands in several rows"),
    ],
)
def test_a_table_that_cannot_be_used_says_what_is_wrong(rows, tmp_path, change, named, words):
    rows.assign(**change).to_csv(tmp_path / "table.csv", index=False)

    with pytest.raises(InputRefusedError, match=words):
        read_plain_table(tmp_path / "table.csv", **(NAMED | named))


def test_one_command_writes_numbers_figures_audit_and_a_page(file, tmp_path):
    options = [*OPTIONS, "--positive", "metastasis", "--classifiers", "logistic_regression,naive_bayes"]
    options += ["--external", "B"]

    result = CliRunner().invoke(app, ["model", str(file), "--out", str(tmp_path), *options])

    assert result.exit_code == 0, result.output
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    for words in ("metastasis or primary", "grouped by patient", "naive bayes over logistic regression", "found none"):
        assert words in page
    for where in ("internal", "external"):
        numbers = pd.read_csv(tmp_path / f"{where}_numbers.csv", index_col="model")
        assert list(numbers.index) == ["logistic regression", "naive bayes"]
        assert numbers["n"].tolist() == [32 if where == "internal" else 16] * 2
        assert (tmp_path / f"{where}_roc.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "internal_nomogram.png").is_file()
    assert json.loads((tmp_path / "model.json").read_text())["classes"] == ["primary", "metastasis"]


def test_centres_are_harmonised_in_the_folds_and_an_external_one_is_refused_then(file, tmp_path):
    options = [*OPTIONS, "--classifiers", "logistic_regression", "--harmonise", "--keep", "age_years,sex"]

    done = CliRunner().invoke(app, ["model", str(file), "--out", str(tmp_path / "a"), *options])
    refused = CliRunner().invoke(app, ["model", str(file), "--out", str(tmp_path / "b"), *options, "--external", "B"])

    assert done.exit_code == 0, done.output
    assert not (tmp_path / "a" / "model.json").exists()  # no formula holds for another centre
    assert refused.exit_code == 2
    assert "not trained on" in refused.stderr


def test_repeats_are_read_by_perturbation_and_feature(file, rows, tmp_path):
    table = read_plain_table(file, **NAMED)
    features = rows.set_index("case").filter(like="map_")
    long = pd.concat({"reference": features, "reader: 1": features + 1.0}, names=["perturbation", "case"])
    long.to_csv(tmp_path / "measurements.csv")

    repeats = read_repeats(tmp_path / "measurements.csv", table)

    assert list(repeats) == ["reader: 1"]
    np.testing.assert_allclose(repeats["reader: 1"].loc["lesion-3"], features.loc["lesion-3"] + 1.0)
    with pytest.raises(InputRefusedError, match="lack the columns"):
        read_repeats(file, table)
