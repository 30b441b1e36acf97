"""TFLite Micro, the real one: outputs within a step, arenas that suffice, and what it can't run in one message."""

import importlib.util
import json

import keras
import numpy as np
import pytest

import tkit
from tkit.conversion.converter import Converter
from tkit.micro.tflm import TflmModel
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.flatbuffer import read
from tkit_edge.model_file import TensorFacts
from tkit_edge.outputs import STEP_TOLERANCE
from tkit_edge.runtime import Model

tflm = pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="needs TFLite Micro: pip install 'keras-tkit[tflm]'"
)


def in_tflm(data, given, folder):
    """The outputs of a file, and its arena."""
    path = folder / "model.tflite"
    path.write_bytes(data)
    with TflmModel(path) as model:
        [outputs] = model.run(given).values()
        return outputs, model.arena()


@pytest.fixture(scope="module")
def dense():
    model = keras.Sequential([keras.Input((6,), name="rows"), keras.layers.Dense(8, "relu"), keras.layers.Dense(3)])
    return model, {"rows": np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)}


def test_the_demo_computes_what_was_exported_within_a_step_of_the_same_kernels(demo, tkit_command, capsys):
    for variant in ("float", demo.variant):
        assert tkit_command(["check", str(demo.folder), "--variant", variant, "--device", "tflm", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        steps = {row["format"]: row["reference_difference"] for row in found["files"]}
        assert steps["int8"] <= 1.001 and steps["int16x8"] < 1e-3
        assert found["runtime"]["name"] == "tflite-micro" and found["device"]["kernels"] == "reference"
        assert any("latency" in line for line in found["cannot"])
        assert any("CONV_2D: Hybrid models are not supported" in line for line in found["cannot"])


@pytest.mark.parametrize("name", ["resnet8", "mobilenet", "bag of n-grams"])
def test_an_int8_file_is_within_a_step_of_litert_with_the_same_kernels(name, int8_file, tmp_path):
    data, given = int8_file(name)
    outputs, _ = in_tflm(data, given, tmp_path)
    graph = read(data)
    scale = TensorFacts.of("logits", graph.tensors[graph.outputs[0]]).scale
    assert np.ptp(outputs) > 20 * scale
    for kernels, steps in (("reference", 1.001), ("xnnpack", STEP_TOLERANCE)):
        [expected] = Model(data, kernels=kernels).run(given).values()
        assert np.abs(outputs - expected).max() <= steps * scale, kernels


@pytest.mark.parametrize("io", ["int8", "uint8", "float32"])
def test_every_type_of_inputs_and_outputs_works(dense, io, tmp_path):
    model, given = dense
    with Converter(model, given, io=io) as convert:
        data = convert("int8")
    [expected] = Model(data, kernels="reference").run(given).values()
    np.testing.assert_allclose(in_tflm(data, given, tmp_path)[0], expected, atol=np.ptp(expected) / 200)


def test_the_arena_suffices_and_a_smaller_one_does_not(demo):
    path = demo.folder / "float" / "export" / "model-int8.tflite"
    with TflmModel(path) as model:
        arena = model.arena()
    data = path.read_bytes()
    assert 0 < arena.activations < arena.total and arena.structures == arena.total - arena.activations
    tflm.Interpreter.from_bytes(data, arena_size=arena.total)
    with pytest.raises(RuntimeError):
        tflm.Interpreter.from_bytes(data, arena_size=arena.total - 64)


def test_the_score_and_the_arena_are_measured_and_no_latency(demo, tkit_command, capsys):
    arguments = ["bench", str(demo.folder), "--variant", "float", "--device", "tflm", "--formats", "int8"]
    assert tkit_command(arguments) == 0
    printed = capsys.readouterr().out
    assert "arena KiB" in printed and "p50 ms" not in printed and "tflite-micro" in printed
    [row] = tkit.Run.open(demo.folder).manifest["stages"]["float/devices"]["metrics"]["tflm"]["results"]
    assert row["score"]["samples"] == 16 and row["arena_bytes"] < 1 << 20


def test_it_predicts_as_this_machine_does(demo, tkit_command, capsys):
    golden, shown = demo.folder / "float" / "export" / "golden", []
    for device in ("tflm", "local"):
        assert tkit_command(["predict", str(demo.folder), str(golden), "--device", device, "--top", "1"]) == 0
        shown.append([line.split()[:2] for line in capsys.readouterr().out.splitlines()])
    assert shown[0] == shown[1] and len(shown[0]) == 8


def test_all_operators_that_it_lacks_are_named(tmp_path):
    ops, inputs = keras.ops, keras.Input((6,))
    signs = ops.sign(ops.gelu(keras.layers.Dense(8)(inputs)))
    with Converter(keras.Model(inputs, ops.arctan2(signs, signs)), None, io="float32") as convert:
        (tmp_path / "model.tflite").write_bytes(convert("float32"))
    with pytest.raises(InputError, match=r"TFLite Micro lacks operators of .*model.tflite: GELU, SIGN, ATAN2\."):
        TflmModel(tmp_path / "model.tflite")


def test_a_file_without_its_zeros_is_one_message(demo):
    path = Bundle.read(demo.folder / demo.variant / "export").path("float32")
    assert any(operator.name == "DENSIFY" for operator in read(path.read_bytes()).operators)
    with pytest.raises(InputError, match=r"stored without its zeros.*export.sparse=false"):
        TflmModel(path)


def test_a_bundle_of_which_it_runs_nothing_is_an_error(demo, tkit_command, capsys):
    arguments = ["bench", str(demo.folder), "--variant", "float", "--device", "tflm", "--formats", "dynamic"]
    assert "dynamic" in Bundle.read(demo.folder / "float" / "export").models
    assert tkit_command(arguments) == 2
    assert "model-dynamic.tflite: CONV_2D: Hybrid models are not supported" in capsys.readouterr().err


def test_without_the_package_the_extra_is_named(demo, tkit_command, monkeypatch, capsys):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tflite_micro" else real(name))
    assert tkit_command(["check", str(demo.folder), "--device", "tflm"]) == 2
    assert "pip install 'keras-tkit[tflm]'" in capsys.readouterr().err
