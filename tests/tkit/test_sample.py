"""Images of a generator's run: Keras model and exported file, and the training images that they look like."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import tkit
from tkit.cli import _complete
from tkit.cli import main as cli
from tkit.cli._group import Group, group
from tkit.evaluation.nearest import Memorization, Nearest
from tkit.recipe_loading import load
from tkit.stages._common import data_of
from tkit_edge.__main__ import main as edge
from tkit_edge.errors import InputError

PAGE = Path(__file__).parents[2] / "docs" / "json.md"


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A run whose generator of digits was trained for two steps, and its data."""
    run = trained(tmp_path_factory)
    return run, data_of(run)


@pytest.fixture(scope="module")
def conditional(tmp_path_factory):
    return trained(tmp_path_factory, "data.labels=classes")


def trained(tmp_path_factory, *overrides):
    recipe = load("dcgan_digits", ["model.width=8", "task.latent=6", *overrides])
    return tkit.fit(recipe, runs_dir=tmp_path_factory.mktemp("runs"), dry_run=True)


def test_the_exported_file_makes_the_images_of_the_keras_model_and_the_device_makes_the_same_grid(digits, tmp_path):
    run, _ = digits
    keras = tkit.sample(run, 9, seed=3)
    assert (keras.pixels.dtype, keras.pixels.shape) == (np.uint8, (9, 8, 8, 1))
    assert keras.model.name == "model.keras" and keras.path is None and keras.nearest is None
    tkit.export(run, overrides=["export.formats=float32"])
    exported = tkit.sample(run, 9, seed=3, out=tmp_path / "run.png")
    assert exported.model.name == "model-float32.tflite" and exported.path == tmp_path / "run.png"
    assert np.abs(exported.pixels.astype(int) - keras.pixels).max() <= 1
    assert np.array_equal(exported.inputs["noise"], run.input.drawn(9, 3)["noise"])
    bundle = run.folder / "float" / "export"
    assert np.array_equal(tkit.sample(bundle, 9, seed=3, separate=tmp_path / "each").pixels, exported.pixels)
    assert len(list((tmp_path / "each").iterdir())) == 9
    assert edge(["sample", str(bundle), "--num", "9", "--seed", "3", "--out", str(tmp_path / "device.png")]) == 0
    assert (tmp_path / "device.png").read_bytes() == (tmp_path / "run.png").read_bytes()
    with pytest.raises(InputError, match="holds no training images"):
        tkit.sample(bundle, 9, nearest=True)


def test_a_class_is_made_alone_where_it_is_asked_for(conditional):
    assert tkit.sample(conditional, 12).inputs["label"].tolist() == [*range(10), 0, 1]
    assert tkit.sample(conditional, 2, label="7").inputs["label"].tolist() == [7, 7]
    with pytest.raises(InputError, match="'bag' is no class of this model"):
        tkit.sample(conditional, 2, label="bag")


def test_the_nearest_training_image_stands_beside_each_sample(digits, tmp_path):
    run, splits = digits
    found = tkit.sample(run, 6, seed=1, nearest=True, out=tmp_path / "pairs.png")
    training = np.asarray(splits.train.images).reshape(len(splits.train), -1).astype(float)
    apart = np.sqrt(np.mean((training - found.pixels[2].reshape(-1)) ** 2, axis=1))
    assert found.nearest.samples.rows[2] == apart.argmin()
    assert found.nearest.samples.distances[2] == pytest.approx(apart.min(), rel=1e-6)
    shown = np.asarray(Image.open(tmp_path / "pairs.png"))
    assert shown.shape == (3 * 65 - 1, 4 * 65 - 1)  # an even number of columns, so that pairs stay together
    assert np.array_equal(shown[65:129, :64][::8, ::8], found.pixels[2][..., 0])
    assert np.array_equal(shown[65:129, 65:129][::8, ::8], training[apart.argmin()].reshape(8, 8))


