"""Converts a quantized variant to an int8 .tflite file: with its own codes, scales and ranges, without calibration."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import keras
import numpy as np

from tkit import console
from tkit.conversion import process
from tkit.conversion.config import Format
from tkit.conversion.converter import ONE_OUTPUT, Converter
from tkit.conversion.explanation import float_operators
from tkit.conversion.fusible_relus import with_fusible_relus
from tkit.conversion.int4 import packed
from tkit.graph import Part, calls, clone, fresh, loaded, names, rewritten
from tkit.kernels.scales import LARGEST_CODE, scale_shape
from tkit.kernels.viewed import kernel_of, view, with_kernels
from tkit.promises import Kept, Quantized
from tkit.quantization.graph import quantized
from tkit.quantization.rules import Rules
from tkit_edge import flatbuffer
from tkit_edge.errors import InputError
from tkit_edge.graph import values

SPARSE_FORMATS = ("float32", "float16")
"""In the other formats a zero takes one byte: without zeros the zip grows, and XNNPACK doesn't load every such file."""


_OWN_SCALES = (keras.layers.Conv2DTranspose, keras.layers.Embedding)
"""The converter chooses those of the first; an embedding has those of what it outputs."""


def convert_quantized(model: keras.Model, kept: Kept, io: str, outputs: Sequence[str] = ONE_OUTPUT) -> bytes:
    """The int8 .tflite file of the result of `Quantize`.

    Args:
        model: float32 functional model whose kernels are codes times scales.
        kept: its properties; `quantized` is set.
        io: "int8", "uint8" or "float32": type of the file's input and output.
        outputs: the names of the file's outputs.
    """
    settings = kept.quantized
    assert settings is not None
    graph = with_fusible_relus(_with_scales(quantized(model, settings), settings))
    with Converter(graph, None, io=io, outputs=outputs) as convert:
        data = convert("int8")
    if settings.int4:
        data = packed(data, settings.int4, model)
    rules = Rules(model, settings.float_layers, settings.input_range)
    if not (rules.floats or rules.ruleless):
        floats = float_operators(data, names(model))
        if floats:
            console.say(f"int8: LiteRT computes {', '.join(sorted(floats))} in float")
    return data


def converted(convert: Converter, fmt: Format, kept: Kept, *, sparse: bool) -> bytes:
    """The file of a variant in a format: int8 as `Quantize` made it, if it did; otherwise by `convert`.

    With `sparse`, float files of a pruned variant are stored without zeros, where that is smaller and LiteRT loads it.
    """
    if fmt == "int8" and kept.quantized is not None:
        return convert_quantized(convert.model, kept, convert.io, convert.outputs)
    data = convert(fmt)
    if sparse and kept.pruned and fmt in SPARSE_FORMATS:
        without_zeros = convert(fmt, sparse=True)
        if len(without_zeros) < len(data):
            reason = _refused(without_zeros)
            if reason is None:
                return without_zeros
            console.say(f"{fmt}: stored with its zeros: {reason}")
    return data


def _refused(data: bytes) -> str | None:
    """Why a file stored without zeros can't be used."""
    try:
        process.load(data)
    except InputError as error:
        return str(error)
    try:
        for tensor in flatbuffer.read(data).tensors:
            if tensor.sparsity is not None:
                values(tensor)
    except InputError:
        return "the converter cuts a kernel into blocks that don't fit its shape"
    return None


def _with_scales(graph: keras.Model, settings: Quantized) -> keras.Model:
    """The graph with explicit scales where the converter would choose others: a channel's largest code isn't 127.

    A dead channel's codes are all 0; with the converter's scale its bias could overflow.
    """
    wanted = {}
    for layer in with_kernels(graph):
        if layer.name in settings.scales and not isinstance(layer, _OWN_SCALES):
            shape = scale_shape(layer, tuple(kernel_of(layer).shape))
            scales = np.asarray(settings.scales[layer.name], np.float32).reshape(shape)
            axes = tuple(axis for axis, size in enumerate(shape) if size == 1)
            largest = np.abs(np.round(kernel_of(layer).numpy() / scales)).max(axis=axes)
            if np.any(largest != LARGEST_CODE):
                wanted[layer.name] = scales
    if not wanted:
        return graph
    graph, origins = _each_call_alone(graph, {name for name in wanted if calls(graph)[name] > 1})
    wanted.update({copy: wanted[name] for copy, name in origins.items()})
    graph = _dense_as_convolutions(graph, wanted)
    viewed = view(graph, {name: [("converted", {})] for name in wanted})
    for name, scales in wanted.items():
        layer = viewed.get_layer(name)
        layer.views["converted"].scales.assign(scales.reshape(layer.views["converted"].scales.shape))
    return viewed


def _each_call_alone(graph: keras.Model, shared: set[str]) -> tuple[keras.Model, dict[str, str]]:
    """The graph with one layer per call of the `shared` ones, and the original of each copy.

    The converter loses the scales of a constant that several operators use, and merges equal constants. So the copies
    differ in the last bit, which is lost in the file: their codes are equal, and stored once.
    """
    used, origins = names(graph), {}

    def replace(node: Any) -> Part | None:
        layer, number = node.operation, count()
        if layer.name not in shared:
            return None

        def call(*arguments: Any, **keywords: Any) -> Any:
            kernel, *bias = layer.get_weights()
            before = next(number)
            for _ in range(before):
                kernel = np.nextafter(kernel, np.float32(np.inf))
            name = fresh(f"{layer.name}_again", used) if before else layer.name
            origins[name] = layer.name
            return loaded(clone(layer, name=name), [kernel, *bias], layer.trainable)(*arguments, **keywords)

        return call

    return rewritten(graph, replace), origins


def _dense_as_convolutions(graph: keras.Model, wanted: dict[str, np.ndarray]) -> keras.Model:
    """Dense layers named in `wanted` as 1x1 convolutions: the converter accepts per-channel scales only for those."""
    dense = {name for name in wanted if isinstance(graph.get_layer(name), keras.layers.Dense)}
    if not dense:
        return graph
    used = names(graph)

    def replace(node: Any) -> Part | None:
        layer = node.operation
        if layer.name not in dense:
            return None
        kernel, *bias = layer.get_weights()
        made = keras.layers.Conv2D(
            layer.units, 1, activation=layer.activation, use_bias=layer.use_bias, name=layer.name
        )
        convolution = loaded(made, [kernel[None, None], *bias], layer.trainable)

        def call(tensor: Any) -> Any:
            size = tensor.shape[1:]
            # Explicit names: Keras numbers its automatic names, and the file's bytes would depend on the number.
            before, after = (fresh(f"{layer.name}_{what}1", used) for what in ("pixels", "units"))
            pixels = keras.layers.Reshape((1, int(np.prod(size[:-1])), size[-1]), name=before)(tensor)
            return keras.layers.Reshape((*size[:-1], layer.units), name=after)(convolution(pixels))

        return call

    return rewritten(graph, replace)
