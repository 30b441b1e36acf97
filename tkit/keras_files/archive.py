"""Checks a .keras file without Keras: its zip, its JSON and its HDF5 file.

Keras's safe mode has had bypasses, and its loader trusts what an archive claims to be. Here the members, their
sizes, the classes and the storage of arrays are checked first.
"""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

from tkit.keras_files import hdf5
from tkit.keras_files.config import checked
from tkit_edge import files
from tkit_edge.errors import InputError

HDF5 = (".h5", ".hdf5")
"""Suffixes of Keras's older format."""
MAX_BYTES = 1 << 30
"""Bytes of the file, of its unpacked members, and of its arrays."""
MAX_CONFIG_BYTES = 64 << 20
# Keras doesn't compress; weights that somebody has compressed shrink by a small factor, and small files may be
# anything.
MAX_RATIO, RATIO_FLOOR = 100, 16 << 20
MAX_OBJECTS = 100_000  # groups and arrays of the HDF5 file
_MEMBERS = {"metadata.json": 1 << 20, "config.json": MAX_CONFIG_BYTES, "model.weights.h5": MAX_BYTES}
_END = struct.Struct("<4s4H2IH")  # the zip's end record, APPNOTE 4.3.16
_MAX_DIRECTORY = 4096  # bytes of the zip's directory; three members take about 200
_FILTERS = {1, 2, 3}  # of HDF5: deflate, shuffle, checksum; others may be libraries that it loads from the disk


def read(path: Path) -> tuple[dict[str, Any], bytes]:
    """The model's JSON and the HDF5 file of its weights, both checked.

    Raises:
        InputError: no complete .keras file, or one with anything that Keras's own `model.save` doesn't write: other
            members, links, members that unpack to far more than their own size, classes that aren't stock Keras, or
            arrays that aren't in the file.
    """
    _refuse_saved_model(path)
    data = files.read_bytes(path, MAX_BYTES)
    if data.startswith(b"\x89HDF\r\n\x1a\n"):
        if path.suffix.lower() not in HDF5:
            raise InputError(f"{path} is an HDF5 file, Keras's older format. Rename it: {path.stem}.h5")
        _check_hdf5(data, path)
        return checked(hdf5.model_config(data, path, MAX_CONFIG_BYTES), path), data
    if path.suffix.lower() in HDF5:
        raise InputError(f"{path} is not an HDF5 file. Is it complete?")
    try:
        text, weights = _members(data, path)
        config = json.loads(text)
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, RecursionError, EOFError, RuntimeError) as error:
        raise _not_whole(path, f"found {error}. Is it complete?") from error
    if not isinstance(config, dict):
        raise _not_whole(path, "its config.json is not an object. Save it again.")
    config = checked(config, path)
    _check_hdf5(weights, path)
    return config, weights


def _refuse_saved_model(path: Path) -> None:
    """Raises InputError: a SavedModel is a graph of TensorFlow operations, which no longer has layers."""
    if not (path / "saved_model.pb").is_file():
        return
    if (path / "keras_metadata.pb").is_file():
        how = f"import tf_keras; tf_keras.models.load_model('{path.name}').save('model.h5')"
    else:
        how = "from where the model was exported, save it as Keras does: model.save('model.keras')"
    raise InputError(
        f"{path} is a SavedModel, a graph of TensorFlow operations that no longer shows layers. Convert it to a file "
        f"that tkit reads: {how}"
    )


def check_weights(path: Path) -> None:
    """Raises InputError for a weights file (HDF5, or a complete .keras file) with anything but plain arrays in it."""
    if path.suffix == ".keras":
        read(path)
    else:
        _check_hdf5(files.read_bytes(path, MAX_BYTES), path)


def _not_whole(path: Path, why: str) -> InputError:
    return InputError(f"{path} is not a complete .keras file: expected what model.save('model.keras') writes, {why}")


