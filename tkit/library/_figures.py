"""How a file answers, beside the Keras model that it was made of."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from tkit.arrays import predicted
from tkit.conversion import parity, process
from tkit.graph import flattened, input_names, of_size
from tkit.library._file import output_names
from tkit.library.inputs import calibration_arrays, labels_for
from tkit.promises import State
from tkit.quantization.graph import quantized
from tkit_edge.inputs.tensors import Tensors as Taken
from tkit_edge.outputs import Output
from tkit_edge.outputs.classes import Classes
from tkit_edge.outputs.tensors import Tensors as Given
from tkit_edge.tensors import TensorSpec

_BATCH = 128


def figures_of(state: State, file: bytes, x: Any, y: Any) -> dict[str, Any]:
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
