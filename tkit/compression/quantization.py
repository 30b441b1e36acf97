"""int8 quantization: kernels to codes times scales, activations to ranges; trained on as the device computes."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tkit import console
from tkit.arrays import count
from tkit.compressible.quantized import Calibrated
from tkit.compressible.schedule import ScheduleOfCopy
from tkit.compressible.stripping import stripped
from tkit.compression.distillation import Distillation
from tkit.compression.workbench import Workbench
from tkit.passes.folding import fold
from tkit.promises import State
from tkit.quantization.ranges import Method
from tkit.quantization.rules import Rules
from tkit.training.optimizers import Optimizer
from tkit_edge.errors import InputError
from tkit_edge.tensors import Arrays


def quantize(
    state: State,
    work: Workbench,
    *,
    method: Method,
    samples: int,
    float_layers: tuple[str, ...],
    int4: Sequence[str],
    epochs: int | None,
    optimizer: Optimizer,
    teacher: str | None,
) -> State:
    """The folded model with weights that are int8 codes times scales, and the ranges of its activations.

    Args:
        state: it isn't changed.
        work: training images and the engine.
        method: how activation ranges come from the calibration images.
        samples: calibration images.
        float_layers: layers that compute in float.
        int4: layers whose weights have 4 bits, by name or kind.
        epochs: of training with rounded weights and activations; None for no training.
        optimizer: of that training.
        teacher: of that training: the run to distil from.

    Raises:
        InputError: an unknown name among `float_layers` or `int4`; fewer calibration images than classes.
    """
    examples = _calibration(state.model, work, samples)
    calibrated = Calibrated.of(
        state,
        examples,
        method=method,
        input_range=work.contract.input.range,
        float_layers=float_layers,
        int4=int4,
    )
    if epochs is None:
        return calibrated.rounded()
    aware = calibrated.aware()
    work.train(
        aware,
        epochs=epochs,
        optimizer=optimizer,
        callbacks=[ScheduleOfCopy(aware)],
        objective=Distillation(teacher, calibrated.model, work) if teacher else None,
    )
    return stripped(aware)


def check(model: keras.Model, work: Workbench, *, samples: int, float_layers: Sequence[str], strict: bool) -> None:
    """Says which layers int8 has no rule for; raises InputError if `strict`, or where there are too few images."""
    _calibration(model, work, samples)
    ruleless = Rules(fold(model), float_layers, work.contract.input.range).ruleless
    if ruleless and strict:
        raise InputError(
            f"int8 has no rule for {', '.join(ruleless.values())}. Replace it by what has one, or leave out "
            "strict=true: it then computes in float."
        )
    for what in ruleless.values():
        console.say(f"quantize: int8 has no rule for {what}, which computes in float")


def _calibration(model: keras.Model, work: Workbench, samples: int) -> Arrays:
    examples, classes = work.calibration(samples), len(work.splits.class_names)
    if count(examples) < classes:
        raise InputError(
            f"quantize.samples={samples} gives {count(examples)} calibration examples for {classes} classes: "
            f"expected at least one a class. Raise it to {classes} or more; several hundred are usual."
        )
    return examples
