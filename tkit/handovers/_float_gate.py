"""The parity gate for float models in other forms than .tflite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tkit.arrays import count, fed, named
from tkit.conversion import parity
from tkit.handovers import Source
from tkit_edge.errors import BoundError, InputError

_BATCH = 64


def keras_model(source: Source, form: str) -> keras.Model:
    """The Keras model that a handover is made of.

    Raises:
        InputError: the source has files alone.
    """
    if source.model is None:
        raise InputError(f"{form} is made of the Keras model, which isn't in a bundle or a .tflite file: name the run.")
    return source.model()


def gated(form: str, source: Source, run: Callable[[Mapping[str, np.ndarray]], Sequence[np.ndarray]]) -> dict[str, Any]:
    """The figures of a float model in another form, which holds the float32 bound of the gate.

    Args:
        form: what it is called.
        source: what it was made of.
        run: gives its outputs for a batch of inputs by name, in the order of the Keras model's.

    Returns:
        As `parity.compare`.

    Raises:
        BoundError: it differs more from the Keras model than `export.parity.float32` allows.
    """
    assert source.model is not None and source.reference is not None
    model, reference = source.model(), source.reference()
    contract = reference.contract
    names = [spec.name for spec in contract.input.tensors]
    inputs = fed(model, reference.examples)
    arrays = dict(zip(names, inputs if len(names) > 1 else [inputs], strict=True))
    parts = []
    for start in range(0, count(reference.examples), _BATCH):
        parts.append(run({name: array[start : start + _BATCH] for name, array in arrays.items()}))
    found = named([np.concatenate(part) for part in zip(*parts, strict=True)], contract.output.tensors)
    figures = parity.compare(contract.output, found, reference.outputs, reference.targets, contract.ruler)
    missed = parity.float_failures(form, figures, source.settings.parity.float32, contract.output)
    if missed:
        raise BoundError(
            f"The gate's bound is missed on {reference.samples}:\n  {missed[0]}\nNothing was written. The bound is "
            "export.parity.float32 in the recipe.",
            {form: figures},
        )
    return figures
