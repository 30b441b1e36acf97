"""Images as arrays (NPZ, IDX) and as a table of files (CSV): one path each, the same rule for sizes."""

from __future__ import annotations

import gzip
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from tkit_edge import images
from tkit_edge.errors import InputError
from tkit_pipelines import cache as cache_module
from tkit_pipelines.data.images import Images
from tkit_pipelines.resolve import resolve
from tkit_pipelines.source import Shape
from tkit_pipelines.sources import npz as npz_module


def arrays(count=20, shape=(6, 5, 3), classes=2, first=0):
    pixels = np.random.default_rng(count).integers(0, 256, (count, *shape)).astype(np.uint8)
    return pixels, np.arange(count) % classes + first


def npz(folder, **named):
    np.savez_compressed(folder / "set.npz", **named)
    return folder / "set.npz"


def load(path, shape=(6, 5, 3)):
    return resolve(str(path)).load(Shape(*shape))


def by_png(image, shape):
    """The image as tkit's decoder brings a file of it to `shape`."""
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze()).save(buffer, "PNG")
    return images.decode(buffer.getvalue(), *shape)


@pytest.mark.parametrize(
    "keys", [("x_train", "y_train", "x_test", "y_test"), ("images", "labels", "test_images", "test_labels")]
)
def test_npz_gives_the_arrays(tmp_path, keys):
    (train, train_labels), (test, test_labels) = arrays(), arrays(6)
    path = npz(tmp_path, **dict(zip(keys, (train, train_labels[:, None], test, test_labels), strict=True)))
    for _ in range(2):
        loaded = load(path)
        np.testing.assert_array_equal(loaded.train.images[:], train)
        np.testing.assert_array_equal(loaded.test.images[:], test)
        np.testing.assert_array_equal(loaded.train.labels, train_labels)
        assert loaded.class_names == ("0", "1")
        assert loaded.train.encoded(0) is None
    assert load(npz(tmp_path, **{keys[0]: train, keys[1]: train_labels})).test is None


@pytest.mark.parametrize("own", [(8, 9), (8, 9, 1), (8, 9, 3), (8, 9, 4)])
def test_another_size_or_channels_goes_by_the_rule_for_files(tmp_path, own):
    pixels, labels = arrays(4, own)
    for shape in ((6, 5, 3), (6, 5, 1), (8, 9, 1)):
        expected = [by_png(image, shape) for image in pixels]
        np.testing.assert_array_equal(
            load(npz(tmp_path, images=pixels, labels=labels), shape).train.images[:], expected
        )
        (tmp_path / "set.npz").unlink()


def test_classes_are_the_labels_that_occur_or_have_names(tmp_path):
    pixels, labels = arrays(20, first=4)
    assert load(npz(tmp_path, images=pixels, labels=labels)).class_names == ("4", "5")
    named = npz(tmp_path, images=pixels, labels=labels - 4, class_names=np.array(["ant", "bee"]))
    assert load(named).class_names == ("ant", "bee")


PIXELS, LABELS = arrays()


@pytest.mark.parametrize(
    ("named", "match"),
    [
        ({"a": PIXELS}, "expected x_train and y_train.*found a"),
        ({"x_train": PIXELS}, "expected x_train and y_train"),
        ({"x_train": PIXELS, "y_train": LABELS, "x_test": PIXELS}, "only one of x_test and y_test"),
        ({"images": PIXELS / 255.0, "labels": LABELS}, "must be uint8, 0 to 255; received float64"),
        ({"images": PIXELS[None], "labels": LABELS}, r"must be \[N, H, W\]"),
        ({"images": np.zeros((20, 4, 4, 2), np.uint8), "labels": LABELS}, r"must be \[N, H, W\]"),
        ({"images": PIXELS, "labels": LABELS[:5]}, "one an image"),
        ({"images": PIXELS, "labels": LABELS / 2}, "must be integers"),
        ({"images": PIXELS, "labels": np.eye(2, dtype=int)[LABELS]}, r"received \[20, 2\]"),
        ({"images": PIXELS, "labels": LABELS - 1}, "labels must be 0 or more, received -1"),
        ({"images": PIXELS, "labels": LABELS + 1, "class_names": np.array(["a", "b"])}, "labels must be 0 to 1"),
        ({"images": PIXELS, "labels": LABELS * 0}, "only one class"),
        ({"images": PIXELS, "labels": np.array([object()] * 20)}, "pickle|damaged"),
        ({"images": PIXELS[:0], "labels": LABELS[:0]}, "training images are none"),
    ],
)
def test_arrays_that_cannot_be_used_are_explained(tmp_path, named, match, cache):
    data = Images(source=str(npz(tmp_path, **named)), image_size=(6, 5), batch_size=4)
    with pytest.raises(InputError, match=match) as caught:
        data.load(0)
    assert "set.npz" in str(caught.value)


