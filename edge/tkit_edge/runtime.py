"""Running .tflite files through LiteRT, with named kernels.

`ai_edge_litert` is used where it is installed, else its predecessor `tflite_runtime`; results are equal byte
for byte only under the same runtime, version and kernels.
"""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Union

import numpy as np

from tkit_edge import files, flatbuffer, machine
from tkit_edge.errors import InputError
from tkit_edge.pixels import PIXELS, dequantized, pixel_codes, quantized
from tkit_edge.tensors import Arrays, TensorSpec, listed

# Kernel set -> the runtime's op resolver. XNNPACK is the default delegate, with the
# builtin kernels for what it lacks.
KERNELS = {"xnnpack": "AUTO", "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference": "BUILTIN_REF"}
_OUTDATED = "old TFLite binary"  # in the message about an operator, or a version of one, that the runtime lacks
_PACKAGES = {"ai_edge_litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime"}


class Runtime(NamedTuple):
    """The installed runtime: its distribution's name, and its `interpreter` module."""

    name: str
    module: Any

    @property
    def version(self) -> str:
        """The distribution's."""
        import importlib.metadata  # 20 ms and 2 MiB on a laptop, which a process that runs a model does without

        return importlib.metadata.version(self.name)


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
        return Runtime(distribution, module)
    raise InputError("No LiteRT runtime is installed: pip install ai-edge-litert")


def where() -> dict[str, Any]:
    """The machine, the runtime and Python, as JSON documents have them."""
    found = find()
    return {
        "machine": machine.describe(),
        "runtime": {"name": found.name, "version": found.version},
        "python": platform.python_version(),
    }


class Interpreter(Protocol):
    """What runs a file whose tensors are allocated, as LiteRT's interpreter does."""

    def get_input_details(self) -> Sequence[Mapping[str, Any]]:
        """Of each input, `index`, `name`, `shape`, `dtype` and `quantization`, its scale and zero point."""

    def get_output_details(self) -> Sequence[Mapping[str, Any]]:
        """The same of each output."""

    def set_tensor(self, index: int, value: np.ndarray) -> None:
        """Copies a value into an input."""

    def invoke(self) -> None:
        """Runs the file; RuntimeError where it fails."""

    def get_tensor(self, index: int) -> np.ndarray:
        """A copy of an output's value."""


Load = Callable[[Union[str, "os.PathLike[str]", bytes], int, str], Interpreter]
"""A file's path or bytes, threads and kernels to its interpreter."""


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
        if _OUTDATED in reason:
            used = find()
            reason = f"{used.name} {used.version} is older than the file: pip install -U ai-edge-litert. {reason}"
        raise InputError(f"{name} cannot be run by this runtime: {reason}") from error
    return made


def ran(interpreter: Any, kernels: str) -> str:
    """The kernels that really run: "builtin" where XNNPACK was asked for and took over no operator."""
    details = getattr(interpreter, "_get_ops_details", None)  # both runtimes have it; it isn't documented
    if kernels != "xnnpack" or details is None or any(item["op_name"] == "DELEGATE" for item in details()):
        return kernels
    return "builtin"


