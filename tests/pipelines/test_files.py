"""Folders and archives of images: the same data whatever the wrapping, and clear refusals."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from tkit_edge.errors import InputError
from tkit_pipelines import files as files_module
from tkit_pipelines.batches import Batches
from tkit_pipelines.data.images import Images
from tkit_pipelines.resolve import resolve
from tkit_pipelines.source import Shape
from tkit_pipelines.sources import archive as archive_module

SHAPE = Shape(4, 4, 1)


def load(path):
    return resolve(str(path)).load(SHAPE)


def equal(left, right):
    parts = [(left.train, right.train), (left.test, right.test)]
    return left.class_names == right.class_names and all(
        np.array_equal(a.images, b.images) and np.array_equal(a.labels, b.labels) for a, b in parts
    )


def test_folder_and_archives_are_equal(tmp_path, tree, write):
    folder = load(write["folder"](tmp_path / "data", tree))
    assert folder.class_names == ("cat", "dog")
    assert folder.train.labels.tolist() == [0] * 8 + [1] * 8
    assert folder.train.images[:, 1, 1, 0].tolist() == [*range(8), *range(100, 108)]
    assert folder.test.images[:, 1, 1, 0].tolist() == [50, 51, 150, 151]
    assert equal(folder, load(write["tar"](tmp_path / "data.tar.gz", tree)))
    assert equal(folder, load(write["tar"](tmp_path / "data.tar", tree, "w")))
    assert equal(folder, load(write["zip"](tmp_path / "data.zip", tree)))
    assert equal(folder, load(write["zip"](tmp_path / "called-anything", tree)))
    wrapped = {f"download/set/{name}": data for name, data in tree.items()}
    assert equal(folder, load(write["tar"](tmp_path / "wrapped.tgz", wrapped)))


def test_nothing_is_unpacked_to_disk(tmp_path, tree, write, cache):
    load(write["zip"](tmp_path / "data.zip", tree))
    files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"data.zip", "images.npy", "labels.npy", "meta.json"}


def test_without_train_and_test_a_fixed_part_is_held_out(tmp_path, tree, write):
    files = {name.removeprefix("train/"): data for name, data in tree.items() if name.startswith("train/")}
    data = Images(source=str(write["zip"](tmp_path / "flat.zip", files)), image_size=(4, 4), channels=1, batch_size=4)
    splits = [data.load(seed) for seed in range(6)]
    assert all(np.array_equal(part.test.images, splits[0].test.images) for part in splits)
    assert np.bincount(splits[0].test.labels).tolist() == [2, 2]
    assert len({part.validation.images.tobytes() for part in splits}) > 1
    assert all(len(part.train) + len(part.validation) == 12 for part in splits)


def test_images_deep_in_a_class_folder_count(tmp_path, tree, write):
    tree["train/cat/2024/may/deep.png"] = write["png"](77)
    assert len(load(write["zip"](tmp_path / "deep.zip", tree)).train) == 17


def test_a_class_may_be_called_train(tmp_path, write):
    files = {f"{name}/{i}.png": write["png"](i) for name in ("car", "train") for i in range(4)}
    assert load(write["folder"](tmp_path / "vehicles", files)).class_names == ("car", "train")


def refused(path, match):
    with pytest.raises(InputError, match=match) as caught:
        load(path)
    assert path.name in str(caught.value)


def test_a_damaged_image_is_named_and_leaves_no_cache(tmp_path, tree, write, cache):
    tree["train/dog/3.png"] = tree["train/dog/3.png"][:40]
    refused(write["zip"](tmp_path / "set.zip", tree), "train/dog/3.png")
    refused(write["folder"](tmp_path / "set", tree), "train/dog/3.png")
    assert not list((cache / "decoded").iterdir())


def test_wrong_shapes_of_data_are_explained(tmp_path, tree, write):
    def folder(name, files):
        return write["folder"](tmp_path / name, files)

    png = write["png"](1)
    refused(folder("flat", {"a.png": png, "b.png": png}), "no class folders")
    refused(folder("one", {"cat/a.png": png, "cat/b.png": png}), "only one class")
    refused(folder("hidden", {"cat/a.png": png, "dog/.b.png": png}), "class 'dog' has no images")
    refused(folder("single", {"a.png": png}), "no class folders")
    missing = {name: data for name, data in tree.items() if not name.startswith("test/dog")}
    refused(folder("missing", missing), "same class folders; only one of them has 'dog'")
    refused(folder("extra", {**tree, "more/cat/a.png": png}), "'more' beside 'train'")
    refused(
        folder("odd", {**tree, "valid/eel/a.png": png, "valid/cat/a.png": png}),
        "train/ and valid/ must have the same class folders.*'eel'",
    )
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "no class folders")
    (folder("emptyclass", tree) / "train" / "eel").mkdir()
    refused(tmp_path / "emptyclass", "class 'eel' has no images")


def test_a_readme_beside_the_wrapping_folder_is_passed_over(tmp_path, tree, write):
    files = {"LICENSE": b"do", **{f"set/{name}": data for name, data in tree.items()}}
    assert load(write["zip"](tmp_path / "set.zip", files)).class_names == ("cat", "dog")


@pytest.mark.parametrize("name", ["train/cat", "train/cat/0.png/x.png", "./train/cat/0.png"])
def test_names_that_contradict_each_other_are_refused(tmp_path, tree, write, name):
    refused(write["zip"](tmp_path / "odd.zip", {**tree, name: b"x"}), "also a file|two entries")


def test_a_batch_holds_what_there_is(tmp_path, tree, write):
    data = Images(source=str(write["folder"](tmp_path / "small", tree)), image_size=(4, 4), channels=1)
    batches = Batches(data.load(0).train, data, lambda columns: columns["label"], 0)
    assert (batches.batch_size, batches.steps_per_epoch) == (14, 1)
    assert batches.batch(0, 0)[0].shape[0] == 14


@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png", "train/../../out.png", "..\\out.png", "C:/out.png"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_members_outside_the_archive_are_refused(tmp_path, tree, write, kind, name):
    refused(write[kind](tmp_path / "hostile", {**tree, name: b"x"}), "member outside itself")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, tree, write, kind):
    path = write["tar"](tmp_path / "links.tar", tree, "w")
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo("train/cat/link.png")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    refused(path, "link or device")


def test_links_in_a_zip_are_refused(tmp_path, tree, write):
    path = write["zip"](tmp_path / "links.zip", tree)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("train/cat/link.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    refused(path, "link or device")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path, tree, write, kind, monkeypatch):
    monkeypatch.setattr(archive_module, "RATIO_FLOOR", 1 << 20)
    tree["train/cat/bomb.png"] = bytes(8 << 20)
    refused(write[kind](tmp_path / "bomb", tree), "unpacks to more than 200 times")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_too_many_and_too_large_members_are_refused(tmp_path, tree, write, kind, monkeypatch):
    path = write[kind](tmp_path / "many", tree)
    with monkeypatch.context() as patch:
        patch.setattr(archive_module, "MAX_MEMBERS", 10)
        refused(path, "more than 10 members")
    with monkeypatch.context() as patch:
        patch.setattr(archive_module, "MAX_IMAGE_BYTES", 50)
        refused(path, "a member of")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_tar_whose_headers_are_huge_is_refused_without_reading_them(tmp_path, tree, write, kind):
    path = tmp_path / "headers.tar.gz"
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 200 << 20
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.write(bytes(info.size))
    tracemalloc.start()
    refused(path, "a header of 209,715,200 bytes")
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def test_a_table_that_names_a_device_or_a_huge_file_is_refused(tmp_path, write, monkeypatch):
    (tmp_path / "a.png").write_bytes(write["png"](1))
    (tmp_path / "set.csv").write_text("a.png,cat\n/dev/zero,dog\n")
    with pytest.raises(InputError, match="/dev/zero: is no regular file"):
        load(tmp_path / "set.csv")
    monkeypatch.setattr(files_module, "MAX_IMAGE_BYTES", 20)
    with pytest.raises(InputError, match=r"a\.png: has \d+ bytes; the limit is 20"):
        load(tmp_path / "set.csv")


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_truncated_archives_are_refused(tmp_path, tree, write, kind):
    path = write[kind](tmp_path / "cut", tree)
    whole = path.read_bytes()
    for size in (len(whole) - 5, len(whole) // 2, 30):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"damaged|none of the files"):
            load(path)


def test_a_changed_byte_in_a_gzip_is_refused(tmp_path, tree, write):
    path = write["tar"](tmp_path / "flipped.tar.gz", tree)
    data = bytearray(path.read_bytes())
    data[-6] ^= 1  # its checksum
    path.write_bytes(data)
    refused(path, "damaged")


def test_gzip_of_something_else_is_refused(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"no tar at all" * 100))
    refused(tmp_path / "x.gz", "damaged")


def test_an_encrypted_zip_is_refused(tmp_path, tree, write):
    path = write["zip"](tmp_path / "secret.zip", tree)
    data = path.read_bytes().replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
    path.write_bytes(data)
    refused(path, "encrypted|damaged")


def test_a_folder_linked_into_itself_is_read_once(tmp_path, tree, write):
    folder = write["folder"](tmp_path / "data", tree)
    os.symlink(folder, folder / "train" / "cat" / "again")
    assert len(load(folder).train) == 16


def test_sizes_and_colours_are_brought_to_one(tmp_path, write):
    files = {}
    for number, (mode, size) in enumerate([("RGB", (9, 5)), ("L", (3, 8)), ("P", (6, 6)), ("RGBA", (20, 20))]):
        for name in ("cat", "dog"):
            encoded = io.BytesIO()
            Image.new(mode, size, 200 if mode in "LP" else (200,) * len(mode)).save(encoded, "PNG")
            files[f"{name}/{number}.png"] = encoded.getvalue()
    loaded = resolve(str(write["folder"](tmp_path / "mixed", files))).load(Shape(6, 5, 3))
    assert loaded.train.images.shape == (8, 6, 5, 3)
    assert (loaded.train.images[0] == 200).all()


@pytest.mark.realdata
@pytest.mark.slow
def test_the_real_archive(jpegs):
    """All 60,000; every image as Pillow decodes it (a sample), and from the cache the same."""
    data = Images(source=str(jpegs), image_size=(32, 32))
    splits = data.load(0)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (45_000, 5_000, 10_000)
    assert splits.class_names[0] == "airplane"
    assert np.bincount(splits.validation.labels).tolist() == [500] * 10
    with tarfile.open(jpegs) as archive:
        member = archive.extractfile("test/airplane/0000.jpg").read()
    np.testing.assert_array_equal(splits.test.images[0], np.asarray(Image.open(io.BytesIO(member))))
    again = data.load(0)
    np.testing.assert_array_equal(splits.train.images, again.train.images)
    np.testing.assert_array_equal(splits.train.labels, again.train.labels)
