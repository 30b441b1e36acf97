"""The proofs of a compressed model as a table."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tkit._quiet import silenced
from tkit.arrays import predicted
from tkit.compressible.opening import opened
from tkit.compression.proofs import proofs
from tkit.conversion import parity, process
from tkit.conversion.config import Format
from tkit.graph import flattened, input_names, of_size
from tkit.library.inputs import calibration_arrays, labels_for
from tkit.library.to_tflite import file_of, output_names
from tkit.promises import State
from tkit.quantization.graph import quantized
from tkit.results.proofs import ProofReport
from tkit_edge import anatomy
from tkit_edge.inputs.tensors import Tensors as Taken
from tkit_edge.outputs import Output
from tkit_edge.outputs.classes import Classes
from tkit_edge.outputs.tensors import Tensors as Given
from tkit_edge.tensors import TensorSpec

_BATCH = 128


@silenced()
def report_on(model: keras.Model, file: bytes | None = None, *, data: tuple[Any, Any] | None = None) -> ProofReport:
    """What a model promises and what its file holds, layer by layer; with `data` also how well the file answers.

    Args:
        model: what `prunable`, `clusterable`, `quantize_aware`, `strip` or `narrow` returned, or any other model, which
            promises nothing. It isn't changed.
        file: the .tflite file; None: made here, int8 of a quantization-aware model, else float32.
        data: (x, y), held-out examples: the file's answers for x beside the Keras model's. Labels y as numbers [n] or
            one-hot [n, classes] give accuracies; where outputs or y are something else, agreement alone.

    Returns:
        A report with `holds`, `rows`, `facts` and `figures`; it shows itself as text and in a notebook.

    Raises:
        InputError: a model that can't be had as a file; data that doesn't fit it; no .tflite file.

    Example:
        >>> tkit.report_on(model, data=(x_test, y_test))
    """
    state = opened(model)
    if file is None:
        wanted: Format = "float32" if state.kept.quantized is None else "int8"
        file = file_of(state, wanted, calibration=None if data is None else data[0], io="int8", sparse=True)
    found = anatomy.dissect(file)
    fmt: Format = "int8" if found.arithmetic == "int8" or found.arithmetic.startswith("mixed") else "float32"
    facts = {"bytes": found.bytes, "zip_bytes": found.zip_bytes, "arithmetic": found.arithmetic, "macs": found.macs}
    figures = {} if data is None else _figures(state, file, *data)
    return ProofReport(model.name, proofs(file, fmt, state.kept, state.model), facts, figures)


def _figures(state: State, file: bytes, x: Any, y: Any) -> dict[str, Any]:
    """The parity gate's figures of a file, on examples; a quantized model is compared as it was trained."""
    examples = calibration_arrays(state.model, x)
    model = of_size(state.model, [TensorSpec("", a.shape[1:], str(a.dtype)) for a in examples.values()])
    taken = {
        name: array.astype(tensor.dtype)
        for name, array, tensor in zip(input_names(model), examples.values(), model.inputs, strict=True)
    }
    input = Taken.of(tuple(TensorSpec(name, array.shape[1:], str(array.dtype)) for name, array in taken.items()))
    labels, output = labels_for(y, model), _output(model)
    targets: dict[str, np.ndarray] = {}
    if labels is not None:
        output, targets = Classes(tuple(map(str, range(labels.classes))), labels.form), {"label": labels.numbers}
    outputs = process.outputs(file, taken, input, _output(model))
    settings = state.kept.quantized
    graph = model if settings is None else flattened(quantized(model, settings))
    reference = predicted(graph, taken, _output(model).tensors, _BATCH)
    if labels is not None:
        outputs, reference = ({output.tensors[0].name: labels.scores(side)} for side in (outputs, reference))
    return parity.compare(output, outputs, reference, targets)


def _output(model: keras.Model) -> Output:
    """A model's tensors as they are."""
    specs = zip(output_names(model), model.outputs, strict=True)
    return Given.of(tuple(TensorSpec(name, tuple(tensor.shape[1:]), tensor.dtype) for name, tensor in specs))
