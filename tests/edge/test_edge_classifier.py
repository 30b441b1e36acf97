"""An exported model in a program: files, bytes and frames give what the command gives."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import tkit_edge
from tkit_edge import Classifier
from tkit_edge.errors import InputError
from tkit_edge.images import RESIZES, decode, from_array
from tkit_edge.predict import opened, predict

LABELS = ("ant", "bee", "cat", "dog", "elk")


@pytest.fixture(scope="module", params=["crop", "stretch", "keras"])
def exported(request, made, originals, write_bundle, tmp_path_factory):
    """A bundle of each resizing rule."""
    images, logits = originals
    models = {name: (made / f"{name}.tflite").read_bytes() for name in ("float32", "int8")}
    folder = tmp_path_factory.mktemp(request.param) / "export"
    return write_bundle(folder, models, images[:2], logits[:2].argmax(axis=1), resize=request.param)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A PNG of another size and proportions than the model's."""
    pixels = np.random.default_rng(3).integers(0, 256, (31, 52, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(pixels).save(path)
    return path, pixels


def test_a_path_bytes_and_a_frame_give_what_the_command_gives(exported, photo):
    path, frame = photo
    with opened(exported, "int8") as model:
        (expected,) = predict([path], model, top=3)
    own = Classifier(exported.folder)
    assert own.format == "int8"
    for image in (path, str(path), path.read_bytes(), frame):
        assert tuple(own.predict(image, top=3)) == expected.answer.classes
    assert own.probabilities(frame).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_frame_is_seen_as_its_file_is(resize, channels, mode):
    bands = len(Image.new(mode, (1, 1)).getbands())
    pixels = np.random.default_rng(5).integers(0, 256, (17, 29, bands), dtype=np.uint8)
    pixels = pixels[..., 0] if bands == 1 else pixels
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode).save(buffer, "PNG")
    for height, width in ((8, 12), (17, 29), (40, 33)):
        expected = decode(buffer.getvalue(), height, width, channels, resize)
        np.testing.assert_array_equal(from_array(pixels, height, width, channels, resize), expected)


@pytest.mark.parametrize(
    "frame",
    [np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.uint8), np.zeros((1, 4, 4, 3), np.uint8), np.zeros((0, 4), np.uint8)],
)
def test_what_is_no_image_is_one_message(exported, frame):
    with pytest.raises(InputError, match="Expected a"):
        Classifier(exported.folder).predict(frame)


def test_wrong_names_are_named(exported):
    with pytest.raises(InputError, match="It has: float32, int8"):
        Classifier(exported.folder, "int4")
    with pytest.raises(InputError, match="top: expected at least 1"):
        Classifier(exported.folder).predict(np.zeros((8, 8, 3), np.uint8), top=0)
    with pytest.raises(AttributeError, match="has no attribute 'Clasifier'"):
        _ = tkit_edge.Clasifier


def test_a_frame_of_the_models_size_needs_no_pillow(exported):
    code = f"""
import sys
sys.modules["PIL"] = None
import numpy as np
from tkit_edge import Classifier
print(Classifier({str(exported.folder)!r}).predict(np.zeros((8, 8, 3), np.uint8))[0].label)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() in LABELS, done.stderr
