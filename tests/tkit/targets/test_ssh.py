"""Another machine over Debian's own sshd: check, measure, predict, and nothing stays there."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import tkit
from tkit.bench_config import Bench
from tkit.cli._group import Group
from tkit.remote.connection import Connection
from tkit.remote.subset import members
from tkit.targets import qemu_arm64, target_of
from tkit_edge.bundle import Bundle
from tkit_edge.bundle_writing import write
from tkit_edge.errors import InputError
from tkit_edge.inputs.text import Text
from tkit_edge.inputs.tokenizers import FIRST
from tkit_edge.inputs.tokenizers.words import Words
from tkit_edge.outputs.classes import Classes
from tkit_pipelines.cache import emulated

QUICK = Bench(seconds=0.05, threads=(1,))
FROZEN = Path(__file__).parents[2] / "frozen" / "runs-1" / "finished-1"


def call(*words, input=None):
    done = CliRunner().invoke(Group(), list(map(str, words)), input=input)
    assert done.exception is None, done.exception
    return done


def test_the_golden_samples_are_checked_there(bundle, machine, devices):
    done = call("check", bundle, "--device", "pi", "--json")
    found = json.loads(done.stdout)
    assert found["ok"] and {row["format"] for row in found["files"]} == {"int8", "float32"}
    assert found["bundle"] == str(bundle)  # the path here, not the one there
    assert found["device"]["kind"] == "ssh" and found["device"]["interpreter"] == sys.executable
    assert found["runtime"]["name"] == "ai-edge-litert" and found["machine"]["cores"] >= 1
    assert machine.left() == []


def test_a_run_is_measured_there_and_its_files_are_scored(machine, devices, tmp_path):
    run = shutil.copytree(FROZEN, tmp_path / "runs" / "finished-1")
    call("bench", run, "--device", "pi", "--formats", "int8", "--threads", "1", "--seconds", "0.05")
    kept = json.loads((run / "float" / "bench" / "pi.json").read_text())
    assert {row["kernels"] for row in kept["results"]} == {"xnnpack", "builtin"}
    assert all(row["p50_ms"] > 0 and row["score"]["samples"] > 300 for row in kept["results"])
    assert kept["device"]["name"] == f"ssh://{machine.address}"
    assert machine.left() == []


def test_devices_stand_side_by_side_and_one_that_fails_is_named(bundle, machine, devices):
    machine.tool("python3", f'exec {sys.executable} -S "$@"')
    found = tkit.bench_on(bundle, ["local", "pi", "bare"], settings=QUICK)
    assert [row["device"] for row in found.records()].count("pi") == len(found["devices"]["local"]["results"])
    assert "numpy" in found.failures["bare"]


def test_only_what_a_command_needs_is_sent(bundle, machine, devices, monkeypatch):
    sent, put = [], Connection.put
    monkeypatch.setattr(Connection, "put", lambda self, source, path: sent.append(path) or put(self, source, path))
    (bundle / "notes.txt").write_text("of no use there")
    call("predict", bundle, bundle / "golden" / "0001.png", "--device", "pi", "--format", "float32")
    names = [Path(path).name for path in sent]
    assert names.count("model-float32.tflite") == 1
    assert not {"notes.txt", "model-int8.tflite"} & set(names)


def test_a_bundle_of_fewer_models_is_whole(bundle, text_bundle, tmp_path):
    for number, folder in enumerate((bundle, text_bundle)):  # of versions 1 and 2
        whole, made = Bundle.read(folder), tmp_path / f"made-{number}"
        for path, source in members(whole, ["int8"], tmp_path).items():
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, made / path)
        part = Bundle.read(made)
        assert set(whole.models) == {"int8", "float32"} and set(part.models) == {"int8"} == set(part.golden().expected)
        for name, expected in whole.golden().expected["int8"].items():
            np.testing.assert_array_equal(part.golden().expected["int8"][name], expected)


def test_images_are_predicted_there_and_named_as_here(bundle, machine, devices, tmp_path):
    images = tmp_path / "images"
    shutil.copytree(bundle / "golden", images)
    (images / "0000.jpg").rename(images / "Käse 'n\" crème; $(reboot).jpg")
    here = call("predict", bundle, images).stdout
    assert here.count(str(images)) == 4
    assert call("predict", bundle, images, "--device", "pi").stdout == here
    (images / "broken.png").write_bytes(b"no image")
    done = CliRunner().invoke(Group(), ["predict", str(bundle), str(images), "--device", "pi"])
    assert isinstance(done.exception, InputError) and str(images / "broken.png") in str(done.exception)
    assert done.stdout == here
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=f"Found no image in {tmp_path / 'empty'}"):
        tkit.predict_on("pi", bundle, [tmp_path / "empty"])
    assert machine.left() == []


def test_a_bundle_is_named_as_it_was(bundle, machine, devices, monkeypatch):
    monkeypatch.chdir(bundle)
    assert call("check", ".", "--device", "pi").stdout.startswith(". on pi\n")
    assert (
        json.loads(call("predict", ".", "golden/0001.png", "--device", "pi", "--json").stdout)["model"]
        == "./model-int8.tflite"
    )


@pytest.fixture
def text_bundle(tmp_path):
    """int32 [1, 6] to two logits: how many words are "bad", how many are "good"."""
    tf = pytest.importorskip("tensorflow")

    @tf.function(input_signature=[tf.TensorSpec([1, 6], tf.int32, name="tokens")])
    def count(tokens):
        sums = [tf.reduce_sum(tf.cast(tokens == FIRST + number, tf.float32), axis=1) for number in (1, 0)]
        return {"logits": tf.stack(sums, axis=1)}

    converter = tf.lite.TFLiteConverter.from_concrete_functions([count.get_concrete_function()])
    made = Text(Words(("good", "bad"), lowercase=True), 6)
    return write(
        tmp_path / "texts",
        task="text-classification",
        input=made,
        output=Classes(("bad", "good")),
        models=dict.fromkeys(("float32", "int8"), converter.convert()),  # the same: what counts is that there are two
        examples={"tokens": made.encoded_texts(["good"])},
        targets={"label": np.array([1], np.int32)},
        encoded=[b"good"],
    ).folder


def test_texts_are_predicted_there_as_arguments_files_and_lines(text_bundle, machine, devices, tmp_path):
    (tmp_path / "long.txt").write_text("bad " * 99)
    words = [
        "predict",
        text_bundle,
        "so 'good' \"as\" $HOME",
        tmp_path / "long.txt",
        "-",
        "--device",
        "pi",
        "--top",
        "1",
    ]
    done = call(*words, input="bad\nder gute good\n")
    assert [line.split()[-2] for line in done.stdout.splitlines()] == ["good", "bad", "bad", "good"]
    assert str(tmp_path / "long.txt") in done.stdout and "$HOME" in done.stdout
    assert machine.left() == []


@pytest.mark.slow
def test_an_arm64_machine_is_found_and_checked(bundle, machine):
    """Its Python is an emulated ARM64's: the agent, tkit-edge and its children run there."""
    missing = [tool for tool in qemu_arm64.TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} of Debian")
    with target_of("qemu-arm64").session():  # which has fetched it
        root = emulated("arm64-litert-1.4.0")
    start = f"exec {qemu_arm64.EMULATOR} -cpu cortex-a72 -L {root} {root}/usr/bin/python{qemu_arm64.PYTHON}"
    python = machine.folder / "bin" / "python-arm"
    machine.tool(python.name, f'export PYTHONPATH={root}/opt/site TKIT_EDGE_PYTHON={python}\n{start} "$@"')
    settings = {"ssh_config": machine.config, "python": str(python)}
    found = target_of(f"ssh://{machine.address}", settings).check(bundle)
    assert found["ok"] and found["machine"]["arch"] == "aarch64" and found["runtime"]["version"] == "1.4.0"
    assert [row["max_difference"] for row in found["files"] if row["format"] == "int8"] == [0]
    assert machine.left() == []


def test_a_shell_that_greets_and_forwards_locale_is_no_obstacle(bundle, machine, devices):
    (machine.folder / "home" / ".bashrc").write_text("echo welcome to this machine; echo and to you >&2\n")
    assert tkit.check(bundle, device="pi")["ok"]
