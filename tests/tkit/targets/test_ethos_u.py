"""Ethos-U, through Arm's real compiler: what runs on the NPU, what it costs, and what compression gains there."""

import importlib.util
import json

import keras
import numpy as np
import pytest

import tkit
from tkit.conversion.converter import Converter
from tkit.micro.vela import NPU, compiled
from tkit.targets import target_of
from tkit_edge import flatbuffer
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError

pytest.importorskip("ethosu", reason="needs Arm's compiler: pip install 'keras-tkit[ethos-u]'")


@pytest.fixture(scope="module")
def convolutions(tmp_path_factory):
    """The int8 file of random kernels, and of the same with half of the weights 0 and few other values."""
    folder, random = tmp_path_factory.mktemp("convolutions"), np.random.default_rng(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 16)),
            *(keras.layers.Conv2D(32, 3, activation="relu") for _ in range(3)),
            keras.layers.Flatten(),
            keras.layers.Dense(4),
        ]
    )
    given = {model.inputs[0].name: random.normal(size=(20, 8, 8, 16)).astype(np.float32)}
    for name, kept in (("dense", random.normal), ("sparse", lambda size: random.integers(0, 2, size) * 0.5)):
        model.set_weights([kept(size=array.shape) for array in model.get_weights()])
        with Converter(model, given, io="int8") as convert:
            (folder / f"{name}.tflite").write_bytes(convert("int8"))
    return folder


def test_a_file_compiles_and_pruned_weights_with_few_values_take_less_flash(convolutions):
    dense, sparse = (compiled(convolutions / f"{name}.tflite", "ethos-u55-128") for name in ("dense", "sparse"))
    assert dense.on_npu == dense.operators > 3 and not dense.cpu
    assert sparse.flash_bytes < 0.5 * dense.flash_bytes and sparse.estimated_ms < dense.estimated_ms
    assert [item.name for item in flatbuffer.read(dense.data).operators] == [NPU]
    assert dense.estimated_ms == pytest.approx(dense.cycles / dense.clock_mhz / 1e3)
    assert len(dense.data) > dense.flash_bytes > 20_000


def test_a_faster_npu_takes_fewer_cycles_and_a_system_can_be_chosen(convolutions):
    path = convolutions / "dense.tflite"
    cycles = [compiled(path, f"ethos-u55-{macs}").cycles for macs in (32, 256)]
    assert cycles[0] > 1.1 * cycles[1]
    slow = compiled(path, "ethos-u55-32", "Ethos_U55_Deep_Embedded", "Sram_Only")
    assert (slow.system_config, slow.memory_mode, slow.clock_mhz) == ("Ethos_U55_Deep_Embedded", "Sram_Only", 200)
    large = compiled(path, "ethos-u85-256")
    assert large.dram_bytes > 20_000 and not large.flash_bytes


def test_operators_on_the_cpu_are_named_with_reasons_and_their_constants_are_flash(tmp_path):
    inputs = keras.Input((12,), dtype="int32", name="tokens")
    vectors = keras.layers.Embedding(500, 16)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.ops.mean(vectors, axis=1)))
    tokens = np.random.default_rng(0).integers(0, 500, (20, 12), "int32")
    with Converter(model, {"tokens": tokens}, io="int8") as convert:
        (tmp_path / "texts.tflite").write_bytes(convert("int8"))
    made = compiled(tmp_path / "texts.tflite", "ethos-u55-128")
    assert "GATHER" in {item.name for item in made.cpu} and 0 < made.on_npu < made.operators
    assert all(item.reason for item in made.cpu) and "GATHER (Unsupported opType)" in made.line()
    assert made.flash_bytes >= 500 * 16


