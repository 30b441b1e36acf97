"""The stages, whole: fit, export, bench, and what they refuse."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest

import tkit
from tkit.bench_config import Bench
from tkit.recipe_loading import load
from tkit.stages.evaluate import require
from tkit_edge.bundle import Bundle
from tkit_edge.errors import BoundError, InputError

QUICK = ("fit.epochs=3", "bench.seconds=0.05", "model.width=8")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tkit.run(load("digits_cnn", QUICK), runs_dir=tmp_path_factory.mktemp("runs"))


def test_a_run_has_every_stage_and_its_files(run):
    assert list(run.manifest["stages"]) == ["float/fit", "float/export", "float/bench"]
    for entry in run.manifest["stages"].values():
        for name in entry["outputs"]:
            assert (run.folder / name).is_file()
    rows = list(csv.DictReader((run.folder / "history.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"} <= set(rows[0])


def test_precision_is_recorded_with_its_reason(run):
    precision = run.entry("fit")["precision"]
    assert precision["policy"] in ("float32", "mixed_bfloat16", "mixed_float16")
    assert precision["reason"]


def test_the_start_is_taken_apart(run):
    start, whole = run.entry("fit")["start"], run.entry("fit")["seconds"]
    assert all(start[part] >= 0 for part in ("data", "model", "setup", "first_call", "second_call", "tracing"))
    assert 0 < sum(start[part] for part in ("data", "model", "setup", "first_call", "second_call")) < whole
    assert start["first_step_at"] > 1.6e9


def test_the_bundle_holds_labels_files_and_golden_samples(run):
    bundle = Bundle.read(run.folder / "float" / "export")
    assert bundle.labels == tuple("0123456789")
    assert set(bundle.models) == {"float32", "float16", "dynamic", "int8", "int16x8"}


def test_bench_measures_every_file_and_its_test_accuracy(run):
    results = run.entry("bench")["metrics"]["results"]
    assert {result["format"] for result in results} == {"float32", "float16", "dynamic", "int8", "int16x8"}
    for result in results:
        assert 0 < result["p50_ms"] <= result["p90_ms"] <= result["p99_ms"]
    accuracies = [result["score"] for result in results if result.get("score")]
    assert accuracies
    assert all(accuracy["samples"] == 359 for accuracy in accuracies)


def test_tensorboard_has_figures_images_and_graph(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train = EventAccumulator(str(run.folder / "logs" / "train"), size_guidance={"tensors": 0}).Reload()
    held_out = EventAccumulator(str(run.folder / "logs" / "validation")).Reload()
    tags = set(train.Tags()["tensors"])
    assert {"step/loss", "step/learning_rate", "epoch/accuracy", "batch as the model sees it"} <= tags
    assert any(tag.startswith("weights/") for tag in tags)
    assert train.Tags()["graph"]
    assert {"epoch/loss", "confusion matrix"} <= set(held_out.Tags()["tensors"])


def test_the_hparams_tab_compares_final_figures_by_settings_that_differ(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    log = EventAccumulator(str(run.folder / "logs" / "results" / "float")).Reload()
    entry = {stage: run.entry(stage)["metrics"] for stage in ("fit", "export", "bench")}
    int8 = next(row for row in entry["bench"]["results"] if row["format"] == "int8" and row["threads"] == 1)
    expected = {
        "validation_accuracy": entry["fit"]["val_accuracy"],
        "int8/validation_accuracy": entry["export"]["int8"]["accuracy"],
        "int8/test_accuracy": int8["score"]["value"],
        "int8/size_KB": int8["bytes"] / 1e3,
        "int8/p50_ms": int8["p50_ms"],
    }
    assert {tag: log.Scalars(tag)[0].value for tag in expected} == pytest.approx(expected)
    content = log.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    shown = set(HParamsPluginData.FromString(content).session_start_info.hparams)
    assert {"recipe", "variant", "seed", "fit.epochs", "fit.optimizer.learning_rate", "data.batch_size"} <= shown
    assert len(shown) < 20 and "fit.precision" not in shown


def test_test_images_are_no_part_of_training_or_calibration(run):
    splits = run.recipe.data.load(run.recipe.seed)
    parts = [{image.tobytes() for image in part.images} for part in (splits.train, splits.validation)]
    test = {image.tobytes() for image in splits.test.images}
    assert len(splits.train.labels) + len(splits.validation.labels) + len(splits.test.labels) == 1797
    assert not parts[0] & test
    assert not parts[1] & test


def test_the_same_recipe_gives_the_same_files(run, tmp_path):
    again = tkit.fit(load("digits_cnn", QUICK), runs_dir=tmp_path)
    one, other = (np.load(r.folder / "float" / "weights.npz") for r in (run, again))
    for name in one.files:
        np.testing.assert_array_equal(one[name], other[name])
    tkit.export(again, overrides=['export.formats=["int8"]'])
    name = "float/export/model-int8.tflite"
    assert (run.folder / name).read_bytes() == (again.folder / name).read_bytes()


def test_a_saved_recipe_runs_again(run):
    assert load(run.folder / "recipe.json").recipe == run.recipe


def test_an_unknown_run_and_variant_are_named(run):
    with pytest.raises(InputError, match="No run at"):
        tkit.export("nowhere")
    with pytest.raises(InputError, match="no variant 'pruned'"):
        tkit.export(run, variant="pruned")


def test_any_tflite_file_is_measured_and_a_damaged_one_refused(run, tmp_path):
    measured = tkit.bench_file(run.folder / "float" / "export" / "model-int8.tflite", Bench(seconds=0.02))
    assert {result["file"] for result in measured.metrics["results"]} == {"model-int8.tflite"}
    assert "model-int8.tflite" in measured.table
    for name, data in {"empty": b"", "text": b"not a model at all", "cut": b"\x1c\0\0\0TFL3" + bytes(40)}.items():
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(data)
        done = subprocess.run([sys.executable, "-m", "tkit", "bench", str(path)], capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr.startswith(f"Error: {path}")
        assert "Traceback" not in done.stderr


def test_options_of_a_run_are_refused_for_a_file(run, capsys):
    from tkit.cli import main

    file = str(run.folder / "float" / "export" / "model-int8.tflite")
    with pytest.raises(SystemExit) as stopped:
        main(["bench", file, "--skip-bad", "--variant", "float"])
    assert stopped.value.code == 2
    assert "--skip-bad, --variant: for a run or a .keras file only" in capsys.readouterr().err


def test_a_narrowed_bench_measures_what_was_asked_for_and_a_missed_budget_ends_with_3_and_figures(run):
    narrow = ["--formats", "int8,float32", "--threads", "1", "--kernels", "xnnpack", "--seconds", "0.05", "--json"]
    command = [sys.executable, "-m", "tkit", "bench"]
    bundle = str(run.folder / "float" / "export")
    done = subprocess.run([*command, bundle, *narrow], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["results"]
    assert [(row["format"], row["threads"], row["kernels"]) for row in rows] == [
        ("int8", 1, "xnnpack"),
        ("float32", 1, "xnnpack"),
    ]
    reference = f"{bundle}/model-int16x8.tflite"
    missed = [*narrow, "--max-bytes", "10", "--max-p50-ratio", "1e-6", "--reference", reference]
    done = subprocess.run([*command, bundle, *missed], capture_output=True, text=True)
    assert done.returncode == 3
    assert "bytes, at most 10" in done.stderr
    document = json.loads(done.stdout)
    assert (document["kind"], len(document["figures"]["past"])) == ("past-bound", 2)
    assert [row["file"] for row in document["figures"]["results"]][-1] == "model-int16x8.tflite"


def test_an_accuracy_that_is_too_low_ends_with_3(run, capsys):
    result = tkit.evaluate(run, format="int8")
    require(result, result["accuracy"])
    with pytest.raises(BoundError, match=r"on 359 test images: expected at least .* by the lower end"):
        require(result, result["accuracy"], by_interval=True)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["cifar10_cnn", "cifar10_resnet8", "cifar10_resnet20", "cifar10_mobilenet"])
def test_a_dry_run_takes_every_stage_on_the_true_shapes(recipe, tmp_path):
    command = [
        sys.executable,
        "-m",
        "tkit",
        "run",
        "--recipe",
        recipe,
        "--dry-run",
        "--runs-dir",
        str(tmp_path),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    json.loads(done.stdout)
    manifest = json.loads((tmp_path / f"dry-{recipe}-1" / "manifest.json").read_text())
    assert list(manifest["stages"]) == ["float/fit", "float/export", "float/bench"]