def test_copies_of_training_images_are_told_and_images_of_the_same_kind_are_not(digits):
    _, splits = digits
    train, held_out, test = (part.images for part in (splits.train, splits.validation, splits.test))
    near = np.clip(train[:16].astype(int) + np.random.default_rng(0).integers(-9, 10, train[:16].shape), 0, 255)
    copies = Memorization.of(near.astype(np.uint8), held_out, train, splits.train.file)
    assert copies.memorized and copies.near == 16 and copies.samples.rows.tolist() == list(range(16))
    assert "samples are nearer to training images than held-out images are, so look for copies" in copies.line()
    some = Memorization.of(np.concatenate([near, test[:48]]).astype(np.uint8), held_out, train, splits.train.file)
    assert some.memorized and 16 <= some.near < 32  # a quarter of them
    others = Memorization.of(test[:64], held_out, train, splits.train.file)
    assert not others.memorized and "no sign of copies" in others.line()
    assert others.images.shape == (64, 8, 8, 1) and others.files == (None,) * 64


def test_nearest_images_are_found_past_the_first_chunk_and_copies_are_at_distance_0():
    random = np.random.default_rng(0)
    training = random.integers(0, 256, (2500, 4, 4, 3), np.uint8)
    found = Nearest.among(training[[2400, 3, 1100]], training)
    assert found.rows.tolist() == [2400, 3, 1100] and found.distances.tolist() == [0, 0, 0]


def test_the_command_prints_where_the_grid_is_and_its_json_has_the_keys_of_the_page(digits, tmp_path, monkeypatch):
    run, _ = digits
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(Group(), ["sample", str(run.folder), "--num", "4", "--format", "keras", "--nearest"])
    first, second = done.stdout.splitlines()
    assert first == "grid.png: 4 images, seed 0" and second.startswith("nearest training images: median distance")
    assert "model.keras" in done.stderr
    call = ["sample", str(run.folder), "--num", "8", "--interpolate", "--out", "walk.png", "--nearest", "--json"]
    document = json.loads(CliRunner().invoke(Group(), call).stdout)
    row = re.search(r"^\| `samples` \|.*$", PAGE.read_text(), re.MULTILINE)[0]
    named = set(re.findall(r"`([\w-]+)`", row))
    assert {*document, *document["nearest"]} - {"kind", "version"} <= named
    assert (document["kind"], document["samples"], document["interpolate"]) == ("samples", 8, True)
    assert len(document["nearest"]["distances"]) == 8 and Path("walk.png").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--num", "0"], "Expected at least 1 sample, received 0"),
        (["--class", "7"], "'7' is no class of this model; it has none: it was trained without them"),
        (["--out", "nowhere/grid.png"], "the folder nowhere does not exist"),
        (["--variant", "flaot"], "has no variant 'flaot'"),
        (["--nearest", "data.source=nowhere"], "nowhere"),
    ],
)
def test_a_mistake_is_one_message(options, message, digits, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        cli(["sample", str(digits[0].folder), *options])
    assert stopped.value.code == 2 and message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_generator_is_refused_and_predict_names_the_command_for_one(digits, tmp_path):
    with pytest.raises(InputError, match=r"use `tkit sample`"):
        tkit.predict(digits[0], ["cat.jpg"])
    with pytest.raises(InputError, match="doesn't tell what it makes images of"):
        tkit.sample(tmp_path / "model.tflite")
    with pytest.raises(InputError, match="No run at"):
        tkit.sample(tmp_path / "nowhere")


def test_a_classifiers_run_is_no_generator(tmp_path):
    from keras import Input, Sequential, layers

    Sequential([Input((8, 8, 1)), layers.Flatten(), layers.Dense(10)]).save(tmp_path / "mine.keras")
    run = tkit.adopt(tmp_path / "mine.keras", data="digits", pixels="0-255", runs_dir=tmp_path / "runs")
    with pytest.raises(InputError, match="is no generator: it takes images and gives 10 classes; `predict` is for it"):
        tkit.sample(run)


def test_classes_and_formats_complete(conditional, tmp_path):
    context = group.get_command(None, "sample").make_context("sample", [str(conditional.folder)])
    assert [item.value for item in _complete.classes(context, None, "")] == [str(digit) for digit in range(10)]
    assert [item.value for item in _complete.formats(context, None, "k")] == ["keras"]


def test_doctor_takes_samples_and_the_judge_for_parts_of_the_run(digits):
    assert (digits[0].folder / "samples" / "epoch-0001.png").is_file()
    assert "0 left over" in tkit.doctor(digits[0]).facts["run"]["outputs"]
