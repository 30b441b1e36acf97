"""Figures against hand-made answers, and the stage on a run, its files, and strangers' files."""

import hashlib
import io
import json
import os

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

import tkit
from tkit.cli import main
from tkit.evaluation import metrics, plots
from tkit.recipe_loading import load
from tkit_edge.errors import InputError

NAMES = ("ant", "bee", "cat")


def test_figures_by_hand():
    labels = np.array([0, 0, 0, 1, 1, 2])
    answers = np.array([0, 0, 1, 1, 1, 0])
    shares = np.float32(np.eye(3)[answers] * 0.7 + 0.1)
    found = metrics.figures(labels, shares, NAMES)
    assert found["confusion"] == [[2, 1, 0], [0, 2, 0], [1, 0, 0]]
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["interval"] == pytest.approx([0.2999, 0.9032], abs=1e-4)  # Wilson, 4 of 6
    ant, bee, cat = found["per_class"]
    assert (ant["precision"], ant["recall"], ant["support"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3), 3)
    assert (bee["precision"], bee["recall"], bee["f1"]) == (pytest.approx(2 / 3), 1, pytest.approx(0.8))
    assert (cat["precision"], cat["recall"], cat["f1"], cat["support"]) == (0, 0, 0, 1)
    assert found["top5"] is None
    assert found["calibration"]["error"] == pytest.approx(0.8 - 4 / 6, abs=1e-6)


def test_top5_counts_answers_among_the_five_likeliest():
    shares = np.tile(np.float32([0.3, 0.2, 0.15, 0.12, 0.1, 0.08, 0.05]), (4, 1))
    found = metrics.figures(np.array([0, 4, 5, 6]), shares, tuple("abcdefg"))
    assert found["top5"] == 0.5


def test_calibration_by_hand_and_of_a_calibrated_model():
    shares = np.float32([[0.95, 0.05]] * 10 + [[0.55, 0.45]] * 10)
    labels = np.array([0] * 9 + [1] + [0] * 5 + [1] * 5)
    found = metrics.calibration(labels, shares)
    assert found["error"] == pytest.approx(0.5 * abs(0.9 - 0.95) + 0.5 * abs(0.5 - 0.55), abs=1e-6)
    assert [item["samples"] for item in found["bins"] if item["samples"]] == [10, 10]
    random = np.random.default_rng(0)
    confidence = random.uniform(0.5, 1, 20_000)
    right = random.uniform(size=20_000) < confidence
    calibrated = metrics.calibration(1 - right.astype(int), np.stack([confidence, 1 - confidence], 1))
    assert calibrated["error"] < 0.02