def test_a_damaged_or_exploding_npz_is_refused(tmp_path, monkeypatch):
    path = npz(tmp_path, images=PIXELS, labels=LABELS)
    whole = path.read_bytes()
    path.write_bytes(whole[:200] + b"x" * 20 + whole[220:])
    with pytest.raises(InputError, match="damaged"):
        load(path)
    path.write_bytes(whole)
    monkeypatch.setattr(npz_module, "machine_memory", lambda: 1000)
    with pytest.raises(InputError, match="more than this machine's memory"):
        load(path)


def test_a_zip_of_arrays_and_images_is_an_archive(tmp_path, tree, write):
    path = write["zip"](tmp_path / "set.zip", tree)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("notes.npy", b"x")
    assert resolve(str(path)).load(Shape(4, 4, 1)).class_names == ("cat", "dog")


def idx_bytes(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_idx(folder, train, test, suffix="", dot="-"):
    folder.mkdir(exist_ok=True)
    pack = gzip.compress if suffix else bytes
    for prefix, (pixels, labels) in (("train", train), ("t10k", test)):
        (folder / f"{prefix}-images{dot}idx3-ubyte{suffix}").write_bytes(pack(idx_bytes(pixels)))
        (folder / f"{prefix}-labels{dot}idx1-ubyte{suffix}").write_bytes(pack(idx_bytes(labels)))
    return folder


@pytest.mark.parametrize(("suffix", "dot"), [("", "-"), (".gz", "-"), ("", ".")])
def test_idx_files_give_their_images(tmp_path, suffix, dot):
    train, test = arrays(20, (7, 6), first=1), arrays(8, (7, 6), first=1)
    folder = write_idx(tmp_path / "mnist", train, test, suffix, dot)
    for _ in range(2):
        loaded = load(folder, (7, 6, 1))
        np.testing.assert_array_equal(loaded.train.images[:][..., 0], train[0])
        np.testing.assert_array_equal(loaded.test.images[:][..., 0], test[0])
        np.testing.assert_array_equal(loaded.test.labels, test[1] - 1)
        assert loaded.class_names == ("1", "2")


def test_idx_files_that_do_not_hold_what_they_say_are_refused(tmp_path):
    def refused(name, data, match):
        folder = write_idx(tmp_path / "mnist", arrays(20, (7, 6)), arrays(8, (7, 6)))
        path = folder / name
        path.unlink() if data is None else path.write_bytes(data)
        with pytest.raises(InputError, match=match):
            load(folder, (7, 6, 1))

    whole = idx_bytes(arrays(20, (7, 6))[0])
    refused("train-images-idx3-ubyte", whole[:-1], "announces 840 bytes and holds 839")
    refused("train-images-idx3-ubyte", whole + b"x", "holds more")
    refused("train-images-idx3-ubyte", whole[:9], "no IDX file")
    refused("train-images-idx3-ubyte", whole[:4] + b"\xff" * 12, "more than this machine's memory")
    refused("train-images-idx3-ubyte", b"", "no IDX file")
    refused("t10k-labels-idx1-ubyte", None, "expected its labels beside it")
    refused("t10k-labels-idx1-ubyte", idx_bytes(np.zeros(7)), "one an image")
    refused("fashion-images-idx3-ubyte", whole, "expected one file of training images")


def table(folder, tree, write, lines, name="set.csv"):
    write["folder"](folder, tree)
    (folder / name).write_text("\n".join(lines), encoding="utf-8-sig")
    return folder / name


def rows(tree, form="{file},{label}"):
    found = []
    for file in tree:
        parts = file.split("/")
        if file.endswith(".png"):
            found.append(form.format(file=file, label=parts[1], split=parts[0]))
    return found


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("filename,class,split", "{file},{label},{split}"),
        ("split;Image;Label;other", "{split};{file};{label};1"),
        ("path\tlabel\tsplit", "{file}\t{label}\t{split}"),
    ],
)
def test_a_table_gives_what_the_folder_gives(tmp_path, tree, write, header, form):
    from_table = load(table(tmp_path / "a", tree, write, [header, *rows(tree, form)]), (4, 4, 1))
    from_folder = load(write["folder"](tmp_path / "b", tree), (4, 4, 1))
    assert from_table.class_names == from_folder.class_names
    for one, other in ((from_table.train, from_folder.train), (from_table.test, from_folder.test)):
        np.testing.assert_array_equal(one.images[:], other.images[:])
        np.testing.assert_array_equal(one.labels, other.labels)
        assert [one.encoded(i) for i in range(len(one))] == [other.encoded(i) for i in range(len(other))]


