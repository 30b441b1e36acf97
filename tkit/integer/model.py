"""Computes an int8 .tflite file with NumPy's integers, byte for byte like LiteRT's kernels.

This gives the device's outputs without the device, layer by layer, and for many images at once. Two of the runtime's
kernel sets are supported: the reference kernels, and XNNPACK, its default. `tkit.integer.differences` reports which
operators another kernel set rounds differently.

Source: LiteRT's tflite/kernels/internal/reference, XNNPACK's src, and Jacob et al. 2018, "Quantization and Training of
Neural Networks for Efficient Integer-Arithmetic-Only Inference".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tkit.integer import kernels_conv, kernels_elementwise, kernels_shape, kernels_softmax
from tkit.integer.node import Kernel, Node
from tkit_edge import flatbuffer
from tkit_edge.errors import InputError
from tkit_edge.graph import Graph, Tensor, values
from tkit_edge.pixels import dequantized, pixel_codes

KERNELS: dict[str, Callable[[Node], Kernel]] = {
    **kernels_conv.KERNELS,
    **kernels_elementwise.KERNELS,
    **kernels_shape.KERNELS,
    **kernels_softmax.KERNELS,
}
"""The operators that can be computed."""
ARITHMETICS = ("reference", "xnnpack")
"""The kernel sets of `tkit_edge.runtime.KERNELS` that can be computed."""
BATCH = 16  # images at once: an operator's data stays in the processor's caches


class IntegerModel:
    """An image classifier in an int8 .tflite file, in exact integer arithmetic.

    Args:
        data: the file's bytes; a static batch of 1, one input and one output.
        name: the file's name in error messages.
        kernels: the arithmetic, one of `ARITHMETICS`.

    Raises:
        InputError: no complete .tflite file, not int8 throughout, or with an operator that isn't supported; or unknown
            kernels.

    Example: `IntegerModel(Path("model-int8.tflite").read_bytes()).predict(images).argmax(axis=1)`
    """

    def __init__(self, data: bytes, name: str = "the model", kernels: str = "reference") -> None:
        if kernels not in ARITHMETICS:
            raise InputError(f"Unknown arithmetic {kernels!r}: expected one of {', '.join(ARITHMETICS)}.")
        self.name = name
        self.graph = flatbuffer.read(data, name)
        _check(self.graph, name)
        nodes = [Node.of(self.graph, index, name, kernels == "xnnpack") for index in range(len(self.graph.operators))]
        self.kernels = [_kernel(node) for node in nodes]
        """One per operator."""
        self.constants = {
            number: values(tensor)
            for number, tensor in enumerate(self.graph.tensors)
            if len(tensor.data) and tensor.sparsity is None and tensor.dtype in ("int8", "int4", "int32")
        }
        source = self.graph.tensors[self.graph.inputs[0]]
        self._pixels = pixel_codes(source.dtype, *_quantization(source), "0-255", name)[:, 0]

    def outputs(self, codes: np.ndarray) -> dict[int, np.ndarray]:
        """Every computed tensor, by its index: arrays [n, ...] of the tensor's type.

        Args:
            codes: the input tensor's values [n, height, width, channels], in its type.
        """
        computed = {self.graph.inputs[0]: codes}
        for index, operator in enumerate(self.graph.operators):
            computed[operator.outputs[0]] = self.run(index, computed)
        return computed

    def run(self, index: int, tensors: dict[int, np.ndarray]) -> np.ndarray:
        """The output [n, ...] of operator `index` alone, its inputs taken from `tensors`."""
        operator = self.graph.operators[index]
        inputs = [tensors.get(number, self.constants.get(number)) for number in operator.inputs]
        return self.kernels[index](*inputs).reshape(-1, *self.graph.tensors[operator.outputs[0]].shape[1:])

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Logits of images, as `tkit_edge.runtime.Model` computes them with the same kernels.

        Args:
            images: uint8 [n, height, width, channels], raw 0-255 pixels.

        Returns:
            float32 [n, classes].

        Raises:
            InputError: images of another type or size.
        """
        check_images(images, self.graph.tensors[self.graph.inputs[0]].shape[1:], self.name)
        number = self.graph.outputs[0]
        target = self.graph.tensors[number]
        logits = np.empty((len(images), target.size), np.float32)
        for start in range(0, len(images), BATCH):
            codes = self.outputs(self.codes(images[start : start + BATCH]))[number]
            logits[start : start + BATCH] = dequantized(codes, *_quantization(target)).reshape(len(codes), -1)
        return logits

    def codes(self, images: np.ndarray) -> np.ndarray:
        """The input tensor's values of images."""
        return self._pixels[images]


def check_images(images: np.ndarray, shape: tuple[int, ...], name: str) -> None:
    """Raises InputError unless `images` are uint8 [n, *shape], what the file called `name` takes."""
    if images.dtype != np.uint8 or images.shape[1:] != shape:
        raise InputError(
            f"{name} takes uint8 images [n, {', '.join(map(str, shape))}], received {images.dtype} "
            f"{list(images.shape)}."
        )


def _kernel(node: Node) -> Kernel:
    if node.operator.name not in KERNELS:
        raise InputError(
            f"{node.where} isn't supported in exact integer arithmetic; expected {', '.join(sorted(KERNELS))}."
        )
    return KERNELS[node.operator.name](node)


def _check(graph: Graph, name: str) -> None:
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise InputError(
            f"{name} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; expected one of each."
        )
    computed = {graph.inputs[0]} | {number for operator in graph.operators for number in operator.outputs}
    for index, operator in enumerate(graph.operators):
        for number in operator.outputs:
            tensor = graph.tensors[number]
            if operator.name not in ("QUANTIZE", "DEQUANTIZE") and tensor.dtype != "int8":
                raise InputError(
                    f"{name} is not an int8 file: operator {index}, {operator.name}, outputs {tensor.dtype}. "
                    "Export it with export.formats=int8."
                )
    for number in computed:
        shape = graph.tensors[number].shape
        if not shape or shape[0] != 1 or 0 in shape:
            raise InputError(f"{name} has a tensor of shape {list(shape)}; expected a static batch of 1 throughout.")


def _quantization(tensor: Tensor) -> tuple[float, int]:
    if len(tensor.scales) != 1 or len(tensor.zero_points) != 1:
        return 0.0, 0
    return float(tensor.scales[0]), int(tensor.zero_points[0])