def test_mistakes_are_the_most_confident_wrong_answers():
    shares = np.float32([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    found = metrics.mistakes(np.array([0, 0, 1, 0]), shares, 2)
    assert [(item["index"], item["true"], item["predicted"]) for item in found] == [(1, 0, 1), (3, 0, 1)]


def size(png):
    return Image.open(io.BytesIO(png)).size


def test_images_are_pngs_for_any_number_of_classes_and_mistakes():
    names = ["a $dollar$ class", *(f"class {number}" for number in range(29))]
    images = np.zeros((7, 8, 8, 1), np.uint8)
    wrong = [{"true": 0, "predicted": 1, "confidence": 0.9, "index": 0, "file": None}] * 7
    assert size(plots.confusion_png(np.eye(30, dtype=int), names, "test")) > (400, 400)
    one, many = (size(plots.mistakes_png(images[:n], wrong[:n], names, "test")) for n in (1, 7))
    assert many[1] > one[1]
    assert size(plots.mistakes_png(images[:0], [], names, "test"))[1] > 10
    calibration = metrics.calibration(np.array([0]), np.float32([[0.9, 0.1]]))
    assert size(plots.reliability_png(calibration, "test"))[0] > 100


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = tkit.fit(load("digits_cnn", ("fit.epochs=3", "model.width=8")), runs_dir=tmp_path_factory.mktemp("runs"))
    tkit.export(made, overrides=["export.formats=float32,int8"])
    return made


def test_a_run_is_evaluated_and_its_results_recorded(run):
    result = tkit.evaluate(run)
    splits = run.recipe.data.load(run.recipe.seed)
    from tkit import model_files

    logits = model_files.load(run.folder / "float").predict(splits.test.images.astype("float32"), verbose=0)
    assert result["accuracy"] == pytest.approx(np.mean(logits.argmax(1) == splits.test.labels))
    assert (result["samples"], result["top5"] >= result["accuracy"]) == (359, True)
    folder = run.folder / "float" / "evaluate" / "keras-test"
    assert json.loads((folder / "evaluate.json").read_text()) == result
    for name in ("confusion.png", "reliability.png", "mistakes.png"):
        assert size((folder / name).read_bytes())[0] > 100
    assert "float/evaluate/keras-test/evaluate.json" in run.entry("evaluate")["outputs"]


def test_an_earlier_result_that_names_a_file_outside_of_the_run_is_dropped_unread(run, tmp_path):
    tkit.evaluate(run)
    path, outside = run.folder / "manifest.json", tmp_path / "outside"
    outside.write_bytes(b"somebody's")
    content = json.loads(path.read_text())
    digest = hashlib.sha256(b"somebody's").hexdigest()
    model = {"file": f"{run.folder}/../{os.path.relpath(outside, run.folder.parent)}", "sha256": digest}
    content["stages"]["float/evaluate"]["metrics"]["planted"] = {"model": model}
    path.write_text(json.dumps(content))
    (run.folder / "float" / "evaluate" / "planted").mkdir()
    opened = tkit.Run.open(run.folder)
    tkit.evaluate(opened)
    assert set(opened.entry("evaluate")["metrics"]) == {"keras-test"}


def test_mirror_averages_each_image_and_its_mirror_image(run):
    from tkit import model_files

    result = tkit.evaluate(run, mirror=True)
    images = run.recipe.data.load(run.recipe.seed).test.images.astype("float32")
    model = model_files.load(run.folder / "float")
    logits = model.predict(images, verbose=0) + model.predict(images[:, :, ::-1], verbose=0)
    truth = run.recipe.data.load(run.recipe.seed).test.labels
    assert result["accuracy"] == pytest.approx(np.mean(logits.argmax(1) == truth))
    assert result["accuracy"] != tkit.evaluate(run)["accuracy"]  # a digit is not its mirror image
    assert {"keras-test", "keras-test-mirror"} <= set(run.entry("evaluate")["metrics"])


def test_files_and_splits_stand_side_by_side_until_their_model_changes(run):
    keras_test = tkit.evaluate(run)
    int8 = tkit.evaluate(run, format="int8", split="validation")
    assert set(run.entry("evaluate")["metrics"]) >= {"keras-test", "int8-validation"}
    assert abs(tkit.evaluate(run, format="float32")["accuracy"] - keras_test["accuracy"]) < 0.01
    assert int8["model"]["file"].endswith("model-int8.tflite")
    tkit.export(run, overrides=["export.formats=int8,float32", "export.io=uint8"])
    tkit.evaluate(run, split="train")
    assert "int8-validation" not in run.entry("evaluate")["metrics"]
    assert not (run.folder / "float" / "evaluate" / "int8-validation").exists()
    assert {"keras-test", "keras-train", "float32-test"} <= set(run.entry("evaluate")["metrics"])


def test_a_bundle_and_a_bare_file_give_the_same_figures(run, tmp_path):
    export = run.folder / "float" / "export"
    of_run = tkit.evaluate(run, format="int8")
    of_bundle = tkit.evaluate(export, data="digits", format="int8")
    of_file = tkit.evaluate(export / "model-int8.tflite", data="digits", pixels="0-255", output=tmp_path / "out")
    for result in (of_bundle, of_file):
        assert (result["accuracy"], result["confusion"]) == (of_run["accuracy"], of_run["confusion"])
    assert of_bundle["folder"] is None
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("confusion.png", "evaluate.json", "mistakes.png", "reliability.png")
    ]


def test_mistakes_name_the_file_and_both_classes(tmp_path):
    noise = np.random.default_rng(0)
    for name in ("猫", "dog"):
        for number in range(10):
            path = tmp_path / "pets" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(noise.integers(0, 256, (8, 8), np.uint8)).save(path)
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2)])
    model.layers[-1].bias.assign([100.0, 0.0])  # whatever is shown: a dog
    model.save(tmp_path / "dogs.keras")
    folder = tmp_path / "results"
    tkit.evaluate(
        tmp_path / "dogs.keras", data=str(tmp_path / "pets"), runs_dir=tmp_path / "runs", output=folder, split="train"
    )
    found = json.loads((folder / "evaluate.json").read_text())["mistakes"]
    assert found
    for item in found:
        assert (item["true_class"], item["predicted_class"]) == ("猫", "dog")
        assert Image.open(item["file"]).size == (8, 8) and "/pets/猫/" in item["file"]


