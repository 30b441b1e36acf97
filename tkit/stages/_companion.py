"""The network that a model is trained against: made of the recipe, and kept with the run for fine-tuning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras

from tkit import files
from tkit.models import Model, Spec
from tkit.run_folder import Run
from tkit_edge.errors import InputError
from tkit_edge.files import npz_bytes, read_arrays
from tkit_edge.inputs import Input
from tkit_edge.outputs import Output

NAME = "companion.npz"
MAX_BYTES = 2**31


def made(model: Model, input: Input, output: Output) -> keras.Model | None:
    """The network that a recipe's model needs beside itself, untrained; None where it needs none."""
    return model.companion(Spec(input.tensors, output.tensors, {}, input.sizes))


def save(companion: keras.Model | None, folder: Path) -> list[Path]:
    """Writes its weights, in their order; returns the paths."""
    if companion is None:
        return []
    arrays = {f"{number:04d}": weight for number, weight in enumerate(companion.get_weights())}
    files.write_bytes(folder / NAME, npz_bytes(arrays))
    return [folder / NAME]


def load(run: Run) -> Callable[[], keras.Model] | None:
    """What makes the run's companion, as it was at the end of training; None where there is none."""
    if made(run.recipe.model, run.input, run.output) is None:
        return None
    path = run.whole("fit", "float") / NAME

    def again() -> keras.Model:
        companion = made(run.recipe.model, run.input, run.output)
        assert companion is not None
        arrays = read_arrays(path, str(path), MAX_BYTES)
        weights = [arrays[name] for name in sorted(arrays)]
        if [weight.shape for weight in weights] != [tuple(variable.shape) for variable in companion.weights]:
            raise InputError(f"{path} isn't of the run's model. {run.remedy('float/fit')}")
        companion.set_weights(weights)
        return companion

    return again
