"""Tasks beside classification, through every stage: a number, and models of one's own with any inputs and outputs."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import tkit
from tkit.cli import main
from tkit.recipe_loading import load
from tkit_edge.__main__ import main as edge
from tkit_edge.bundle import Bundle
from tkit_edge.check import check, check_inputs
from tkit_edge.errors import InputError
from tkit_edge.outputs.number import Number
from tkit_edge.tensors import TensorSpec


def command(*arguments):
    """The exit code of a command line."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code


@pytest.fixture(scope="module")
def number(tmp_path_factory):
    """The regression recipe, a little trained, with files."""
    run = tkit.fit("digits_regression", overrides=["fit.epochs=6"], runs_dir=tmp_path_factory.mktemp("number"))
    tkit.export(run, overrides=["export.parity.drop=1"])
    return run


@pytest.mark.slow
def test_a_number_is_learned_better_than_guessed(number):
    found = tkit.evaluate(number)
    assert found["mean_absolute_error"] < 1.0  # always guessing the mean costs 2.5
    low, high = found["interval"]
    assert low < found["mean_absolute_error"] < high
    assert (found["samples"], found["r2"] > 0.7) == (359, True)
    folder = Path(found["folder"])
    assert (folder / "predictions.png").read_bytes().startswith(b"\x89PNG")
    assert abs(tkit.evaluate(number, format="int8")["mean_absolute_error"] - found["mean_absolute_error"]) < 0.2
    worst = found["mistakes"][0]
    assert abs(worst["true"] - worst["predicted"]) >= abs(found["bias"])


@pytest.mark.slow
def test_its_bundle_says_what_it_is_and_agrees_on_the_device(number):
    bundle = Bundle.read(number.folder / "float" / "export")
    assert (bundle.task, bundle.output) == ("image-regression", Number())
    assert not any(item.failed for item in check(bundle))
    assert check_inputs(bundle).failed == ()
    entry = number.entry("export", "float")["metrics"]
    assert entry["float32"]["max_difference"] < 1e-4
    assert entry["int8"]["agreement"] > 0.9


@pytest.mark.slow
def test_it_is_predicted_and_benched_as_a_number(number, capsys):
    bundle = number.folder / "float" / "export"
    image = Bundle.read(bundle).encoded(0)
    truth = float(Bundle.read(bundle).golden().targets["number"][0])
    (found,) = tkit.predict(number, [image])
    assert abs(found.answer.number - truth) < 3
    with pytest.raises(InputError, match="top=3 is a number of classes; this model gives a number"):
        tkit.predict(number, [image], top=3)
    assert edge(["predict", str(bundle), str(image), "--top", "3"]) == 2
    capsys.readouterr()
    rows = tkit.bench(number, overrides=["bench.seconds=0.05"])["metrics"]["results"]
    scores = [row["score"] for row in rows]
    assert {score["name"] for score in scores} == {"mean absolute error"}
    assert all(0 < score["value"] < 1.2 and score["samples"] == 359 for score in scores)
    assert "mean absolute error" in (bundle.parent / "bench" / "bench.txt").read_text()


@pytest.mark.slow
def test_it_is_compressed_with_a_ledger_of_its_errors_and_explained(number):
    entry = tkit.compress(number, ["prune:sparsity=0.5,epochs=1", "quantize:aware=true,epochs=1"])
    first, *_, last = entry["metrics"]["ledger"]
    assert 0 < first["mean_absolute_error"] < 1.2
    assert last["nonzero"] / last["weights"] < 0.55
    files = tkit.export(number, overrides=["export.formats=int8", "export.parity.drop=1"])["metrics"]
    assert files["int8"]["bytes"] == last["bytes"]
    found = tkit.why_int8(number, samples=100)
    assert found["places"][0]["mean_absolute_error"] > 0
    assert found["together"]["divergence"] < 0.1