def test_a_keras_file_is_adopted_and_its_probabilities_taken_as_they_are(tmp_path):
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(10, activation="softmax")]
    )
    model.save(tmp_path / "mine.keras")
    result = tkit.evaluate(tmp_path / "mine.keras", data="digits", runs_dir=tmp_path / "runs")
    splits = load("digits_cnn").recipe.data.load(0)
    shares = model.predict(splits.test.images.astype("float32"), verbose=0)
    assert result["accuracy"] == pytest.approx(np.mean(shares.argmax(1) == splits.test.labels))
    expected = metrics.calibration(splits.test.labels, shares)["error"]
    assert result["calibration"]["error"] == pytest.approx(expected, abs=1e-4)
    assert (tmp_path / "runs" / "mine-1" / "float" / "evaluate" / "keras-test" / "evaluate.json").is_file()


def test_other_classes_missing_data_and_formats_are_refused(run, tmp_path):
    export = run.folder / "float" / "export"
    with pytest.raises(InputError, match=r"expected 10 \(0, 1, .*received 5"):
        tkit.evaluate(run, data="synthetic:5")
    with pytest.raises(InputError, match="expected 10"):
        tkit.evaluate(export, data="synthetic:10")
    for subject in (export, export / "model-int8.tflite", tmp_path / "m.keras"):
        with pytest.raises(InputError, match="--data DATA"):
            tkit.evaluate(subject, pixels="0-255")
    with pytest.raises(InputError, match="--pixels 0-255"):
        tkit.evaluate(export / "model-float32.tflite", data="digits")
    with pytest.raises(InputError, match=r"makes no images, has no use for inception"):
        tkit.evaluate(run, inception="classify_image_graph_def.pb")
    with pytest.raises(InputError, match="an exported file, has no use for inception"):
        tkit.evaluate(export, data="digits", inception="classify_image_graph_def.pb")
    with pytest.raises(InputError, match="has no int16x8 model"):
        tkit.evaluate(run, format="int16x8")
    (tmp_path / "broken.tflite").write_bytes(b"")
    with pytest.raises(InputError, match="broken.tflite is not a .tflite"):
        tkit.evaluate(tmp_path / "broken.tflite", data="digits")


def test_the_command_prints_figures_or_one_document(run, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", str(run.folder)])
    text = capsys.readouterr().out
    assert stopped.value.code == 0
    assert "359 test images of digits" in text
    assert "95 %" in text
    assert "top-5" in text
    with pytest.raises(SystemExit):
        main(["evaluate", str(run.folder), "--json"])
    assert json.loads(capsys.readouterr().out)["samples"] == 359
