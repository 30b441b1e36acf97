"""A .keras file of the user's own: what is taken, brought to raw pixels, and refused with what to do."""

import json
import zipfile

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

import tkit
from tkit import model_files
from tkit.keras_files.reader import read
from tkit.models import Spec
from tkit.models.keras_file import KerasFile
from tkit.run_folder import Run
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 10, 12, 3)).astype(np.float32)


@pytest.fixture
def data(tmp_path):
    """Three classes of JPEGs, of another size than any model here."""
    random = np.random.default_rng(0)
    for label in range(3):
        for number in range(10):
            path = tmp_path / "images" / f"class{label}" / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 256, (20, 31, 3), dtype=np.uint8)).save(path)
    return str(tmp_path / "images")


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("TKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TKIT_RUNS", str(tmp_path / "runs"))
    keras.utils.set_random_seed(0)


def classifier(*front, outputs=3, activation="softmax", shape=(10, 12, 3)):
    return keras.Sequential(
        [
            keras.Input(shape),
            *front,
            layers.Conv2D(4, 3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(outputs, activation=activation),
        ]
    )


def saved(model, tmp_path, name="mine.keras"):
    model.save(tmp_path / name)
    return tmp_path / name


@pytest.mark.parametrize(
    ("pixels", "scale"), [("0-255", lambda x: x), ("0-1", lambda x: x / 255), ("-1-1", lambda x: x / 127.5 - 1)]
)
def test_raw_pixels_give_what_the_model_gave_on_its_own(pixels, scale, data, tmp_path):
    model = classifier()
    run = tkit.adopt(saved(model, tmp_path), data=data, pixels=pixels)
    ours = model_files.load(run.folder / "float").predict(IMAGES, verbose=0)
    np.testing.assert_allclose(ours, model.predict(scale(IMAGES), verbose=0), atol=1e-5)


def test_a_run_like_any_other(data, tmp_path):
    path = saved(classifier(layers.Rescaling(1 / 255)), tmp_path)
    run = tkit.adopt(path, data=data)
    assert list(run.manifest["stages"]) == ["float/adopt"]
    assert (run.variant, run.output.form, run.output.names) == (
        "float",
        "probabilities",
        ("class0", "class1", "class2"),
    )
    assert run.recipe.data.image_size == (10, 12)
    again = Run.open(run.folder)
    assert again.recipe == run.recipe
    formats = ["export.formats=float32,int8", "export.parity.agreement=0"]
    tkit.export(again, overrides=[*formats, "export.golden=originals"])
    bundle = Bundle.read(run.folder / "float" / "export")
    assert (bundle.output.form, bundle.labels) == ("probabilities", run.output.names)
    assert bundle.encoded(0).suffix == ".jpg"
    originals = {file.read_bytes() for file in (tmp_path / "images").rglob("*.jpg")}
    assert bundle.encoded(0).read_bytes() in originals


def test_the_same_file_and_data_is_the_same_run_and_others_are_new_ones(data, tmp_path):
    path = saved(classifier(), tmp_path)
    first = tkit.adopt(path, data=data, pixels="0-1")
    assert tkit.adopt(path, data=data, pixels="0-1").folder == first.folder
    assert tkit.adopt(path, data=data, pixels="-1-1").folder.name == "mine-2"
    saved(classifier(), tmp_path)
    assert tkit.adopt(path, data=data, pixels="0-1").folder.name == "mine-3"


def test_mixed_precision_an_adapted_normalization_and_own_losses_are_taken(data, tmp_path):
    normalization = layers.Normalization()
    normalization.adapt(IMAGES)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = classifier(normalization)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    model.compile("adam", lambda true, predicted: keras.ops.mean(predicted))
    found = read(saved(model, tmp_path), None)
    assert {layer.compute_dtype for layer in found.model.layers} == {"float32"}
    np.testing.assert_allclose(
        found.model.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0).astype("float32"), atol=0.05
    )
    assert found.pixels == "0-255"
    run = tkit.adopt(tmp_path / "mine.keras", data=data)
    loaded = model_files.load(run.folder / "float")
    np.testing.assert_allclose(loaded.predict(IMAGES, verbose=0), found.model.predict(IMAGES, verbose=0), atol=1e-6)


@pytest.mark.parametrize(("activation", "score"), [("sigmoid", lambda z: z), (None, lambda z: 1 / (1 + np.exp(-z)))])
def test_one_score_for_two_classes_becomes_two(activation, score, data, tmp_path):
    import shutil

    from tkit_edge.outputs.classes import probabilities

    shutil.rmtree(tmp_path / "images" / "class2")
    model = classifier(layers.Rescaling(1 / 255), outputs=1, activation=activation)
    run = tkit.adopt(saved(model, tmp_path), data=data)
    ours = probabilities(model_files.load(run.folder / "float").predict(IMAGES, verbose=0), run.output.form)
    second = score(model.predict(IMAGES, verbose=0))
    np.testing.assert_allclose(ours, np.concatenate([1 - second, second], axis=1), atol=1e-5)


class Own(layers.Layer):
    def call(self, inputs):
        return inputs


class Subclassed(keras.Model):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.dense = layers.Dense(3)

    def call(self, inputs):
        return self.dense(inputs)


def subclassed():
    model = Subclassed()
    model(IMAGES)
    return model


def two_inputs():
    inputs = [keras.Input((10, 12, 3)), keras.Input((10, 12, 3))]
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(layers.Add()(inputs))))


def bare_operation():
    inputs = keras.Input((10, 12, 3))
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(keras.ops.unique(inputs, size=3))))


