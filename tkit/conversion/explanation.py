"""Explains why a model can't be exported in a format, with the names of the user's layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable

import keras

from tkit.conversion import runtimes
from tkit.conversion.saved_model import Saved
from tkit.keras_internals import nodes
from tkit_edge import flatbuffer
from tkit_edge.errors import InputError
from tkit_edge.graph import Graph, Operator

_ENDS = ("QUANTIZE", "DEQUANTIZE")


def reason(fmt: str, message: str, saved: Saved, own: Container[str]) -> InputError:
    """The explanation of a converter's error; `own` are the names of the user's layers."""
    if narrow := without_16_bits(message):
        return InputError(
            f"The model cannot be exported as {fmt}: LiteRT has no 16-bit kernel for {', '.join(narrow)}. "
            "Leave the format out, as in export.formats=float32,int8."
        )
    operators = unsupported_operators(message)
    if not operators:
        first = next((line for line in message.splitlines() if line.strip()), message)
        return InputError(
            f"The model cannot be exported as {fmt}: TensorFlow's converter refuses it: {first.strip()[:400]} Leave "
            "the format out."
        )
    layers = ", ".join(repr(name) for name in users_names(saved.layers_with(operators), own)) or "a layer"
    return InputError(
        f"{layers} cannot be exported as {fmt}: LiteRT has no builtin operator for {', '.join(operators)}. "
        "Replace the layer by one made of operators that LiteRT has; Flex and custom operators are not "
        "exported, because they don't run on the plain runtime."
    )


def unsupported_operators(message: str) -> list[str]:
    """The TensorFlow operators that a converter's error names as custom, Flex or failing to quantize."""
    found = re.findall(r"(?:Flex|Custom) ops: ([\w, ]+)", message)
    names = [name.strip().removeprefix("Flex") for line in found for name in line.split(",")]
    names += re.findall(r"'tf\.(\w+)' op is neither a custom op nor a flex op", message)
    return sorted({name for name in names if name})


def without_16_bits(message: str) -> list[str]:
    """The operators that a converter's error names as having no 16-bit kernel."""
    return sorted(set(re.findall(r"Quantization to 16x8-bit not yet supported for op: '(\w+)'", message)))


def crashing_layer(model: keras.Model, own: Container[str], crashes: Callable[[keras.Model], bool]) -> str:
    """The first layer with which a model crashes the converter, found by bisection, with its class."""
    calls = list(nodes(model))
    low, high = 0, len(calls) - 1
    while low < high:
        middle = (low + high) // 2
        given = [tensor for node in calls[: middle + 1] for tensor in node.outputs]
        taken = {id(tensor) for node in calls[: middle + 1] for tensor in node.input_tensors}
        part = keras.Model(model.inputs, [tensor for tensor in given if id(tensor) not in taken])
        low, high = (low, middle) if crashes(part) else (middle + 1, high)
    layer = calls[high].operation
    return f"{users_names([layer.name], own)[0]!r} ({type(layer).__name__})"


def float_operators(data: bytes, own: Iterable[str]) -> dict[str, list[str]]:
    """The operators of an int8 .tflite file that compute in float, each with the user's layers that it comes from."""
    graph = flatbuffer.read(data)
    floats = [
        operator
        for operator in graph.operators
        if operator.name not in _ENDS and any(graph.tensors[index].dtype == "float32" for index in operator.outputs)
    ]
    return _with_layers(floats, graph, own)


def missing_operators(fmt: str, data: bytes, own: Iterable[str], release: str) -> list[str]:
    """A message for each operator of a .tflite file that a release of the runtime (`runtimes.RELEASES`) lacks.

    It names the operator's version, the user's layers that it comes from, and the release that has it.
    """
    found, graph = [], flatbuffer.read(data)
    for lack in runtimes.lacking(flatbuffer.storage(data).operators, release):
        lacked = [item for item in graph.operators if (item.name, item.version) == (lack.operator, lack.version)]
        layers = _with_layers(lacked, graph, own)
        where = f" ({', '.join(map(repr, layers[lack.operator]))})" if layers.get(lack.operator) else ""
        since = runtimes.named(lack.since) if lack.since else "a release newer than all known ones"
        had = f"has version {lack.had}" if lack.had else "lacks it"
        found.append(
            f"{fmt}: version {lack.version} of {lack.operator}{where} needs {since}; {runtimes.named(release)} {had}"
        )
    return found


def _with_layers(operators: Iterable[Operator], graph: Graph, own: Iterable[str]) -> dict[str, list[str]]:
    """Operators of a graph by name, each with the user's layers that it comes from."""
    names = sorted(own, key=len, reverse=True)
    found: dict[str, list[str]] = {}
    for operator in operators:
        # A file's output has no layer's name; the weights of what computes it have.
        constants = (index for index in operator.inputs if index >= 0 and len(graph.tensors[index].data))
        scopes = (re.split(r"[/;]", graph.tensors[index].name) for index in (operator.outputs[0], *constants))
        # A retraced layer's scope has a number after its name, a copy's two underscores and a number.
        owners = (
            name
            for parts in scopes
            for name in names
            for part in parts
            if re.fullmatch(rf"{re.escape(name)}(_+\d+)*", part)
        )
        layers = found.setdefault(operator.name, [])
        layers += [name for name in [next(owners, None)] if name is not None and name not in layers]
    return found


def users_names(layers: Iterable[str], own: Container[str]) -> list[str]:
    """The layers that the copies (numbered by `fresh`) were made from, each once."""
    return list(dict.fromkeys(name if name in own else re.sub(r"__\d+$", "", name) for name in layers))
