"""A Keras model to .tflite bytes, in each of the formats.

Converted through a SavedModel with a static batch of 1, so that the file has a signature and only builtin operators.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import keras
import numpy as np
import tensorflow as tf

from tkit._quiet import chatter_dropped
from tkit.export.config import Format
from tkit_edge.errors import InputError

_INT8 = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
_INT16X8 = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8


class Converter:
    """Converts one float32 functional model to any number of formats; a context manager that owns a scratch folder.

    Args:
        model: float32 pixels [batch, height, width, channels] to logits [batch, classes], in float32.
        calibration: uint8 training pictures [N, height, width, channels] that int8 and int16x8 take their ranges from;
            None for a fake-quantized graph, which has its own.
        io: "int8", "uint8" or "float32": type of the int8 file's input and output.

    Example:
        >>> with Converter(model, calibration, io="int8") as convert:
        ...     data = convert("int8")
    """

    def __init__(self, model: keras.Model, calibration: np.ndarray | None, *, io: str) -> None:
        self.model, self.calibration, self.io = model, calibration, io

    def __enter__(self) -> Converter:
        self.scratch = tempfile.TemporaryDirectory(prefix="tkit-export-")
        shape = (1, *self.model.inputs[0].shape[1:])
        spec = tf.TensorSpec(shape, tf.float32, name="image")
        function = tf.function(lambda image: {"logits": self.model(image, training=False)}, input_signature=[spec])
        module = tf.Module()
        module.variables_of_model = [variable.value for variable in self.model.variables]
        self.graph = function.get_concrete_function().graph.as_graph_def()
        with _no_chatter():
            tf.saved_model.save(module, self.scratch.name, signatures=function)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.scratch.cleanup()

    def __call__(self, fmt: Format, *, sparse: bool = False) -> bytes:
        """The .tflite file of a format.

        Args:
            fmt: the format.
            sparse: whether kernels with many zeros are stored without them; LiteRT puts them in again when it loads.

        Raises:
            InputError: a layer needs an operator that LiteRT doesn't have built in, or not of 16 bits; it is named.
        """
        converter = tf.lite.TFLiteConverter.from_saved_model(self.scratch.name)
        if fmt != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if sparse:
            converter.optimizations = [*converter.optimizations, tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
        if fmt == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if fmt in ("int8", "int16x8") and self.calibration is not None:
            converter.representative_dataset = self._representative
            converter.target_spec.supported_ops = [_INT8 if fmt == "int8" else _INT16X8]
        if fmt == "int8":
            io = tf.as_dtype(self.io)
            converter.inference_input_type = converter.inference_output_type = io
        try:
            with _no_chatter():
                return converter.convert()
        except Exception as error:
            if narrow := without_16_bits(str(error)):
                raise InputError(
                    f"The model cannot be exported as {fmt}: LiteRT has no 16-bit kernel for {', '.join(narrow)}. "
                    "Leave the format out, as in export.formats=float32,int8."
                ) from error
            operators = unsupported_operators(str(error))
            if not operators:
                raise
            layers = ", ".join(repr(name) for name in self._layers_with(operators)) or "a layer"
            raise InputError(
                f"{layers} cannot be exported as {fmt}: LiteRT has no builtin operator for {', '.join(operators)}. "
                "Replace the layer by one made of operators that LiteRT has; Flex and custom operators are not "
                "exported, because they don't run on the plain runtime."
            ) from error

    def _representative(self) -> Iterator[list[np.ndarray]]:
        assert self.calibration is not None
        for picture in self.calibration:
            yield [picture[None].astype(np.float32)]

    def _layers_with(self, operators: list[str]) -> list[str]:
        """The Keras layers whose part of the graph holds any of the operators."""
        nodes = [(node.op, node.name) for node in self.graph.node]
        for function in self.graph.library.function:
            nodes += [(node.op, f"{function.signature.name}/{node.name}") for node in function.node_def]
        names = "\n".join(name for op, name in nodes if op in operators)
        # A retraced layer's scope has a number after its name.
        return [
            layer.name
            for layer in self.model.layers
            if re.search(rf"(?:^|[/_]){re.escape(layer.name)}(?:_\d+)?[/_]", names, re.M)
        ]


def unsupported_operators(message: str) -> list[str]:
    """The TensorFlow operators that a converter's error names as custom, Flex or failing to quantize."""
    found = re.findall(r"(?:Flex|Custom) ops: ([\w, ]+)", message)
    names = [name.strip().removeprefix("Flex") for line in found for name in line.split(",")]
    names += re.findall(r"'tf\.(\w+)' op is neither a custom op nor a flex op", message)
    return sorted({name for name in names if name})


def without_16_bits(message: str) -> list[str]:
    """The operators that a converter's error names as having no 16-bit kernel."""
    return sorted(set(re.findall(r"Quantization to 16x8-bit not yet supported for op: '(\w+)'", message)))


@contextmanager
def _no_chatter() -> Iterator[None]:
    """Without the converter's lines and warnings; its errors are exceptions. `-v` shows the lines."""
    with warnings.catch_warnings(), chatter_dropped(everything=True):
        warnings.simplefilter("ignore")
        yield
