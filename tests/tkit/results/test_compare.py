"""`tkit.compare` and `tkit compare`: runs and variants side by side, from what has been recorded."""

import json
import shutil

import pytest
from click.testing import CliRunner

import tkit
from tkit.cli._group import Group
from tkit.recipe_loading import load
from tkit_edge.anatomy import dissect
from tkit_edge.errors import InputError

QUICK = ["fit.epochs=1", "model.width=8", "export.formats=float32,int8"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with an exported run, `digits_cnn-1`, and a copy of it whose export is of another model."""
    top = tmp_path_factory.mktemp("runs")
    run = tkit.fit(load("digits_cnn", QUICK), runs_dir=top)
    tkit.export(run)
    shutil.copytree(run.folder, top / "digits_cnn-2")
    (top / "digits_cnn-2" / "float" / "weights.npz").write_bytes(b"others")
    return top


def test_each_file_has_its_size_zip_and_validation_score(runs):
    rows = tkit.compare(runs / "digits_cnn-1")["rows"]
    exported = tkit.Run.open(runs / "digits_cnn-1").entry("export")["metrics"]
    assert [row["format"] for row in rows] == ["float32", "int8"]
    for row in rows:
        data = (runs / "digits_cnn-1" / "float" / "export" / f"model-{row['format']}.tflite").read_bytes()
        assert (row["bytes"], row["zip_bytes"]) == (len(data), dissect(data).zip_bytes)
        assert row["score"]["value"] == exported[row["format"]]["accuracy"]
        assert (row["score"]["split"], row["score"]["samples"], row["p50_ms"]) == ("validation", 143, None)


def test_a_variant_is_given_by_its_folder_or_below_a_runs_name(runs):
    whole = tkit.compare("digits_cnn-1", runs_dir=runs)
    assert tkit.compare(runs / "digits_cnn-1" / "float") == whole
    assert tkit.compare("digits_cnn-1/float", runs_dir=runs) == whole
    with pytest.raises(InputError, match=r"no variant 'flaot'.*float"):
        tkit.compare("digits_cnn-1/flaot", runs_dir=runs)


def test_figures_of_files_that_are_of_another_model_now_dont_count(runs):
    rows = tkit.compare("digits_cnn-2", "digits_cnn-1", format="int8", runs_dir=runs)["rows"]
    assert [row["run"] for row in rows] == [str(runs / "digits_cnn-1")]
    (row,) = tkit.compare("digits_cnn-2", runs_dir=runs)["rows"]
    assert (row["format"], row["bytes"]) == (None, None) and row["score"]["value"] > 0


def test_nothing_to_compare_is_an_error(runs):
    with pytest.raises(InputError, match="Nothing to compare"):
        tkit.compare()
    with pytest.raises(InputError, match="No int4 file: exported are float32, int8"):
        tkit.compare("digits_cnn-1", format="int4", runs_dir=runs)


def test_the_command_prints_all_rows_and_the_same_as_json(runs):
    words = ["compare", *[str(runs / "digits_cnn-1")] * 5]
    done = CliRunner().invoke(Group(), words)
    assert done.exit_code == 0, done.output
    assert done.output.count("int8") == 5
    document = json.loads(CliRunner().invoke(Group(), [*words, "--json"]).stdout)
    assert document == tkit.compare(*words[1:]) and document["kind"] == "comparison"
