"""Running .tflite files through LiteRT, with named kernels.

`ai_edge_litert` is used where it is installed, else its predecessor `tflite_runtime`; results are equal byte
for byte only under the same runtime, version and kernels.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tkit_edge import files, flatbuffer
from tkit_edge.errors import InputError

# Kernel set -> the runtime's op resolver. XNNPACK is the default delegate, with the
# builtin kernels for what it lacks.
KERNELS = {"xnnpack": "AUTO", "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference": "BUILTIN_REF"}
_PACKAGES = {"ai_edge_litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime"}


class Pixels(NamedTuple):
    """What a model takes of pixels: raw bytes times `factor` plus `offset`, of each of its channels."""

    factor: float | tuple[float, float, float] = 1.0
    offset: float | tuple[float, float, float] = 0.0
    bgr: bool = False
    """Whether the model's channels are blue, green and red, in this order."""


_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PIXELS = {
    "0-255": Pixels(),
    "0-1": Pixels(1 / 255),
    "-1-1": Pixels(1 / 127.5, -1.0),
    "caffe": Pixels(offset=(-103.939, -116.779, -123.68), bgr=True),
    "torch": Pixels(
        tuple(1 / (255 * deviation) for deviation in _IMAGENET_DEVIATION),  # type: ignore[arg-type]  # three
        tuple(-mean / deviation for mean, deviation in zip(_IMAGENET_MEAN, _IMAGENET_DEVIATION)),  # type: ignore[arg-type]
    ),
}
"""By name. "caffe" and "torch" are modes of `preprocess_input` in Keras Applications; that one's "tf" is "-1-1"."""


class Runtime(NamedTuple):
    """The installed runtime: its distribution's name and version, and its `interpreter` module."""

    name: str
    version: str
    module: Any


def find() -> Runtime:
    """The runtime that is used here.

    Raises:
        InputError: none is installed (the message has the command that does), or it can't be loaded here.
    """
    for package, distribution in _PACKAGES.items():
        try:
            module = importlib.import_module(f"{package}.interpreter")
        except ModuleNotFoundError as error:
            if error.name in (package, f"{package}.interpreter"):
                continue
            raise InputError(f"{distribution} is installed, but lacks the module {error.name}.") from error
        except ImportError as error:
            raise InputError(f"{distribution} is installed, but cannot be loaded here: {error}") from error
        return Runtime(distribution, importlib.metadata.version(distribution), module)
    raise InputError("No LiteRT runtime is installed: pip install ai-edge-litert")


def load(model: str | os.PathLike[str] | bytes, threads: int = 1, kernels: str = "xnnpack") -> Any:
    """An interpreter of the runtime, its tensors allocated.

    Args:
        model: a .tflite file's path or bytes. It is checked for damage first, because the runtime doesn't.
        threads: how many the kernels may use.
        kernels: "xnnpack", "builtin" (optimized, without the delegate) or "reference".

    Raises:
        InputError: no whole .tflite file, an operator that the runtime lacks, or unknown kernels.
    """
    name = "the model" if isinstance(model, bytes) else str(model)
    flatbuffer.read(model if isinstance(model, bytes) else files.read_bytes(Path(model)), name)
    return interpreter(model, threads, kernels)


def interpreter(model: str | os.PathLike[str] | bytes, threads: int, kernels: str) -> Any:
    """`load` for a file that has been checked already."""
    if kernels not in KERNELS:
        raise InputError(f"Unknown kernels {kernels!r}: expected one of {', '.join(KERNELS)}.")
    if threads < 1:
        raise InputError(f"Expected at least 1 thread, received {threads}.")
    module = find().module
    source = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
    resolver = module.OpResolverType[KERNELS[kernels]]
    try:
        made = module.Interpreter(**source, num_threads=threads, experimental_op_resolver_type=resolver)
        made.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        name = "The model" if isinstance(model, bytes) else str(model)
        reason = str(error) or "it gives no reason; the file may want more memory than there is"
        raise InputError(f"{name} cannot be run by this runtime: {reason}") from error
    return made


def ran(interpreter: Any, kernels: str) -> str:
    """The kernels that really run: "builtin" where XNNPACK was asked for and took over no operator."""
    details = getattr(interpreter, "_get_ops_details", None)  # both runtimes have it; it isn't documented
    if kernels != "xnnpack" or details is None or any(item["op_name"] == "DELEGATE" for item in details()):
        return kernels
    return "builtin"


def check_images(images: np.ndarray, shape: tuple[int, ...], name: str) -> None:
    """Raises InputError unless `images` are uint8 [n, *shape], what the file called `name` takes."""
    if images.dtype != np.uint8 or images.shape[1:] != shape:
        raise InputError(
            f"{name} takes uint8 images [n, {', '.join(map(str, shape))}], received "
            f"{images.dtype} {list(images.shape)}."
        )


