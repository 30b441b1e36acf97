"""Image files through a run, a bundle and model files."""

import io
import json

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

import tkit
from tkit.cli import main
from tkit_edge.errors import InputError
from tkit_edge.images import DECODER_TOLERANCE, decode, encode_png


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run adopted of a model file, exported, and a folder of digits as PNGs."""
    folder = tmp_path_factory.mktemp("predict")
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(10)])
    model.save(folder / "mine.keras")
    run = tkit.adopt(folder / "mine.keras", data="digits", runs_dir=folder / "runs")
    images = run.recipe.data.load(0).test.images[:5]
    (folder / "images").mkdir()
    for number, image in enumerate(images):
        (folder / "images" / f"{number}.png").write_bytes(encode_png(image))
    logits = model.predict(images.astype("float32"), verbose=0)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return run, folder, shares


def agree(found, shares, tolerance):
    for prediction, share in zip(found, shares, strict=True):
        by_label = {score.label: score.probability for score in prediction.answer.classes}
        assert [by_label[str(label)] for label in range(10)] == pytest.approx(share.tolist(), abs=tolerance)
        assert prediction.answer.classes[0].probability == max(by_label.values())


def test_keras_before_an_export_then_int8_and_any_format(made):
    run, folder, shares = made
    agree(tkit.predict(run, [folder / "images"], top=10), shares, 1e-4)
    tkit.export(run, overrides=["export.formats=float32,int8", "export.parity.agreement=0", "export.parity.drop=1"])
    agree(tkit.predict(run, [folder / "images"], top=10, format="float32"), shares, 1e-4)
    agree(tkit.predict(run, [folder / "images"], top=10), shares, 0.05)
    agree(tkit.predict(run, [folder / "images"], top=10, format="keras"), shares, 1e-4)
    export = run.folder / "float" / "export"
    assert tkit.predict(export, [folder / "images"]) == tkit.predict(run, [folder / "images"])
    numbered = tkit.predict(export / "model-int8.tflite", [folder / "images"], pixels="0-255")
    assert numbered == tkit.predict(run, [folder / "images"])


def test_a_model_file_without_names_gives_numbers(made):
    _, folder, shares = made
    agree(tkit.predict(folder / "mine.keras", [folder / "images"], top=10), shares, 1e-4)


def test_the_command_names_bad_images_and_prints_the_others(made, capsys):
    run, folder, _ = made
    bad = folder / "bad.png"
    bad.write_bytes(b"no image")
    with pytest.raises(SystemExit) as stopped:
        main(["predict", str(run.folder), str(folder / "images" / "0.png"), str(bad), "--top", "2"])
    out, err = capsys.readouterr()
    assert stopped.value.code == 2
    [line] = out.splitlines()
    assert line.startswith(str(folder / "images" / "0.png"))
    assert line.count("%") == 2
    assert "bad.png is not an image" in err
    assert "run" in err.splitlines()[0]  # which model was used
    with pytest.raises(SystemExit) as stopped:
        main(["predict", str(run.folder), str(bad), str(folder / "images" / "1.png"), "--json"])
    document = json.loads(capsys.readouterr().out)
    assert stopped.value.code == 2
    assert (document["kind"], document["version"]) == ("predictions", 1)
    unread, read = document["predictions"]
    assert ["bad.png" in unread["image"], read["error"]] == [True, None]


def test_another_jpeg_decoder_stays_within_the_stated_bound_and_another_decoding_does_not():
    import tensorflow as tf

    random = np.random.default_rng(0)
    largest = dict.fromkeys([("INTEGER_ACCURATE", True), ("INTEGER_ACCURATE", False)], 0)
    for quality in (50, 75, 95):
        pixels = (np.cumsum(random.normal(0, 20, (48, 64, 3)), axis=1) % 256).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=2)
        ours = decode(buffer.getvalue(), 48, 64, 3).astype(int)
        for method, fancy in largest:
            theirs = tf.io.decode_jpeg(buffer.getvalue(), channels=3, dct_method=method, fancy_upscaling=fancy)
            difference = int(np.abs(theirs.numpy().astype(int) - ours).max())
            largest[method, fancy] = max(largest[method, fancy], difference)
    assert largest["INTEGER_ACCURATE", True] <= DECODER_TOLERANCE < largest["INTEGER_ACCURATE", False]


def test_nothing_to_classify_and_nothing_to_classify_with(made, tmp_path):
    run, _folder, _ = made
    with pytest.raises(InputError, match="None of 1 images"):
        tkit.predict(run, [tmp_path / "none.png"])
    with pytest.raises(InputError, match="No run at"):
        tkit.predict(tmp_path / "nowhere", [tmp_path / "none.png"])
