"""A model of the user's own and data as people have it, through the commands: the right accuracy."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

import tkit
from tkit.cli import main
from tkit_edge.bundle import Bundle
from tkit_edge.predict import opened, predict


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("TKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TKIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)


def command(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return stopped.value.code


def save(image, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(path, **options)


@pytest.fixture
def cloth(tmp_path):
    """Woven or plain cloth, 256x256; and a model of 32x32 that tells them by the contrast of neighbouring pixels."""
    random = np.random.default_rng(0)
    for number in range(12):
        y, x = np.mgrid[:256, :256] + random.integers(0, 7, 2)[:, None, None]
        weave = 60 * np.sign(np.sin(2 * np.pi * x / 7) * np.sin(2 * np.pi * y / 7))[..., None]
        noise = random.normal(120, 4, (256, 256, 3))
        save(noise + weave, tmp_path / "cloth" / "fine" / f"{number}.jpg", quality=92)
        save(noise, tmp_path / "cloth" / "plain" / f"{number}.jpg", quality=92)
    contrast = layers.Conv2D(1, (1, 2), activation="relu", use_bias=False)
    decide = layers.Dense(2)
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Rescaling(1 / 255), contrast, layers.GlobalAveragePooling2D(), decide]
    )
    contrast.set_weights([np.array([[[1], [1], [1]], [[-1], [-1], [-1]]], np.float32)[None]])
    decide.set_weights([np.array([[20, -20]], np.float32), np.array([-2, 2], np.float32)])
    model.save(tmp_path / "cloth.keras")
    return tmp_path / "cloth"


@pytest.mark.slow
def test_images_come_as_they_did_in_training_here_and_on_the_device(cloth, tmp_path, capsys):
    loader = keras.utils.image_dataset_from_directory(cloth, image_size=(32, 32), shuffle=False, verbose=False)
    model = keras.saving.load_model("cloth.keras")
    trained = np.mean([np.mean(model.predict(x, verbose=0).argmax(1) == y) for x, y in loader])
    assert trained == 1
    capsys.readouterr()
    assert command("evaluate", "cloth.keras", "--data", cloth, "--split", "train", "--json") == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == 1
    averaged = tkit.evaluate("cloth.keras", data=str(cloth), split="train", overrides=["data.resize=stretch"])
    assert averaged["accuracy"] == 0.5
    assert command("export", "cloth.keras", "--data", cloth, "export.formats=float32") == 0
    run = tkit.Run.open("cloth-1")
    assert run.recipe.export.formats != ("float32",)  # that was for once; data.resize is what the run is made with
    bundle = Bundle.read(run.folder / "float" / "export")
    with opened(bundle, "float32") as ready:
        found = [predict([cloth / name / "3.jpg"], ready)[0].answer.classes[0].label for name in ("fine", "plain")]
    assert found == ["fine", "plain"]
    capsys.readouterr()
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    arguments = ("predict", "cloth.keras", cloth / "fine" / "3.jpg", tmp_path / "bad.jpg", "--top", "1")
    assert command(*arguments) == 2
    assert command(*arguments, "--skip-bad") == 0
    assert "3.jpg  0 " in capsys.readouterr().out
    assert command(*arguments, "--skip-bad", "data.resize=stretch") == 0
    assert "3.jpg  1 " in capsys.readouterr().out


@pytest.fixture
def reds(tmp_path):
    """12 classes, each a brightness of red, and a model that tells them."""
    brightness = 30 + 18 * np.arange(12)
    for label, red in enumerate(brightness):
        for number in range(4):
            save(np.full((16, 16, 3), (red, 100 + number, 100)), tmp_path / "img" / f"{label}_{number}.png")
    decide = layers.Dense(12)
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.Rescaling(1 / 255), layers.GlobalAveragePooling2D(), decide]
    )
    scaled = brightness / 255
    decide.set_weights([np.stack([200 * scaled, 0 * scaled, 0 * scaled]), -100 * scaled**2])
    model.save(tmp_path / "reds.keras")


TABLES = {
    "int": ("file,label", str),
    "float": ("file,label", lambda label: f"{label}.0"),
    "other_header": ("image_name,target", str),
    "minus": ("file,label", lambda label: str(label - 1)),
    "spaced": ("file,label", lambda label: f"class {label}"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_tables_classes_are_the_models_outputs(reds, tmp_path, name, capsys):
    header, written = TABLES[name]
    rows = [f"img/{label}_{number}.png,{written(label)}" for label in range(12) for number in range(4)]
    (tmp_path / f"{name}.csv").write_text("\n".join([header, *rows]))
    assert tkit.evaluate("reds.keras", data=f"{name}.csv", split="train")["accuracy"] == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"outputs: 0 {written(0)}, ".replace(".0", "") in said


def test_folders_are_in_the_order_of_kerass_loader_and_that_is_said(reds, tmp_path, capsys):
    for label in range(12):
        for number in range(4):
            target = tmp_path / "numbered" / str(label) / f"{number}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((tmp_path / "img" / f"{label}_{number}.png").read_bytes())
    loader = keras.utils.image_dataset_from_directory(tmp_path / "numbered", verbose=False)
    run = tkit.adopt("reds.keras", data="numbered")
    assert list(run.output.names) == loader.class_names
    assert "names as text, as Keras's loader has them: '0', '1', '10'" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("names", ["Training,Testing", "train_set,test_set", "Train,Test", "TRAIN,TEST"])
def test_the_usual_layout_of_kaggle(tmp_path, names, capsys):
    random = np.random.default_rng(0)
    for split in names.split(","):
        for animal in ("glioma", "healthy", "pituitary"):
            for number in range(5):
                save(random.integers(0, 256, (8, 8, 3)), tmp_path / "set" / split / animal / f"{number}.png")
    assert command("data", "set", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["class_names"] == ["glioma", "healthy", "pituitary"]
    assert found["splits"] == {"train": [5, 5, 5], "test": [5, 5, 5]}
    assert found["problems"] == []


@pytest.mark.slow
def test_a_small_set_with_stray_and_damaged_files_goes_through_every_command(tmp_path, capsys):
    random = np.random.default_rng(0)
    for name, colour in (("cat", (200, 60, 60)), ("dog", (60, 200, 60)), ("fox", (60, 60, 200))):
        for number in range(20):
            save(random.normal(colour, 25, (16, 16, 3)), tmp_path / "small" / name / f"{number}.png")
    (tmp_path / "small" / "cat" / "notes.txt").write_text("hello")
    decide = layers.Dense(3)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(3, 1),
            layers.GlobalAveragePooling2D(),
            decide,
        ]
    )
    model.layers[1].set_weights([np.eye(3, dtype=np.float32)[None, None], np.zeros(3, np.float32)])
    decide.set_weights([10 * np.eye(3), np.zeros(3)])
    model.save(tmp_path / "small.keras")
    given = ("small.keras", "--data", "small")
    assert command("compress", *given, "quantize") == 0
    assert "1 file that is no image was passed over" in " ".join(capsys.readouterr().err.split())
    (tmp_path / "small" / "dog" / "cut.png").write_bytes((tmp_path / "small" / "dog" / "0.png").read_bytes()[:60])
    assert command("export", *given, "export.formats=float32") == 2
    assert "cut.png is damaged" in (said := capsys.readouterr().err) and "--skip-bad (data.skip_bad=true)" in said
    for arguments in (
        ("evaluate", *given, "--split", "train", "--skip-bad"),
        ("export", *given, "--skip-bad", "export.formats=float32,int8"),
        ("bench", *given, "data.skip_bad=true", "bench.seconds=0.02"),
        ("compress", *given, "--skip-bad", "data.batch_size=16", "prune:sparsity=0.5,epochs=1"),
        ("why-int8", *given, "data.skip_bad=true", "quantize:samples=16"),
        ("data", "small", "--skip-bad", "data.resize=keras"),
    ):
        assert command(*arguments) == 0, (arguments, capsys.readouterr().err)
    runs = [tkit.Run.open(f"small-{number}").recipe.data for number in (1, 2, 3)]
    assert [(data.skip_bad, data.batch_size) for data in runs] == [(False, 128), (True, 128), (True, 16)]
    fitted = ("fit", "--recipe", "digits_cnn", "--data", "small", "--skip-bad", "fit.epochs=1", "data.batch_size=200")
    assert command(*fitted) == 0
    assert "batches of 42, not 200" in " ".join(capsys.readouterr().err.split())