def test_a_table_without_a_header_and_with_numbers(tmp_path, tree, write):
    lines = [line.replace("cat", "10", 2).replace("10", "cat", 1).replace(",dog", ",9") for line in rows(tree)]
    loaded = load(table(tmp_path / "set", tree, write, lines), (4, 4, 1))
    assert loaded.class_names == ("9", "10")
    assert len(loaded.train) == 20
    assert loaded.test is None


def test_a_tables_mistakes_are_explained(tmp_path, tree, write):
    def refused(lines, match):
        path = table(tmp_path / "set", tree, write, lines)
        with pytest.raises(InputError, match=match) as caught:
            load(path, (4, 4, 1))
        assert "set" in str(caught.value)

    good = rows(tree)
    refused([], "the table is empty")
    refused(["filename,kind", *good], "'filename', 'kind', which holds the labels isn't known. Call it 'label'")
    refused(["where,kind", *good], "'where', 'kind', .*Call them 'file' and 'label'")
    refused([*good, "alone"], r"line 21: 'alone'")
    refused([*good, "train/cat/0.png,cat"], "'train/cat/0.png' is on line 1 and on line 21")
    refused([*good, "missing.png,cat"], r"missing.png: cannot be read.*skip_bad")
    refused(["file,label,split", "train/cat/0.png,cat,later"], "split must be train, test or validation")
    refused([*good, "set.csv,cat"], "set.csv is not an image")
    (tmp_path / "set" / "set.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        load(tmp_path / "set" / "set.csv")


def test_a_changed_table_or_image_is_read_again(tmp_path, tree, write):
    path = table(tmp_path / "set", tree, write, rows(tree))
    load(path, (4, 4, 1))
    before = len(list((cache_module.cache_dir() / "decoded").iterdir()))
    path.write_text(path.read_text().replace(",dog", ",cat", 1))
    load(path, (4, 4, 1))
    (tmp_path / "set/train/cat/0.png").write_bytes(write["png"](3, 9))
    load(path, (4, 4, 1))
    assert len(list((cache_module.cache_dir() / "decoded").iterdir())) == before + 2


@pytest.mark.parametrize(
    "keys",
    [
        ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"),
        ("images", "labels", "validation_images", "validation_labels", "test_images", "test_labels"),
    ],
)
def test_a_validation_part_of_the_files_own_is_the_validation_part(tmp_path, keys):
    values = [value for count in (20, 8, 6) for value in arrays(count)]
    path = npz(tmp_path, **dict(zip(keys, values, strict=True)))
    for _ in range(2):  # decoded, and out of the cache
        splits = Images(source=str(path), image_size=(6, 5)).load(seed=0)
        for part, (pixels, labels) in zip(
            (splits.train, splits.validation, splits.test), zip(values[::2], values[1::2], strict=True), strict=True
        ):
            np.testing.assert_array_equal(part.images, pixels)
            np.testing.assert_array_equal(part.labels, labels)
    without = npz(tmp_path, **dict(zip(keys[:4], values[:4], strict=True)))
    splits = Images(source=str(without), image_size=(6, 5)).load(seed=0)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [16, 8, 4]


def test_images_need_no_labels_where_none_are_wanted(tmp_path):
    path = npz(tmp_path, x_train=PIXELS, x_test=PIXELS[:4])
    splits = Images(source=str(path), image_size=(6, 5), labels="none").load(seed=0)
    assert (len(splits.train), len(splits.test), list(splits.test.columns)) == (18, 4, ["image"])
    with pytest.raises(InputError, match="expected x_train and y_train"):
        Images(source=str(path), image_size=(6, 5)).load(seed=0)
