"""Gives a quantized .tflite file float32 inputs and outputs: what quantizes and dequantizes moves into the file.

MediaPipe Tasks and LiteRT.js take no int8 tensors, and an app's code needs no scales. The file computes what it did.
"""

from __future__ import annotations

from typing import Any

from tensorflow.lite.python import schema_py_generated as schema

from tkit.conversion.edited import edited

_QUANTIZED = (schema.TensorType.INT8, schema.TensorType.UINT8, schema.TensorType.INT16)
_QUANTIZE = (schema.BuiltinOperator.QUANTIZE, 1)
_DEQUANTIZE = (schema.BuiltinOperator.DEQUANTIZE, 2)  # of int8; older ones read uint8 alone


def float_ends(data: bytes) -> bytes:
    """The file with float32 inputs and outputs; integers that aren't quantized stay what they are."""

    def change(model: Any) -> None:
        main = model.subgraphs[0]
        replaced: dict[int, int] = {}
        first, last = [], []
        for index in _quantized(main, main.inputs):
            replaced[index] = _float_twin(main, index)
            first.append(_operator(model, _QUANTIZE, replaced[index], index))
        for index in _quantized(main, main.outputs):
            replaced[index] = _float_twin(main, index)
            last.append(_operator(model, _DEQUANTIZE, index, replaced[index]))
        main.operators = [*first, *main.operators, *last]
        main.inputs, main.outputs = (
            [replaced.get(index, index) for index in side] for side in (main.inputs, main.outputs)
        )
        for signature in model.signatureDefs or []:
            for item in [*signature.inputs, *signature.outputs]:
                item.tensorIndex = replaced.get(item.tensorIndex, item.tensorIndex)

    return edited(data, change)


def _quantized(graph: Any, indices: Any) -> list[int]:
    """Those of a graph's tensors that are stored with a scale."""
    found = []
    for index in map(int, indices):
        quantization = graph.tensors[index].quantization
        scaled = quantization is not None and quantization.scale is not None and len(quantization.scale) > 0
        if scaled and graph.tensors[index].type in _QUANTIZED:
            found.append(index)
    return found


def _float_twin(graph: Any, index: int) -> int:
    """A new float32 tensor of the same shape, which takes over the name."""
    old, new = graph.tensors[index], schema.TensorT()
    new.shape, new.shapeSignature, new.type = old.shape, old.shapeSignature, schema.TensorType.FLOAT32
    new.name, old.name = old.name, old.name + b"_quantized"
    new.buffer = 0  # computed, as the empty first buffer means
    graph.tensors.append(new)
    return len(graph.tensors) - 1


def _operator(model: Any, code: tuple[int, int], input: int, output: int) -> Any:
    made = schema.OperatorT()
    made.opcodeIndex = _code(model, *code)
    made.inputs, made.outputs = [input], [output]
    return made


def _code(model: Any, builtin: int, version: int) -> int:
    """The number of an operator code, which is added where it isn't there."""
    for number, code in enumerate(model.operatorCodes):
        if (code.builtinCode, code.version) == (builtin, version):
            return number
    made = schema.OperatorCodeT()
    made.builtinCode, made.deprecatedBuiltinCode, made.version = builtin, builtin, version
    model.operatorCodes.append(made)
    return len(model.operatorCodes) - 1