class Model:
    """A .tflite file, loaded: arrays in, arrays out, one example at a time, as the device runs it.

    Each tensor is quantized and dequantized by its own scale and zero point; integers that aren't quantized stay what
    they are.

    Args:
        model: a .tflite file's path or bytes; every input and output begins with a batch of 1.
        threads: how many the kernels may use.
        kernels: "xnnpack", "builtin" or "reference".
        pixels: what uint8 images become, of `PIXELS`; raw bytes in tkit's own files.
        load: makes the interpreter, of LiteRT by default.

    Raises:
        InputError: as `load`, or a tensor without a batch of 1.

    Example: `Model("model-int8.tflite").predict(images).argmax(axis=1)`
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | bytes,
        threads: int = 1,
        kernels: str = "xnnpack",
        pixels: str = "0-255",
        load: Load = interpreter,
    ) -> None:
        self.name = "The model" if isinstance(model, bytes) else str(model)
        data = model if isinstance(model, bytes) else files.read_bytes(Path(model))
        names = flatbuffer.read(data, "the model" if isinstance(model, bytes) else self.name).names
        self._interpreter = load(model, threads, kernels)
        details = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._inputs, self._outputs = ([_Tensor(item, names, self.name) for item in side] for side in details)
        self.inputs = tuple(tensor.spec for tensor in self._inputs)
        """What it takes, in the file's order."""
        self.outputs = tuple(tensor.spec for tensor in self._outputs)
        """What it gives."""
        self._pixels = pixels
        for tensor in self._inputs:
            if pixels in ("caffe", "torch") and tensor.spec.shape[-1:] != (3,):
                raise InputError(
                    f"{self.name} takes {listed([tensor.spec])}; pixels {pixels!r} are of three channels, RGB."
                )

    def run(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """The outputs of n examples, by name.

        Args:
            arrays: by each input's name, [n, ...]: float values, integers for an input of integers, or uint8 images,
                raw 0-255 pixels.

        Returns:
            float32 [n, ...], or the integers of an output that isn't quantized.

        Raises:
            InputError: arrays of another type or size, or the runtime failed.
        """
        missing = [spec.name for spec in self.inputs if spec.name not in arrays]
        if missing or len({len(arrays[spec.name]) for spec in self.inputs}) > 1:
            raise InputError(
                f"{self.name} takes {listed(self.inputs)}, one of each per example; received "
                f"{', '.join(f'{name} {list(array.shape)}' for name, array in arrays.items())}."
            )
        codes = [tensor.codes(arrays[tensor.spec.name], self._pixels, self.name) for tensor in self._inputs]
        count = len(arrays[self.inputs[0].name])
        made = [np.empty((count, *tensor.spec.shape), tensor.spec.dtype) for tensor in self._outputs]
        for row in range(count):
            for tensor, encode in zip(self._inputs, codes):
                self._interpreter.set_tensor(tensor.index, encode(row))
            try:
                self._interpreter.invoke()
            except RuntimeError as error:
                raise InputError(f"{self.name} fails when it runs: {error}") from error
            for tensor, array in zip(self._outputs, made):
                array[row] = tensor.values(self._interpreter.get_tensor(tensor.index))
        return {tensor.spec.name: array for tensor, array in zip(self._outputs, made)}

    def predict(self, array: np.ndarray) -> np.ndarray:
        """`run` for a file with one input and one output.

        Raises:
            InputError: as `run`, or it has more than one.
        """
        if len(self.inputs) != 1 or len(self.outputs) != 1:
            raise InputError(
                f"{self.name} takes {listed(self.inputs)} and gives {listed(self.outputs)}: expected one of each."
            )
        return self.run({self.inputs[0].name: array})[self.outputs[0].name]


class _Tensor:
    """An input or output of a file, as the runtime describes it."""

    def __init__(self, details: Any, names: Mapping[int, str], name: str) -> None:
        shape = tuple(int(size) for size in details["shape"])
        self.index = details["index"]
        self.dtype = np.dtype(details["dtype"])
        self.scale, self.zero_point = details["quantization"]
        own = names.get(self.index, details["name"])
        is_float = self.dtype.kind == "f" or (self.dtype.kind in "iu" and self.scale)
        self.spec = TensorSpec(own, shape[1:], "float32" if is_float else self.dtype.name)
        if self.dtype.kind not in "fiub":
            raise InputError(f"{name} has a tensor {own} of {self.dtype}; expected numbers.")
        if not shape or shape[0] != 1 or 0 in shape:
            raise InputError(f"{name} has a tensor {own} of shape {list(shape)}; expected a batch of 1, first.")

    def codes(self, array: np.ndarray, pixels: str, name: str) -> Callable[[int], np.ndarray]:
        """The input tensor's content for a row of `array`."""
        if array.shape[1:] != self.spec.shape or not self._takes(array.dtype):
            raise InputError(
                f"{name} takes {self._described()} [n, {', '.join(map(str, self.spec.shape))}], received "
                f"{array.dtype} {list(array.shape)}."
            )
        if array.dtype == np.uint8 and self.spec.dtype == "float32":
            table = pixel_codes(self.dtype, self.scale, self.zero_point, pixels, name)
            channels = array.shape[-1]
            table, numbers = np.broadcast_to(table, (256, channels)), np.arange(channels)
            turned = slice(None, None, -1) if PIXELS[pixels].bgr else slice(None)
            return lambda row: table[array[row][..., turned], numbers][None]
        if self.spec.dtype == "float32":
            return lambda row: quantized(array[row : row + 1].astype(np.float32), self.dtype, *self._quantization)
        return lambda row: array[row : row + 1].astype(self.dtype)

    def values(self, content: np.ndarray) -> np.ndarray:
        """An output tensor's content as values of one example."""
        return (dequantized(content, *self._quantization) if self.spec.dtype == "float32" else content)[0]

    @property
    def _quantization(self) -> tuple[float, int]:
        return self.scale, self.zero_point

    def _takes(self, dtype: np.dtype) -> bool:
        """Whether arrays of this type can be given; a quantized input is for float values or images."""
        if self.spec.dtype == "float32":
            return dtype.kind == "f" or (dtype == np.uint8 and bool(self.spec.shape))
        return np.can_cast(dtype, self.dtype, "same_kind")

    def _described(self) -> str:
        if self.spec.dtype == "float32" and len(self.spec.shape) == 3:
            return "uint8 images or float values"
        return f"{self.spec.name}: {self.spec.dtype}"
