"""JSON and .npz files whose author isn't trusted."""

import io
import os
import zipfile

import numpy as np
import pytest

from tkit_edge import json_file
from tkit_edge.errors import InputError
from tkit_edge.files import read_arrays
from tkit_edge.json_file import parse_json, read_json


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": [1, {"b": NaN}]}', "my.json: a.1.b: expected a finite number, received nan"),
        (b'{"a": 1e999}', "a: expected a finite number"),
        (b'{"a": -1' + b"0" * 5000 + b"}", "a: expected a finite number, received -inf"),
        (b'{"a": 9223372036854775808}', "a: expected a whole number of 64 bits"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' occurs twice"),
        (b'{"a\\u001b[2J": 1}', "'a\\x1b[2J': expected a key"),
        (b'{"a": "\\u0000"}', "a: expected text"),
        (b'{"a": "\\udc00"}', "a: expected text"),
        (b"[" * 100_000, "not valid JSON"),
        (b"[" * 102 + b"]" * 102, "at most 100 levels"),
        (b"\xff", "not valid JSON"),
    ],
)
def test_json_that_is_refused_and_where(data, message):
    with pytest.raises(InputError, match="my.json") as refused:
        parse_json(data, "my.json")
    assert message in str(refused.value)


def test_json_that_is_taken():
    assert parse_json(b'{"a": [1, -2.5, "\\u00e9", null, true, {}]}', "x") == {"a": [1, -2.5, "é", None, True, {}]}
    assert parse_json(b"[NaN]", "x", finite=False)[0] != 0
    deep = b"[" * 101 + b"]" * 101
    assert parse_json(deep, "x")


def test_files_that_are_too_large_or_none(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_bytes(b"[1, 2]")
    assert read_json(path, 6) == [1, 2]
    with pytest.raises(InputError, match="expected at most 5"):
        read_json(path, 5)
    monkeypatch.setattr(json_file, "MAX_CONTAINERS", 0)
    with pytest.raises(InputError, match="objects and lists"):
        read_json(path, 6)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a regular file"):
        read_json(tmp_path / "pipe", 6)


def archive(header=None, data=b"", **options):
    """An .npz with one array `a`, its bytes with another header where one is given."""
    buffer, part = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(part, header or {"shape": (2,), "fortran_order": False, "descr": "<f4"})
    with zipfile.ZipFile(buffer, "w", **options) as members:
        members.writestr("a.npy", part.getvalue() + data)
    return buffer


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (archive({"shape": (2**40,), "fortran_order": False, "descr": "<f4"}, bytes(8)), "has 136 bytes for float32"),
        (archive({"shape": (-2, -1), "fortran_order": False, "descr": "<f4"}, bytes(8)), "bytes for float32"),
        (archive({"shape": (1,), "fortran_order": False, "descr": "|O"}, bytes(8)), "holds Python objects"),
        (archive(data=bytes(8), compression=zipfile.ZIP_BZIP2), "packed in a way"),
        (archive(data=bytes(10**7), compression=zipfile.ZIP_DEFLATED), "unpacks to"),
        (io.BytesIO(b"PK\3\4"), "no whole .npz file"),
    ],
)
def test_archives_of_arrays_that_are_refused(file, message):
    with pytest.raises(InputError, match=message):
        read_arrays(file, "my.npz", limit=10**6)


def test_an_archive_of_arrays_that_is_taken():
    found = read_arrays(archive(data=np.float32([1, 2]).tobytes()), "my.npz", limit=1000)
    np.testing.assert_array_equal(found["a"], np.float32([1, 2]))