def two_inputs(path):
    """A model of a picture's features and three more numbers, with two outputs."""
    features, more = keras.Input((6, 4), name="features"), keras.Input((3,), name="more")
    x = layers.Conv1D(8, 3, activation="relu", name="conv")(features)
    x = layers.Concatenate(name="both")([layers.Flatten(name="flat")(x), layers.Dense(8, "relu", name="dense")(more)])
    outputs = [layers.Dense(4, name="box")(x), layers.Dense(3, activation="softmax", name="share")(x)]
    model = keras.Model([features, more], outputs)
    model.save(path)
    return model


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    """Two inputs in a file, not in the model's order, and a number that depends on them."""
    folder = tmp_path_factory.mktemp("arrays")
    random = np.random.default_rng(0)
    more, features = random.normal(size=(300, 3)), random.normal(size=(300, 6, 4)).astype(np.float32)
    np.savez(folder / "both.npz", more=more, features=features)
    np.savez(folder / "priced.npz", more=more, price=1000 * more[:, 0] + 500)
    return folder


@pytest.mark.slow
def test_a_model_with_two_inputs_and_two_outputs_is_exported_judged_by_agreement_and_benched(arrays, capsys):
    keras.utils.set_random_seed(0)
    model = two_inputs(arrays / "two.keras")
    place = ["--data", str(arrays / "both.npz"), "--runs-dir", str(arrays / "runs")]
    assert command("export", str(arrays / "two.keras"), *place, "--json") == 0
    found = json.loads(capsys.readouterr().out)["metrics"]
    assert {"float32", "int8"} <= set(found)
    assert found["float32"]["max_difference"] < 1e-5
    assert found["int8"]["agreement"] > 0.95
    assert "drop" not in found["int8"]
    run = tkit.Run.open(next((arrays / "runs").glob("two-*")))
    bundle = Bundle.read(run.folder / "float" / "export")
    assert bundle.task == "tensors-inference"
    assert bundle.input.tensors == (TensorSpec("features", (6, 4), "float32"), TensorSpec("more", (3,), "float32"))
    assert [spec.name for spec in bundle.output.tensors] == ["box", "share"]
    assert not any(item.failed for item in check(bundle))
    rows = tkit.bench(run, overrides=["bench.seconds=0.05"])["metrics"]["results"]
    assert all(row["score"] is None and row["p50_ms"] > 0 for row in rows)
    example = {name: array[0] for name, array in bundle.golden().inputs.items()}
    (answer,) = tkit.predict(bundle.folder, [bundle.encoded(0)], format="float32")
    box, share = (np.asarray(item)[0] for item in model([example["features"][None], example["more"][None]]))
    np.testing.assert_allclose(answer.answer.tensors["box"], box, atol=1e-5)
    np.testing.assert_allclose(answer.answer.tensors["share"], share, atol=1e-5)
    with pytest.raises(InputError, match="nothing is known to be right"):
        tkit.evaluate(run)


@pytest.mark.slow
def test_it_is_quantized_by_tkit_with_ranges_of_its_own_inputs(arrays):
    keras.utils.set_random_seed(0)
    model = two_inputs(arrays / "own.keras")
    run = tkit.adopt(arrays / "own.keras", data=str(arrays / "both.npz"), runs_dir=arrays / "runs")
    entry = tkit.compress(run, ["quantize"])
    assert entry["metrics"]["ledger"][-1]["agreement"] > 0.95
    kept = json.loads((run.folder / run.variant / "compress.json").read_text())["quantized"]
    assert kept["input_range"] is None
    low, high = kept["ranges"]["more"]
    assert (-6 < low < -1, 1 < high < 6) == (True, True)
    found = tkit.export(run, overrides=["export.formats=int8"])["metrics"]["int8"]
    assert found["agreement"] > 0.95
    with pytest.raises(InputError, match="can't be trained further"):
        tkit.compress(run, ["prune:epochs=1"], variant="float")
    assert len(model.outputs) == 2


