"""The cache of decoded images: used when whole, made again when it or its source has changed."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from tkit_edge.errors import InputError
from tkit_pipelines import cache as cache_module
from tkit_pipelines import encoded
from tkit_pipelines.resolve import resolve
from tkit_pipelines.source import Shape

SHAPE = Shape(4, 4, 1)


@pytest.fixture
def decoded(monkeypatch):
    """The names of the images that were decoded, in a list that grows."""
    names = []
    real = encoded.images.decode

    def decode(data, *shape, name):
        names.append(name)
        return real(data, *shape, name=name)

    monkeypatch.setattr(encoded.images, "decode", decode)
    return names


@pytest.fixture(params=["folder", "zip"])
def path(request, tmp_path, tree, write):
    return write[request.param](tmp_path / "data", tree)


def load(path, shape=SHAPE):
    return resolve(str(path)).load(shape)


def test_the_second_load_decodes_nothing(path, decoded):
    first = load(path)
    assert len(decoded) == 20
    second = load(path)
    assert len(decoded) == 20
    np.testing.assert_array_equal(first.train.images, second.train.images)
    assert isinstance(second.train.images.store, np.memmap)


def test_another_size_or_channels_is_another_entry(path, decoded):
    for shape in (SHAPE, Shape(4, 5, 1), Shape(4, 4, 3), SHAPE):
        assert load(path, shape).train.images.shape[1:] == shape.array
    assert len(decoded) == 60


def test_a_new_decode_version_is_another_entry(path, decoded, monkeypatch):
    load(path)
    monkeypatch.setattr(encoded, "DECODE_VERSION", encoded.DECODE_VERSION + 1)
    load(path)
    assert len(decoded) == 40


def test_a_changed_source_is_decoded_again(tmp_path, tree, write, decoded):
    folder = write["folder"](tmp_path / "data", tree)
    load(folder)
    changed = folder / "train" / "cat" / "0.png"
    changed.write_bytes(write["png"](33))
    os.utime(changed, ns=(1, 1))
    assert load(folder).train.images[0, 1, 1, 0] == 33
    (folder / "train" / "cat" / "9.png").write_bytes(write["png"](9))
    assert len(load(folder).train) == 17


def truncate(entry):
    path = entry / "images.npy"
    path.write_bytes(path.read_bytes()[:-1])


def flip_a_bit(entry):
    path = entry / "images.npy"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


def change_a_label(entry):
    labels = np.load(entry / "labels.npy")
    np.save(entry / "labels.npy", labels[::-1].copy())


def lose_meta(entry):
    (entry / "meta.json").unlink()


def half_meta(entry):
    path = entry / "meta.json"
    path.write_text(path.read_text()[:-9])


def foreign_meta(entry):
    meta = json.loads((entry / "meta.json").read_text())
    (entry / "meta.json").write_text(json.dumps({**meta, "key": {}}))


def listed_meta(entry):
    (entry / "meta.json").write_text("[]")


def empty_images(entry):
    (entry / "images.npy").write_bytes(b"")


DAMAGES = [
    truncate,
    flip_a_bit,
    change_a_label,
    lose_meta,
    half_meta,
    foreign_meta,
    listed_meta,
    empty_images,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_made_again(path, decoded, cache, damage):
    pixels, labels = load(path).train.images[:], load(path).train.labels.copy()
    [entry] = (cache / "decoded").iterdir()
    damage(entry)
    again = load(path)
    assert len(decoded) == 40
    np.testing.assert_array_equal(again.train.images, pixels)
    np.testing.assert_array_equal(again.train.labels, labels)
    load(path)
    assert len(decoded) == 40


def test_writing_to_loaded_images_does_not_reach_the_cache(path):
    load(path).train.images.store[...] = 0
    assert load(path).train.images[:].any()


def test_an_interruption_leaves_nothing(path, cache, monkeypatch):
    def interrupted(*arguments, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(encoded.images, "decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load(path)
    assert not list((cache / "decoded").iterdir())


def test_a_cache_that_cannot_be_written_is_explained(path, cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(InputError, match="TKIT_CACHE"):
        load(path)


@pytest.mark.parametrize("limit", [300, 440])
def test_a_write_that_fails_is_explained_and_leaves_nothing(path, cache, limit):
    """A limit on file sizes stands in for a full disk: it cuts a write in the midst of an image."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(InputError, match=r"cannot write decoded images.*TKIT_CACHE"):
            load(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list((cache / "decoded").iterdir())
    assert len(load(path).train) == 16


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.delenv("TKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache_module.sys, "platform", "linux")
    assert cache_module.cache_dir() == tmp_path / "tkit"


def test_what_dead_writers_left_is_removed_and_what_living_ones_write_is_not(path, cache, monkeypatch):
    old, young, held = (cache / "decoded" / f"abc.partial-{name}" for name in ("old", "young", "held"))
    for folder in (old, young, held):
        folder.mkdir(parents=True)
        (folder / "images.npy").write_bytes(b"half")
    for folder in (old, held):
        os.utime(folder, (1, 1))
    lock = cache_module._lock(held)
    load(path)
    os.close(lock)
    assert not old.exists()
    assert young.exists() and held.exists()


def test_a_full_disk_is_explained_and_leaves_nothing(tmpfs, tmp_path, tree, write, monkeypatch):
    """A real file system of 64 KiB; where mounting is not allowed, the limit on file sizes above stands in."""
    disk = tmpfs("64k")
    monkeypatch.setenv("TKIT_CACHE", str(disk))
    source = write["zip"](tmp_path / "set.zip", tree)
    with pytest.raises(InputError, match=r"cannot write decoded images.*[Ss]pace.*Free 0.*TKIT_CACHE"):
        load(source, Shape(64, 64, 3))
    assert not list((disk / "decoded").iterdir())
    assert len(load(source).train) == 16  # smaller images fit


def test_what_is_held_is_listed_and_cleared_but_for_what_is_being_written(path, cache):
    load(path)
    key = {"source": {"path": "other"}, "shape": [4, 4, 1], "decode_version": 0}
    with cache_module.write(key, 1, 0, ("a",), (), SHAPE) as writer:
        writer.put(0, np.zeros((4, 4, 1), np.uint8), 0)
        whole = [item for item in cache_module.held() if item.images]
        assert [(item.source, item.shape, item.images) for item in whole] == [(str(path), (4, 4, 1), 20)]
        assert cache_module.clear() == whole[0].bytes > 0
        assert len(cache_module.held()) == 1
    assert [item.source for item in cache_module.held()] == ["other"]
    assert cache_module.clear() > 0
    assert cache_module.held() == []
