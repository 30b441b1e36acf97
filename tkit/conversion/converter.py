"""Converts a Keras model to .tflite bytes, in each of the formats.

Converted through a SavedModel with a static batch of 1, so that the file has a signature and only builtin operators,
in a separate process: a crash of the converter becomes a message.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType

import keras
import numpy as np

from tkit.conversion import process
from tkit.conversion.config import Format
from tkit.conversion.explanation import crashing_layer, reason
from tkit.conversion.int8_operators import with_int8_operators
from tkit.conversion.integer_copy import integer_copy
from tkit.conversion.saved_model import Saved
from tkit.conversion.symmetric_products import symmetric_products
from tkit.graph import names
from tkit.keras_internals import functional, has_graph
from tkit.passes.attention import by_head, masks
from tkit.passes.folding import fold_reshaped
from tkit_edge.child import CrashError
from tkit_edge.errors import InputError
from tkit_edge.outputs import Output
from tkit_edge.tensors import Arrays

INTEGERS = ("int8", "int16x8")
FLOATS = ("float32", "float16")
ONE_OUTPUT = ("logits",)
"""What the only output of a file is called, whatever it is: a name tells nothing there."""


class Converter:
    """Converts one float32 functional model to any number of formats; a context manager that owns a scratch folder.

    Args:
        model: float32 functional model; the file's inputs have the names of its own.
        calibration: training examples by name that calibrate the ranges of int8 and int16x8; None for a
            fake-quantized graph, which has its own.
        outputs: the names of the file's outputs.
        io: "int8", "uint8" or "float32": type of the int8 file's float inputs and outputs.

    Example:
        >>> with Converter(model, {"image": images}, io="int8") as convert:
        ...     data = convert("int8")
    """

    def __init__(
        self, model: keras.Model, calibration: Arrays | None, *, io: str, outputs: Sequence[str] = ONE_OUTPUT
    ) -> None:
        self.model, self.calibration, self.io, self.outputs = model, calibration, io, outputs

    def __enter__(self) -> Converter:
        process.start()
        self._scratch = tempfile.TemporaryDirectory(prefix="tkit-export-")
        self._folder = Path(self._scratch.name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scratch.cleanup()

    def __call__(self, fmt: Format, *, sparse: bool = False) -> bytes:
        """The .tflite file of a format.

        Args:
            fmt: the format.
            sparse: whether kernels with many zeros are stored without them; LiteRT restores them on loading.

        Raises:
            InputError: a layer needs an operator that LiteRT doesn't have as a builtin, or not in 16 bits, or it
                crashes the converter; the layer is named.
        """
        calibrated = fmt in INTEGERS and self.calibration is not None
        saved = self._integers if calibrated else self._heads_apart if fmt in FLOATS else self._as_built
        # For int8 only: a 16-bit unit normalization made of them is wrong.
        folder = with_int8_operators(saved.folder) if calibrated and fmt == "int8" else saved.folder
        try:
            error, data = self._converted(folder, fmt, sparse)
        except CrashError as crash:
            layer = crashing_layer(saved.model, names(self.model), lambda part: self._crashes(part, fmt))
            raise InputError(
                f"The model cannot be exported as {fmt}: {layer} crashes TensorFlow's converter ({crash.signal}). "
                "Leave the format out, or replace the layer."
            ) from crash
        if error is not None:
            raise reason(fmt, error, saved, names(self.model))
        return symmetric_products(data) if calibrated and fmt == "int8" else data

    @cached_property
    def _plain(self) -> keras.Model:
        """The model without normalizations that the converter would leave as products and sums."""
        model = functional(self.model)
        folded = fold_reshaped(model) if has_graph(model) else model
        return self.model if folded is model else folded

    @cached_property
    def _as_built(self) -> Saved:
        return Saved(self._plain, self._folder / "as-built", self.outputs)

    @cached_property
    def _heads_apart(self) -> Saved:
        """The model with masked attention head by head: a quarter faster in float, where nothing broadcasts the mask;
        slower with int8 weights (docs/log.md)."""
        model = functional(self._plain)
        if not has_graph(model) or not masks(model):
            return self._as_built
        return Saved(by_head(model), self._folder / "heads-apart", self.outputs)

    @cached_property
    def _integers(self) -> Saved:
        """The model that is calibrated."""
        assert self.calibration is not None
        copy = integer_copy(self._plain, self.calibration)
        return self._as_built if copy is self._plain else Saved(copy, self._folder / "integers", self.outputs)

    @cached_property
    def _samples(self) -> dict[str, str] | None:
        if self.calibration is None:
            return None
        paths = {name: self._folder / f"calibration-{number}.npy" for number, name in enumerate(self.calibration)}
        for name, path in paths.items():
            np.save(path, self.calibration[name])
        return {name: str(path) for name, path in paths.items()}

    def _converted(self, folder: Path, fmt: str, sparse: bool = False) -> tuple[str | None, bytes]:
        return process.ask("convert", folder=str(folder), fmt=fmt, io=self.io, calibration=self._samples, sparse=sparse)

    def _crashes(self, part: keras.Model, fmt: str) -> bool:
        outputs = [f"output_{number}" for number in range(len(part.outputs))]
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            try:
                self._converted(Saved(part, Path(folder, "part"), outputs).folder, fmt)
            except CrashError:
                return True
            return False


def file_outputs(output: Output) -> Sequence[str]:
    """The names of a file's outputs."""
    names = [spec.name for spec in output.tensors]
    return names if len(names) > 1 else ONE_OUTPUT