@pytest.mark.slow
def test_a_model_of_images_with_two_outputs_takes_a_folder_of_images(tmp_path, capsys):
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1))
    x = layers.Flatten(name="flat")(layers.Rescaling(1 / 255)(image))
    keras.Model(image, [layers.Dense(4, name="box")(x), layers.Dense(2, name="kind")(x)]).save(tmp_path / "m.keras")
    arguments = ["export", str(tmp_path / "m.keras"), "--data", "digits", "--runs-dir", str(tmp_path)]
    assert command(*arguments, "export.formats=float32,int8", "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["metrics"]["int8"]["agreement"] > 0.9
    assert "gives box [4], kind [2]" in shown.err
    bundle = Bundle.read(next(tmp_path.glob("m-*")) / "float" / "export")
    assert (bundle.task, bundle.input.kind) == ("image-inference", "image")
    assert command(*arguments, "data.labels=classes") == 2
    assert "data.labels=classes is for one row of outputs" in capsys.readouterr().err


@pytest.mark.slow
def test_a_model_of_a_table_that_gives_a_number_is_judged_by_its_errors(arrays, capsys):
    table = keras.Input((3,), name="more")
    keras.Model(table, layers.Dense(1, name="price")(table)).save(arrays / "price.keras")
    source = ["--data", str(arrays / "priced.npz"), "--runs-dir", str(arrays / "runs")]
    labels = ["data.targets=price", "data.labels=numbers"]
    assert command("export", str(arrays / "price.keras"), *source, *labels, "--json") == 0
    shown = capsys.readouterr()
    assert "can't be told from chance" in shown.err  # it isn't trained
    found = json.loads(shown.out)["metrics"]["float32"]
    assert found["mean_absolute_error"] == pytest.approx(found["keras_mean_absolute_error"], rel=1e-3)


MISFITS = {
    "a task that needs other labels": (["task=regression"], "task=regression needs data.labels=numbers"),
    "labels that need another task": (["data.labels=numbers"], "which fits task=regression"),
    "a model that gives something else": (["task=inference", "data.labels=none"], "model=cnn gives classes or number"),
    "a key that moved": (["fit.label_smoothing=0.1"], "fit.label_smoothing has moved: it is task.label_smoothing now"),
    "balance without classes": (["data.labels=none", "data.balance=weights"], "balance=weights evens out classes"),
}


@pytest.mark.parametrize(("overrides", "message"), MISFITS.values(), ids=list(MISFITS))
def test_a_recipe_whose_parts_do_not_fit_is_refused(overrides, message):
    with pytest.raises(InputError, match=message):
        load("digits_cnn", overrides)


def test_labels_that_are_no_numbers_are_refused(tmp_path):
    with pytest.raises(InputError, match="'class 0' is no number"):
        tkit.fit("digits_regression", overrides=["data.source=synthetic:3", "fit.epochs=1"], runs_dir=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_recipe_of_version_1_is_read_as_version_2(tmp_path):
    old = Path(__file__).parents[1] / "frozen" / "runs-1" / "finished-1" / "recipe.json"
    recipe = load(old).recipe
    assert (recipe.version, recipe.task.kind, recipe.task.label_smoothing) == (2, "classification", 0.05)
    copy = tmp_path / "recipe.json"
    copy.write_text(json.dumps({**json.loads(old.read_text()), "version": 3}))
    with pytest.raises(InputError, match="version"):
        load(copy)


def test_a_bundle_of_version_3_is_refused(tmp_path):
    old = Path(__file__).parents[1] / "frozen" / "runs-1" / "finished-1" / "float" / "export"
    folder = shutil.copytree(old, tmp_path / "export")
    described = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**described, "version": 3}))
    with pytest.raises(InputError, match="version 3, this tkit-edge reads 1 and 2"):
        Bundle.read(folder)