def unbuilt():
    return keras.Sequential([layers.Flatten(), layers.Dense(3)])


def flat_input():
    return keras.Sequential([keras.Input((30,)), layers.Dense(3)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: classifier(layers.Lambda(lambda x: x, name="my_code")), "layer 'my_code' is a Lambda, which holds"),
        (subclassed, "holds a Subclassed, .* functional and Sequential"),
        (lambda: classifier(Own(name="my_own")), "layer 'my_own' is a Own, which isn't a class of Keras's"),
        (bare_operation, "is the operation keras.ops Unique"),
        (two_inputs, r"\[10, 12, 3\], .* \[10, 12, 3\]: expected --data FILE.npz with an array"),
        (unbuilt, "saved before it knew its input"),
        (flat_input, r"\[30\]: expected --data FILE.npz"),
        (lambda: classifier(shape=(None, None, 3)), "takes images of any size.*keras.Input"),
        (lambda: classifier(shape=(10, 12, 5)), r"\[10, 12, 5\]: expected --data FILE.npz"),
        (lambda: classifier(), "--pixels 0-1"),
        (lambda: classifier(layers.Rescaling(2.0, -1.0)), "--pixels 0-1"),
        (lambda: classifier(layers.Rescaling(1 / 255), outputs=4), "has 4 outputs, the data has 3 classes"),
    ],
)
def test_what_cannot_be_taken_is_said_with_what_to_do_and_nothing_is_made(make, message, data, tmp_path):
    path = saved(make(), tmp_path)
    with pytest.raises(InputError, match=message):
        tkit.adopt(path, data=data)
    assert not (tmp_path / "runs").exists()


def test_files_that_are_no_keras_files(data, tmp_path):
    whole = saved(classifier(layers.Rescaling(1 / 255)), tmp_path)
    cases = {
        "empty.keras": b"",
        "text.keras": b"not a model",
        "truncated.keras": whole.read_bytes()[:-500],
        "old.keras": b"\x89HDF\r\n\x1a\n" + bytes(50),
    }
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(
            InputError, match="HDF5" if name == "old.keras" else f"{name} is not a complete .keras file"
        ):
            tkit.adopt(tmp_path / name, data=data)
    with pytest.raises(InputError, match="Cannot read .*none.keras"):
        tkit.adopt(tmp_path / "none.keras", data=data)


def test_a_class_hidden_in_an_initializer_is_refused(tmp_path, data):
    path = saved(classifier(layers.Rescaling(1 / 255)), tmp_path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    config["config"]["layers"][2]["config"]["kernel_initializer"] = {
        "module": "os",
        "class_name": "system",
        "config": {},
    }
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match=r"os\.system"):
        tkit.adopt(path, data=data)


def test_training_needs_logits_the_same_size_and_the_same_file(tmp_path):
    path = saved(classifier(layers.Rescaling(1 / 255), activation=None), tmp_path)
    config = KerasFile(path=str(path))
    assert config.build(Spec.of_images((10, 12, 3), 3, None)).output_shape == (None, 3)
    with pytest.raises(InputError, match=r"data\.image_size=10,12"):
        config.build(Spec.of_images((32, 32, 3), 3, None))
    with pytest.raises(InputError, match="has changed"):
        KerasFile(path=str(path), sha256="0" * 64).build(Spec.of_images((10, 12, 3), 3, None))
    saved(classifier(layers.Rescaling(1 / 255)), tmp_path)
    with pytest.raises(InputError, match="ends in a softmax"):
        config.build(Spec.of_images((10, 12, 3), 3, None))


def test_a_model_file_without_data_says_what_it_needs(tmp_path, capsys):
    from tkit.cli import main

    path = saved(classifier(), tmp_path)
    for command in ("export", "bench", "evaluate"):
        with pytest.raises(SystemExit) as stopped:
            main([command, str(path)])
        assert stopped.value.code == 2
        assert "--data DATA" in capsys.readouterr().err
    with pytest.raises(InputError, match="--data DATA"):
        tkit.export(path)


@pytest.mark.parametrize("overrides", [[], ["data.resize=keras-crop"]])
def test_an_adopted_model_sees_on_the_device_too_what_kerass_loader_gives(tmp_path, data, overrides, capsys):
    run = tkit.adopt(saved(classifier(layers.Rescaling(1 / 255)), tmp_path), data=data, overrides=overrides)
    said = " ".join(capsys.readouterr().err.split())
    assert "image_dataset_from_directory" in said and "data.resize=keras-crop" in said
    assert "outputs: 0 class0, 1 class1, 2 class2" in said
    tkit.export(run, overrides=["export.formats=float32", "export.golden=originals"])
    wanted = "keras-crop" if overrides else "keras"
    bundle = Bundle.read(run.folder / "float" / "export")
    assert (run.recipe.data.resize, bundle.input.resize) == (wanted, wanted)
    with Image.open(bundle.encoded(0)) as image:
        pixels = np.asarray(image)
    part = pixels[:, 3:27] if overrides else pixels  # 20x31 for 10x12
    expected = np.asarray(keras.ops.image.resize(part.astype(np.float32), (10, 12), antialias=False))
    assert np.abs(bundle.golden().inputs["image"][0] - expected).mean() < 2  # Pillow's JPEG pixels, nearly TensorFlow's


def test_the_size_is_the_models(tmp_path, data):
    path = saved(classifier(layers.Rescaling(1 / 255)), tmp_path)
    with pytest.raises(InputError, match="takes images of 10x12x3: data.image_size"):
        tkit.adopt(path, data=data, overrides=["data.image_size=32,32"])
