"""The published attacks of .keras files, built here: each ends in one InputError, and nothing of it happens."""

import base64
import io
import json
import pickle
import zipfile
import zlib

import h5py
import keras
import numpy as np
import pytest
from keras import layers

import tkit
from tkit.keras_files import archive
from tkit.keras_files.reader import read
from tkit_edge.errors import InputError


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """The members of a harmless file."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3)])
    path = tmp_path_factory.mktemp("whole") / "whole.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path, parts, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def with_layer(parts, layer):
    """The harmless file with another first layer."""
    config = json.loads(parts["config.json"])
    config["config"]["layers"][1] = layer
    return {**parts, "config.json": json.dumps(config).encode()}


def refused(path, message):
    """The file ends in one InputError that names it, and leaves nothing beside it."""
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(InputError, match=message) as caught:
        tkit.adopt(path, data="digits", runs_dir=path.parent / "runs")
    assert path.name in str(caught.value)
    assert sorted(path.parent.rglob("*")) == before


def call(package, kind, **config):
    return {"module": package, "class_name": kind, "config": config, "registered_name": kind, "name": "x"}


def bytecode(canary):
    """A Lambda's function as Keras stores it."""
    return keras.src.utils.python_utils.func_dump(eval(f"lambda x: open({str(canary)!r}, 'w')"))[0]


class Pickled:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return open, (str(self.canary), "w")


ATTACKS = {
    # CVE-2025-1550: any function of any module, called with the file's own arguments.
    "any function": lambda canary: call("os", "system", command=f"touch {canary}"),
    "any function as a function": lambda canary: {"module": "os", "class_name": "function", "config": "system"},
    # CVE-2025-8747: a function of Keras's own that downloads and writes.
    "get_file": lambda canary: call("keras.utils", "get_file", fname=str(canary), origin="file:///etc/passwd"),
    "get_file of the package's inside": lambda canary: call(
        "keras.src.utils.file_utils", "get_file", fname=str(canary), origin="file:///etc/passwd"
    ),
    # CVE-2025-9906: the file itself switches the safe mode off.
    "unsafe mode": lambda canary: call("keras.config", "enable_unsafe_deserialization"),
    # CVE-2025-49655: a pickle inside a layer's config.
    "torch": lambda canary: call(
        "keras.layers",
        "TorchModuleWrapper",
        module=base64.b64encode(pickle.dumps(Pickled(canary))).decode(),
    ),
    # CVE-2026-1462: a SavedModel of the attacker's, by its path.
    "saved model": lambda canary: call("keras.layers", "TFSMLayer", filepath=str(canary.parent)),
    # CVE-2025-12058: a vocabulary that is a path, of a local file or a remote one.
    "vocabulary": lambda canary: call("keras.layers", "StringLookup", vocabulary="/etc/passwd"),
    "remote vocabulary": lambda canary: call("keras.layers", "IntegerLookup", vocabulary="gs://bucket/x"),
    # CVE-2026-12481 and its older kin: bytecode in a Lambda.
    "Lambda": lambda canary: call(
        "keras.layers", "Lambda", function={"class_name": "__lambda__", "config": {"code": bytecode(canary)}}
    ),
    "Lambda without a module": lambda canary: {"class_name": "Lambda", "config": {"function": bytecode(canary)}},
    "lambda as an activation": lambda canary: call(
        "keras.layers", "Activation", activation={"class_name": "__lambda__", "config": {"value": bytecode(canary)}}
    ),
    "Lambda in a wrapper": lambda canary: call(
        "keras.layers", "TimeDistributed", layer=call("keras.layers", "Lambda", function=bytecode(canary))
    ),
    "a registered name beside a stock one": lambda canary: {**call("keras.layers", "Dense"), "registered_name": "a>b"},
    "a module that is no text": lambda canary: {"class_name": "Dense", "module": {}, "config": {}},
    "a name that is no text": lambda canary: {"class_name": ["Dense"], "module": "keras.layers", "config": {}},
    "a build_config that is no shape": lambda canary: {
        **call("keras.layers", "Dense", units=3),
        "build_config": {"input_shape": "/etc/passwd"},
    },
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_config_that_names_code_or_other_files_is_refused(attack, parts, tmp_path):
    canary = tmp_path / "canary"
    path = packed(tmp_path / "hostile.keras", with_layer(parts, ATTACKS[attack](canary)))
    refused(path, "isn't a class of Keras's own|which tkit doesn't load|is a Lambda|is no shape")
    assert not canary.exists()


@pytest.mark.parametrize("attack", ["any function", "get_file", "unsafe mode", "Lambda"])
def test_the_whole_model_may_not_be_such_a_call_either(attack, parts, tmp_path):
    config = json.dumps(ATTACKS[attack](tmp_path / "canary")).encode()
    refused(packed(tmp_path / "hostile.keras", {**parts, "config.json": config}), "a model class of its own")


def test_this_bytecode_would_have_written_the_canary(tmp_path):
    function = keras.src.utils.python_utils.func_load(bytecode(tmp_path / "canary"))
    function(0)
    assert (tmp_path / "canary").exists()
    pickle.loads(pickle.dumps(Pickled(tmp_path / "pickled")))
    assert (tmp_path / "pickled").exists()


def test_code_in_an_hdf5_file_is_never_loaded_whatever_it_is_called(parts, tmp_path):
    """CVE-2025-9905: the older format knows no safe mode."""
    with h5py.File(tmp_path / "hostile.keras", "w") as file:
        lambda_layer = call("keras.layers", "Lambda", function=bytecode(tmp_path / "canary"))
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": [lambda_layer]}})
    refused(tmp_path / "hostile.keras", "HDF5")
    (tmp_path / "hostile.keras").rename(tmp_path / "hostile.h5")
    refused(tmp_path / "hostile.h5", "is a Lambda")
    assert not (tmp_path / "canary").exists()


def hdf5(change):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        change(file.create_group("layers/dense/vars"))
    return buffer.getvalue()


def external_link(group, path):
    group["0"] = h5py.ExternalLink(str(path), "secret")


def external(group, name, folder):
    group.create_dataset("0", (64, 3), "f4", external=[(str(folder / name), 0, 768)])


def virtual(group, folder):
    layout = h5py.VirtualLayout((64, 3), "f4")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "secret", (64, 3))
    group.create_virtual_dataset("0", layout)