def _members(data: bytes, path: Path) -> tuple[bytes, bytes]:
    """config.json and model.weights.h5, after a check that the directory is a .keras file's."""
    if len(data) < _END.size:
        raise _not_whole(path, f"found {len(data)} bytes. Is it complete?")
    mark, _, _, _, count, directory, _, comment = _END.unpack(data[-_END.size :])
    if mark != b"PK\5\6" or comment:
        raise _not_whole(path, "found no zip's end. Is it complete?")
    if count > len(_MEMBERS) or directory > _MAX_DIRECTORY or data[-_END.size - 20 :].startswith(b"PK\6\7"):
        raise InputError(f"{path} has {count} members; expected only {', '.join(_MEMBERS)}. Save the model again.")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        for member in members:
            _check_member(member, path)
        names = [member.filename for member in members]
        if len(set(names)) != len(names):
            raise InputError(f"{path} has two members of one name: {', '.join(names)}. Save the model again.")
        if "model.weights.h5" not in names:
            raise _not_whole(path, "it lacks its weights. Save it again.")
        return archive.read("config.json"), archive.read("model.weights.h5")


def _check_member(member: zipfile.ZipInfo, path: Path) -> None:
    name, size = member.filename, member.file_size
    if name not in _MEMBERS:
        raise InputError(f"{path} has the member {name[:200]!r}; expected only {', '.join(_MEMBERS)}. It is not read.")
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):  # 0 where it was not made on Unix
        raise InputError(f"{path}: its member {name} is not a regular file but a link or the like. It is not read.")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
        raise InputError(f"{path}: its member {name} is encrypted or packed in a way that Keras never uses.")
    if size > _MEMBERS[name] or size > max(RATIO_FLOOR, MAX_RATIO * member.compress_size):
        raise InputError(
            f"{path}: its member {name} unpacks to {size:,} bytes from {member.compress_size:,}; expected at most "
            f"{_MEMBERS[name]:,}, and at most {MAX_RATIO} times its packed size. It is not unpacked."
        )


def _check_hdf5(data: bytes, path: Path) -> None:
    """Refuses external links, arrays stored in other files or with huge claimed sizes, and anything but numeric arrays.

    The same class of fault as CVE-2026-1669 (external storage) and CVE-2026-0897 (shapes without data).
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            total, seen, waiting = 0, set(), [file]
            while waiting:
                group = waiting.pop()
                for name in group:
                    link = group.get(name, getlink=True)
                    if not isinstance(link, h5py.HardLink):
                        raise InputError(f"{path}: its weights hold a link, {type(link).__name__}. It is not followed.")
                    item = group[name]
                    address = h5py.h5o.get_info(item.id).addr
                    if address in seen:
                        continue
                    seen.add(address)
                    if len(seen) > MAX_OBJECTS:
                        raise InputError(f"{path}: its weights hold more than {MAX_OBJECTS:,} arrays and groups.")
                    if isinstance(item, h5py.Group):
                        waiting.append(item)
                    else:
                        total += _array_bytes(item, path)
            if total > MAX_BYTES:
                raise InputError(f"{path}: its arrays take {total:,} bytes; expected at most {MAX_BYTES:,}.")
    except InputError:
        raise
    except Exception as error:  # h5py raises any exception on damaged data
        raise _not_whole(path, f"its weights are damaged: {error}. Save it again.") from error


def _array_bytes(item: Any, path: Path) -> int:
    """The bytes that an array takes in memory, after a check that it is stored in this file."""
    import h5py

    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiubV" or item.dtype.hasobject:
        raise InputError(f"{path}: its weights hold {item.name!r}, which is not an array of numbers.")
    creation = item.id.get_create_plist()
    if item.external or creation.get_external_count():
        raise InputError(f"{path}: its array {item.name!r} is stored in another file. Not opened.")
    if item.is_virtual:
        raise InputError(f"{path}: its array {item.name!r} is virtual: composed of parts of other files. Not opened.")
    filters = {creation.get_filter(number)[0] for number in range(creation.get_nfilters())}
    if filters - _FILTERS:
        raise InputError(f"{path}: its array {item.name!r} is packed by filters that Keras never uses.")
    size, stored = int(item.size) * item.dtype.itemsize, item.id.get_storage_size()
    if size > max(RATIO_FLOOR, MAX_RATIO * stored):
        raise InputError(f"{path}: its array {item.name!r} claims {size:,} bytes and holds {stored:,}. It is not read.")
    return size
