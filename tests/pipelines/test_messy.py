"""Folders as people have them: every format and mode, files that are no images, and what is said about them."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tkit_edge import images
from tkit_edge.errors import InputError
from tkit_pipelines.data.images import Images
from tkit_pipelines.resolve import resolve
from tkit_pipelines.source import Shape


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def image(size=(9, 6), mode="RGB", value=200):
    colour = value if mode in ("L", "P", "I;16", "1") else (value,) * len(mode)
    return Image.new(mode, size, colour)


def rotated():
    """6 wide and 9 high on the disk, red above green; upright it is 9 wide with red on the right."""
    image = Image.new("RGB", (6, 9), (255, 0, 0))
    image.paste((0, 255, 0), (0, 5, 6, 9))
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(image, "JPEG", exif=exif, quality=95)


def frames():
    return encoded(image(mode="L"), "GIF", save_all=True, append_images=[image(mode="L", value=10)])


MESSY = {
    "a.jpg": encoded(image(), "JPEG"),
    "b.png": encoded(image((30, 4)), "PNG"),
    "c.bmp": encoded(image(), "BMP"),
    "d.webp": encoded(image(), "WEBP", lossless=True),
    "e.gif": frames(),
    "f.png": encoded(image(mode="L"), "PNG"),
    "g.png": encoded(image(mode="L").convert("P"), "PNG"),
    "h.png": encoded(image(mode="RGBA"), "PNG"),
    "i.png": encoded(image(mode="LA"), "PNG"),
    "j.jpg": encoded(image(mode="CMYK", value=29), "JPEG"),
    "upper.PNG": encoded(image((4, 40)), "PNG"),
    "no suffix": encoded(image(), "PNG"),
}
NO_IMAGES = {"cat/.hidden.png": b"x", "cat/Thumbs.db": b"x", "__MACOSX/cat/._a.jpg": b"x", "cat/.DS_Store": b"x"}


@pytest.fixture(params=["folder", "tar", "zip"])
def packed(request, tmp_path, write):
    return lambda files, name="set": write[request.param](tmp_path / name, files)


def test_every_format_and_mode_is_read_and_what_is_no_image_is_not(packed):
    files = {f"{name}/deep/{file}": data for name in ("cat", "dog") for file, data in MESSY.items()}
    loaded = resolve(str(packed({**files, **NO_IMAGES}))).load(Shape(6, 9, 3))
    assert loaded.class_names == ("cat", "dog")
    assert loaded.train.images.shape == (24, 6, 9, 3)
    values = loaded.train.images[:].reshape(24, -1).astype(int)
    grey = [name not in ("h.png", "i.png") for name in sorted(MESSY)] * 2
    assert (abs(values[grey] - 200) <= 8).all()
    assert (abs(values[~np.array(grey)] - 157) <= 1).all()  # 200 with alpha 200, over black


def test_a_turned_image_is_upright(packed):
    files = {f"{name}/{number}.jpg": rotated() for name in ("cat", "dog") for number in range(2)}
    upright = resolve(str(packed(files))).load(Shape(6, 9, 3)).train.images[0]
    assert upright[3, 7, 0] > 200 > upright[3, 7, 1]
    assert upright[3, 1, 1] > 200 > upright[3, 1, 0]


def huge_png():
    """A PNG of a hundred bytes whose header says 100,000 x 100,000."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(30))) + chunk(b"IEND", b"")


BAD = {
    "empty.jpg": (b"", "not an image"),
    "cut.jpg": (MESSY["a.jpg"][:-40], "damaged"),
    "cut.png": (MESSY["b.png"][:50], "damaged"),
    "page.tiff": (encoded(image(), "TIFF"), "not an image"),
    "huge.png": (huge_png(), "too large"),
}


def with_bad(tree, *names):
    return {**tree, **{f"train/cat/{name}": BAD[name][0] for name in names}}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_image_is_named_with_the_way_on(packed, tree, cache, name):
    import tracemalloc

    path = packed(with_bad(tree, name))
    tracemalloc.start()
    with pytest.raises(InputError, match=BAD[name][1]) as caught:
        resolve(str(path)).load(Shape(4, 4, 1))
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert f"train/cat/{name}" in str(caught.value)
    assert "data.skip_bad=true" in str(caught.value)
    assert not list((cache / "decoded").iterdir())


def data(path, **settings):
    return Images(source=str(path), image_size=(4, 4), channels=1, batch_size=4, **settings)


def test_skip_bad_goes_on_counts_and_says_which_first(packed, tree):
    path = packed(with_bad(tree, *BAD))
    for _ in range(2):  # decoded, and from the cache
        splits = data(path, skip_bad=True).load(0)
        assert len(splits.train) + len(splits.validation) == 16
        assert [bad.name.rpartition("/")[2] for bad in splits.skipped] == sorted(BAD)
        [remark] = [line for line in splits.remarks() if "skipped" in line]
        assert remark.startswith("5 files were skipped; the first: ")
        assert "train/cat/cut.jpg" in remark
    with pytest.raises(InputError, match=r"train/cat/cut\.jpg"):  # the cache doesn't hide them
        data(path).load(0)


def test_labels_and_files_stay_with_their_images_past_a_bad_one(packed, tree):
    splits = data(packed(with_bad(tree, "cut.png", "empty.jpg")), skip_bad=True).load(0)
    for part in (splits.train, splits.validation, splits.test):
        for index in range(len(part)):
            np.testing.assert_array_equal(images.decode(part.encoded(index), 4, 4, 1), part.images[index])
            assert (part.images[index][1, 1, 0] >= 100) == bool(part.labels[index])


def test_a_class_with_bad_files_alone_is_empty(packed, tree):
    files = {**tree, "train/eel/a.png": b"no", "test/eel/b.png": tree["test/cat/0.png"]}
    with pytest.raises(InputError, match=r"class 'eel' has no training images \(1 file was skipped\)"):
        data(packed(files), skip_bad=True).load(0)


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_encoded_gives_each_images_own_file(tmp_path, tree, write, kind):
    path = write[kind](tmp_path / "set", tree)
    for _ in range(2):  # decoded, and from the cache
        splits = data(path).load(0)
        for part in (splits.train, splits.test):
            again = part.take(np.arange(len(part))[::-2])
            for index in range(len(again)):
                file = again.encoded(index)
                assert file in tree.values()
                np.testing.assert_array_equal(images.decode(file, 4, 4, 1), again.images[index])


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_encoded_refuses_a_source_that_has_changed(tmp_path, tree, write, kind):
    path = write[kind](tmp_path / "set", tree)
    splits = data(path).load(0)
    write[kind](tmp_path / "set", {name: write["png"](7, 9) for name in tree})
    with pytest.raises(InputError, match="changed since"):
        splits.train.encoded(0)


def test_sources_without_files_have_no_encoded_images():
    assert data("synthetic:3").load(0).train.encoded(0) is None


def test_a_link_to_nowhere_is_a_bad_file(tmp_path, tree, write):
    folder = write["folder"](tmp_path / "set", tree)
    (folder / "train" / "dog" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(InputError, match=r"gone\.png: cannot be read: No such file.*skip_bad"):
        data(folder).load(0)
    splits = data(folder, skip_bad=True).load(0)
    assert [bad.name for bad in splits.skipped] == [str(folder / "train" / "dog" / "gone.png")]
