"""What a file is made of, against what is known of the files that the fixtures make."""

import dataclasses

import numpy as np
import pytest

from tkit_edge import flatbuffer
from tkit_edge.anatomy import dissect, output_of, pixels_of
from tkit_edge.errors import InputError
from tkit_edge.graph import Operator


@pytest.fixture
def dissected(made):
    return lambda name: dissect((made / f"{name}.tflite").read_bytes(), name)


@pytest.mark.parametrize(
    ("name", "arithmetic"),
    [("float32", "float32"), ("float16", "float16 weights"), ("int8", "int8"), ("uint8", "int8"), ("int16x8", "int16")],
)
def test_arithmetic_and_bytes(dissected, made, name, arithmetic):
    anatomy = dissected(name)
    assert anatomy.arithmetic == arithmetic
    assert sum(anatomy.bytes_by_kind.values()) == anatomy.bytes == (made / f"{name}.tflite").stat().st_size
    size = {"float32": 4, "float16": 2}.get(name, 1)
    # 3x3x3x4 and 3x3x4 and 64x5 weights; Rescaling's scalars are constants.
    assert anatomy.bytes_by_kind["weights"] == size * (108 + 36 + 320)
    bias = {"float32": 4, "float16": 2, "int16x8": 8}.get(name, 4)
    assert anatomy.bytes_by_kind["biases"] == bias * (4 + 4 + 5)
    assert anatomy.bytes_by_kind["metadata"] > 0
    assert {item.name: item.macs for item in anatomy.operators}["CONV_2D"] == 1728
    assert anatomy.macs == 2624


def test_quantization_sparsity_and_codes(made, dissected):
    weights = [item for item in dissected("int8").stored if item.kind == "weights"]
    convolution = next(item for item in weights if item.shape == (4, 3, 3, 3))
    graph = flatbuffer.read((made / "int8.tflite").read_bytes())
    tensor = next(item for item in graph.tensors if item.shape == (4, 3, 3, 3))
    codes = np.frombuffer(tensor.data, np.int8)
    assert convolution.quantization == "per channel"
    assert convolution.scales == (tensor.scales.min(), tensor.scales.max())
    assert convolution.codes == len(set(codes.tolist()))
    assert convolution.sparsity == np.mean(codes == 0)
    assert {item.quantization for item in dissected("float32").stored} == {"none"}


def runs(anatomy):
    return {item.runtime: item.runs for item in anatomy.runtimes}


def test_which_runtimes_run_it(dissected):
    assert runs(dissected("int8")) == {"LiteRT": True, "XNNPACK": True, "TFLite Micro": True}
    assert runs(dissected("int16x8"))["XNNPACK"] is False
    assert runs(dissected("float16"))["TFLite Micro"] is False


@pytest.mark.parametrize(
    ("operator", "why"),
    [
        ("CUSTOM:FlexErfinv", "needs a build with Flex"),
        ("CUSTOM:mine", "custom operators mine"),
        ("BUILTIN_999", "newer than this reader"),
    ],
)
def test_flex_custom_and_unknown_operators_are_said(made, monkeypatch, operator, why):
    data = (made / "float32.tflite").read_bytes()
    graph = flatbuffer.read(data)
    odd = dataclasses.replace(graph, operators=(*graph.operators, Operator(operator, (0,), (0,))))
    monkeypatch.setattr(flatbuffer, "read", lambda data, name: odd)
    verdict = dissect(data).runtimes[0]
    assert not verdict.runs
    assert why in verdict.why


def test_bundled_custom_operators_run(made, monkeypatch):
    data = (made / "float32.tflite").read_bytes()
    graph = flatbuffer.read(data)
    odd = dataclasses.replace(graph, operators=(*graph.operators, Operator("CUSTOM:Mfcc", (0,), (0,))))
    monkeypatch.setattr(flatbuffer, "read", lambda data, name: odd)
    assert runs(dissect(data))["LiteRT"] is True


@pytest.mark.parametrize("data", [b"", b"PK\3\4" * 10, b"\x1c\0\0\0TFL3"])
def test_foreign_bytes(data):
    with pytest.raises(InputError, match=r"mine\.tflite"):
        dissect(data, "mine.tflite")


def test_truncated_files(made):
    data = (made / "int8.tflite").read_bytes()
    for length in range(0, len(data) // 2, 97):
        with pytest.raises(InputError):
            dissect(data[:length])


def test_what_pixels_a_quantized_input_takes(made):
    def pixels(name, **changes):
        graph = flatbuffer.read((made / f"{name}.tflite").read_bytes())
        index = graph.inputs[0]
        tensors = list(graph.tensors)
        tensors[index] = dataclasses.replace(tensors[index], **changes)
        return pixels_of(dataclasses.replace(graph, tensors=tuple(tensors)))

    assert pixels("int8") == pixels("uint8") == "0-255"
    assert pixels("int8", scales=np.float32([0.8])) == "0-255"
    assert pixels("int8", scales=np.float32([1 / 255])) == "0-1"
    assert pixels("int8", scales=np.float32([1 / 127.5]), zero_points=np.int64([0])) == "-1-1"
    assert pixels("int8", scales=np.float32([0.04]), zero_points=np.int64([0])) is None
    assert pixels("float32") is None


def test_whether_a_graph_ends_in_probabilities(made):
    graph = flatbuffer.read((made / "float32.tflite").read_bytes())
    last = graph.outputs[0]
    tensors = (*graph.tensors, graph.tensors[last], graph.tensors[last])
    first, second = len(graph.tensors), len(graph.tensors) + 1
    for name, expected in (("SOFTMAX", "probabilities"), ("LOGISTIC", "probabilities"), ("RELU", "logits")):
        more = (Operator(name, (last,), (first,)), Operator("DEQUANTIZE", (first,), (second,)))
        ended = dataclasses.replace(graph, tensors=tensors, operators=(*graph.operators, *more), outputs=(second,))
        assert output_of(ended) == expected
    assert output_of(graph) == "logits"