HDF5 = {
    # CVE-2026-1669 and its kin: arrays that lie outside of the file.
    "external link": (lambda group, at: external_link(group, at / "other.h5"), "a link, ExternalLink"),
    "soft link": (lambda group, at: group.__setitem__("0", h5py.SoftLink("/layers")), "a link, SoftLink"),
    "external storage": (lambda group, at: external(group, "other.h5", at), "in another file"),
    "external storage that isn't there": (lambda group, at: external(group, "new", at), "in another file"),
    "virtual": (virtual, "is virtual"),
    # CVE-2026-0897: a shape out of nothing.
    "shape": (lambda group, at: group.create_dataset("0", (1 << 20, 1 << 20), "f4", chunks=(1024, 1024)), "claims"),
    "text": (lambda group, at: group.create_dataset("0", data=["a" * 100]), "not an array of numbers"),
    "named type": (lambda group, at: group.__setitem__("0", np.dtype("f4")), "not an array of numbers"),
    "filter": (lambda group, at: group.create_dataset("0", data=np.zeros((64, 3)), compression="lzf"), "filters"),
}  # fmt: skip


@pytest.mark.parametrize("attack", HDF5)
def test_weights_that_lie_elsewhere_or_claim_too_much_are_refused(attack, parts, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.zeros((64, 3), "f4")
    change, message = HDF5[attack]
    weights = hdf5(lambda group: change(group, tmp_path))
    refused(packed(tmp_path / "hostile.keras", {**parts, "model.weights.h5": weights}), message)


def test_groups_in_a_circle_end(parts, tmp_path):
    def circle(group):
        group["again"] = group

    path = packed(tmp_path / "circle.keras", {**parts, "model.weights.h5": hdf5(circle)})
    assert archive.read(path)[0]["class_name"] == "Sequential"


@pytest.mark.parametrize("name", ["../outside", "/etc/outside", "assets/x", "..\\outside", "config.json/../../x"])
def test_only_the_three_members_are_taken(name, parts, tmp_path):
    del (fewer := dict(parts))["metadata.json"]
    refused(packed(tmp_path / "hostile.keras", {**fewer, name: b"x"}), "has the member")
    refused(packed(tmp_path / "more.keras", {**parts, name: b"x"}), "has 4 members")


def test_links_two_members_of_one_name_and_a_huge_directory_are_refused(parts, tmp_path):
    path = tmp_path / "link.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", parts["config.json"])
        info = zipfile.ZipInfo("model.weights.h5")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    refused(path, "not a regular file")
    path = tmp_path / "twice.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", parts["config.json"])
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("config.json", b"{}")
    refused(path, "two members of one name")
    refused(packed(tmp_path / "many.keras", {f"{number}": b"" for number in range(20_000)}), "has 20000 members")


def test_bombs_are_refused_before_they_are_unpacked(parts, tmp_path):
    bomb = bytes(300 << 20)
    path = packed(tmp_path / "bomb.keras", {**parts, "model.weights.h5": bomb}, zipfile.ZIP_DEFLATED)
    refused(path, "unpacks to 314,572,800 bytes.*not unpacked")
    # A bomb in a bomb: what is unpacked is small, and stays packed.
    inner = zlib.compress(bomb)
    refused(packed(tmp_path / "nested.keras", {**parts, "model.weights.h5": inner}), "weights are damaged")
    refused(packed(tmp_path / "config.keras", {**parts, "config.json": bomb}, zipfile.ZIP_DEFLATED), "unpacks to")


def test_a_config_that_is_nested_without_end_is_refused(parts, tmp_path):
    config = b'{"class_name": "Sequential", "config": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    refused(packed(tmp_path / "deep.keras", {**parts, "config.json": config}), "not a complete .keras file")


def test_a_layer_without_end_breaks_the_child_alone(parts, tmp_path):
    """The config is stock Keras; the 4 TB that it asks for are refused to the child."""
    config = json.loads(parts["config.json"])
    config["config"]["layers"][-1]["config"]["units"] = 1 << 34
    path = packed(tmp_path / "huge.keras", {**parts, "config.json": json.dumps(config).encode()})
    with pytest.raises(InputError, match=r"huge\.keras"):
        read(path, "0-255")


def test_the_harmless_file_is_read(parts, tmp_path):
    assert read(packed(tmp_path / "whole.keras", parts), None).row == 3
    assert read(packed(tmp_path / "small.keras", parts, zipfile.ZIP_DEFLATED), None).row == 3