class Model:
    """An image classifier in a .tflite file: images in, logits out.

    Inputs and outputs are quantized and dequantized by the tensors' own scale and zero point.

    Args:
        model: a .tflite file's path or bytes; one input [1, height, width, channels] and
            one output [1, classes].
        threads: how many the kernels may use.
        kernels: "xnnpack", "builtin" or "reference".
        pixels: what the file takes, of `PIXELS`; raw bytes in tkit's own files.

    Raises:
        InputError: as `load`, or the file has other inputs or outputs.

    Example: `Model("model-int8.tflite").predict(images).argmax(axis=1)`
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | bytes,
        threads: int = 1,
        kernels: str = "xnnpack",
        pixels: str = "0-255",
    ) -> None:
        self.name = "The model" if isinstance(model, bytes) else str(model)
        self._interpreter = load(model, threads, kernels)
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        shapes = [tuple(int(size) for size in item["shape"]) for item in (*inputs, *outputs)]
        if len(inputs) != 1 or len(outputs) != 1 or not _classifies(*shapes):
            raise InputError(
                f"{self.name} is no image classifier: expected an input [1, height, width, channels] and one output "
                f"[1, classes], received inputs {shapes[: len(inputs)]} and outputs {shapes[len(inputs) :]}."
            )
        self.input_shape = shapes[0][1:]
        """Height, width and channels."""
        self._input, self._output = inputs[0], outputs[0]
        self.outputs = shapes[1][-1]
        """The number of classes."""
        scale, zero_point = self._input["quantization"]
        if self.input_shape[2] != 3 and pixels in ("caffe", "torch"):
            raise InputError(f"{self.name} takes {self.input_shape[2]} channels; pixels {pixels!r} are of three, RGB.")
        codes = pixel_codes(self._input["dtype"], scale, zero_point, pixels, self.name)
        self._codes = np.broadcast_to(codes, (256, self.input_shape[2]))
        self._bgr = PIXELS[pixels].bgr

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Logits of images, one at a time, as the device runs them.

        Args:
            images: uint8 [n, height, width, channels], raw 0-255 pixels.

        Returns:
            float32 [n, classes].

        Raises:
            InputError: images of another type or size, or the runtime failed.
        """
        check_images(images, self.input_shape, self.name)
        logits = np.empty((len(images), self.outputs), np.float32)
        scale, zero_point = self._output["quantization"]
        for row, image in zip(logits, images):
            ordered = image[..., ::-1] if self._bgr else image
            codes = self._codes[ordered, np.arange(self.input_shape[2])]
            self._interpreter.set_tensor(self._input["index"], codes[None])
            try:
                self._interpreter.invoke()
            except RuntimeError as error:
                raise InputError(f"{self.name} fails when it runs: {error}") from error
            row[:] = dequantized(self._interpreter.get_tensor(self._output["index"]), scale, zero_point).reshape(-1)
        return logits


def _classifies(taken: tuple[int, ...], given: tuple[int, ...]) -> bool:
    """Whether shapes are those of one image and of one row of scores, around which axes of size 1 may stand."""
    return len(taken) == 4 and taken[0] == 1 and len(given) > 1 and math.prod(given[:-1]) == 1 and given[-1] > 0


def pixel_codes(type_: Any, scale: float, zero_point: int, pixels: str, name: str) -> np.ndarray:
    """What each pixel value 0-255 is in the input tensor's type.

    Args:
        type_: the input tensor's, anything that `np.dtype` takes.
        scale, zero_point: its quantization; scale 0 for none.
        pixels: what the model takes, of `PIXELS`.
        name: what the error message calls the model.

    Returns:
        An array [256, channels] of that type; one column holds for all channels where there is one.

    Raises:
        InputError: the input is neither float nor quantized.
    """
    factor, offset, _ = PIXELS[pixels]
    values = np.arange(256, dtype=np.float32)[:, None] * np.asarray(factor, np.float32) + np.asarray(offset, np.float32)
    dtype = np.dtype(type_)
    if dtype.kind == "f":
        return values.astype(dtype)
    if dtype.kind not in "iu" or not scale:
        raise InputError(f"{name} has an unquantized {dtype} input; expected float or quantized.")
    limits = np.iinfo(dtype)
    steps = values / np.float32(scale)
    # Half away from zero, as the runtime's own QUANTIZE rounds.
    codes = np.copysign(np.floor(np.abs(steps) + np.float32(0.5)), steps) + zero_point
    return np.clip(codes, limits.min, limits.max).astype(dtype)


def dequantized(output: np.ndarray, scale: float, zero_point: int) -> np.ndarray:
    """An output tensor's float32 values; scale 0 for an output that isn't quantized."""
    values = output.astype(np.float32)
    return (values - zero_point) * np.float32(scale) if scale else values