def test_the_table_has_what_the_compiler_estimates(demo, tkit_command, capsys):
    arguments = ["bench", str(demo.folder), "--device", "ethos-u", "--device", "ethos-u:ethos-u55-256"]
    assert tkit_command(arguments) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("flash KiB", "SRAM KiB", "cycles", "estimated ms", "operators on the NPU"))
    assert "p50 ms" not in printed and "Ethos_U55_High_End_Embedded" in printed
    found = tkit.Run.open(demo.folder).manifest["stages"][f"{demo.variant}/devices"]["metrics"]
    assert {name: entry["device"]["accelerator"] for name, entry in found.items() if name.startswith("ethos")} == {
        "ethos-u": "ethos-u55-128",
        "ethos-u:ethos-u55-256": "ethos-u55-256",
    }
    assert [row["format"] for row in found["ethos-u"]["results"]] == ["int8", "int16x8"]
    assert found["ethos-u"]["results"][0]["cpu_operators"] == []


def test_a_check_compiles_and_compares_nothing(demo, tkit_command, capsys):
    assert tkit_command(["check", str(demo.folder), "--device", "ethos-u", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["files"] == [] and any("outputs of int8 are the same; it compiles" in item for item in found["cannot"])


def test_float_files_are_refused_with_the_reason(demo):
    path = Bundle.read(demo.folder / "float" / "export").path("float32")
    with pytest.raises(InputError, match=r"Nothing of .*float32.tflite runs on the NPU: .*Float32"):
        compiled(path, "ethos-u55-128")


def test_the_compiled_file_is_handed_over(demo, tkit_command):
    given = ["export", str(demo.folder), "--variant", "float", "--format", "ethos-u"]
    assert tkit_command(given) == 0
    folder = demo.folder / "float" / "ethos-u"
    assert {path.name for path in folder.iterdir()} == {"model-int8_vela.tflite", "summary.csv"}
    graph = flatbuffer.read((folder / "model-int8_vela.tflite").read_bytes())
    assert [item.name for item in graph.operators] == [NPU]
    entry = tkit.Run.open(demo.folder).manifest["stages"]["float/ethos-u"]
    assert entry["metrics"]["accelerator"] == "ethos-u55-128" and entry["metrics"]["flash_bytes"] > 0


def test_the_ledger_says_what_a_step_gains_there(tmp_path):
    run = tkit.fit("digits_cnn", dry_run=True, runs_dir=tmp_path)
    found = tkit.compress(run, ["prune:sparsity=0.75", "cluster:clusters=4"], device="ethos-u")
    first, _, last = found["metrics"]["ledger"]
    assert last["device"]["flash_bytes"] < 0.6 * first["device"]["flash_bytes"]
    assert found["metrics"]["device"]["accelerator"] == "ethos-u55-128"
    verdicts = "\n".join(found["metrics"]["verdicts"])
    assert "pays on ethos-u: " in verdicts and "All steps together: pays on ethos-u: " in verdicts
    assert (
        "flash KiB" in found.display().header
        and "flash KiB" in (run.folder / found["variant"] / "ledger.txt").read_text()
    )
    assert tkit.compress(run, ["prune:sparsity=0.75", "cluster:clusters=4"])["metrics"] == found["metrics"]


def test_a_device_that_cannot_take_the_model_ends_before_the_training(tmp_path, monkeypatch):
    run = tkit.fit("digits_cnn", dry_run=True, runs_dir=tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'keras-tkit\[ethos-u\]'"):
        tkit.compress(run, ["prune:sparsity=0.75"], device="ethos-u")


@pytest.mark.parametrize(
    ("address", "words"),
    [("ethos-u:ethos-u55-512", r"Unknown Ethos-U NPU 'ethos-u55-512'\. Did you mean"), ("ethos-u:", None)],
)
def test_an_unknown_npu_is_one_message(address, words):
    if words is None:
        assert target_of(address).title == "ethos-u55-128"
        return
    with pytest.raises(InputError, match=words):
        target_of(address)


def test_an_unknown_system_is_one_message(convolutions):
    with pytest.raises(InputError, match=r"vela can't compile .*Section System_Config.Mine not found"):
        compiled(convolutions / "dense.tflite", "ethos-u55-128", "Mine")
