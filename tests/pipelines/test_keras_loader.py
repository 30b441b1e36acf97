"""`data.resize=keras`: the pixels of `keras.utils.image_dataset_from_directory`, rounded to whole numbers."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from tkit_edge.images import decode, encode_png
from tkit_edge.tensorflow_pixels import sampler
from tkit_pipelines.data.images import Images

ROUNDED = 0.5 + 1e-3
ARGUMENTS = {"keras": {}, "keras-crop": {"crop_to_aspect_ratio": True}, "keras-pad": {"pad_to_aspect_ratio": True}}


def noise(height, width, channels=3):
    return np.random.default_rng(height * width).integers(0, 256, (height, width, channels), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images that differ in size, aspect ratio, format, chroma subsampling and mode; noise, where errors show most."""
    top = tmp_path_factory.mktemp("loader")
    for name in ("cat", "dog"):
        (top / name).mkdir()
    sizes = ((75, 101), (32, 32), (31, 7), (9, 40), (200, 120), (5, 5))
    for number, (height, width) in enumerate(sizes):
        image = Image.fromarray(noise(height, width))
        image.save(top / "cat" / f"{number}.png")
        image.convert("L").save(top / "cat" / f"grey{number}.jpg")
        for subsampling in (0, 1, 2, "4:1:1"):
            for quality in (60, 96):
                path = top / "dog" / f"{number}-{subsampling}-{quality}.jpg".replace(":", "")
                image.save(path, quality=quality, subsampling=subsampling, progressive=quality == 60)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(noise(20, 30)).save(top / "cat" / "turned.jpg", exif=turned, quality=96)
    Image.fromarray(noise(20, 30, 4)).save(top / "cat" / "alpha.png")
    Image.fromarray(noise(20, 30)).quantize(40).save(top / "cat" / "palette.png", transparency=bytes(range(40)))
    Image.fromarray((noise(20, 30, 1)[..., 0] * np.uint16(257)) ^ np.uint16(77)).save(top / "cat" / "sixteen.png")
    Image.fromarray(noise(20, 30)).save(top / "dog" / "windows.bmp")
    Image.fromarray(noise(20, 30)).quantize(40).save(top / "dog" / "first.gif", transparency=3)
    Image.fromarray(noise(20, 30, 4), "CMYK").save(top / "dog" / "print.jpg", quality=96)
    return top


@pytest.fixture(scope="module")
def greys(folder):
    """The files that TensorFlow decodes to grey."""
    return {path for path in folder.rglob("*.*") if path.suffix in (".png", ".jpg") and path.name != "print.jpg"}


@pytest.mark.parametrize("size", [(32, 32), (20, 45)])
@pytest.mark.parametrize("resize", ARGUMENTS)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_pixels_of_kerass_loader_rounded(folder, greys, tmp_path, resize, size, channels):
    if channels == 1:
        for path in greys:
            copy = tmp_path / path.relative_to(folder)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())
        folder = tmp_path
    loader = keras.utils.image_dataset_from_directory(
        folder,
        image_size=size,
        batch_size=1,
        shuffle=False,
        color_mode="rgb" if channels == 3 else "grayscale",
        verbose=False,
        **ARGUMENTS[resize],
    )
    compared = 0
    for path, (pixels, _) in zip(loader.file_paths, loader, strict=True):
        ours = decode(Path(path).read_bytes(), *size, channels, resize)
        assert np.abs(ours - pixels.numpy()[0]).max() <= ROUNDED, path
        compared += 1
    assert compared > 60


def test_a_data_set_has_them_in_the_order_of_kerass_classes(folder):
    data = Images(source=str(folder), image_size=(24, 24), resize="keras", validation=0.1)
    splits = data.load(0)
    loader = keras.utils.image_dataset_from_directory(
        folder, image_size=(24, 24), batch_size=1, shuffle=False, verbose=False
    )
    theirs = {Path(path).read_bytes(): batch for path, batch in zip(loader.file_paths, loader, strict=True)}
    assert list(splits.class_names) == loader.class_names
    for part in (splits.train, splits.validation, splits.test):
        for row in range(len(part)):
            pixels, label = theirs[part.encoded(row)]
            assert np.abs(part.images[row] - pixels.numpy()[0]).max() <= ROUNDED
            assert part.labels[row] == int(label[0])


def test_arrays_go_by_the_same_rule():
    pixels = noise(33, 20, 4)
    reduced = decode(encode_png(pixels), 8, 8, 3, "keras")
    expected = keras.ops.image.resize(pixels[..., :3].astype(np.float32), (8, 8), antialias=False)
    assert np.abs(reduced - np.asarray(expected)).max() <= ROUNDED


def test_only_the_pixels_asked_for_are_the_pixels_of_the_whole(folder):
    """JPEG's chroma is upsampled where it is needed; what comes is what the whole image has there."""
    for path in (folder / "dog").glob("0-*.jpg"):
        rows, columns = np.array([0, 7, 8, 74]), np.array([100, 3, 0])
        with Image.open(path) as one, Image.open(path) as other:
            whole = sampler(other, 3)(np.arange(75), np.arange(101))
            np.testing.assert_array_equal(sampler(one, 3)(rows, columns), whole[rows][:, columns])
