"""The diagnosis of int8: what quantization costs a trained variant, where and why, and what exceptions win back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tkit.compression.steps.quantize import Quantize
from tkit.recipe_loading import describe
from tkit.results.why_int8 import WhyInt8Result
from tkit.run_folder import Run
from tkit.stages._common import stage
from tkit.stages._models import run_of
from tkit_edge.errors import InputError
from tkit_pipelines.config import parse_component

if TYPE_CHECKING:
    import keras


@stage()
def why_int8(
    run: Run | keras.Model | str | Path,
    step: Quantize | str = "quantize",
    *,
    data: Any = None,
    variant: str = "float",
    samples: int = 500,
) -> WhyInt8Result:
    """Which layers cost an int8 model its accuracy, the worst first, with the cause and what to do about it.

    Every kernel and every layer's activations are rounded alone, in a model else in float. Then the whole model is
    quantized, without and with the suggested exceptions, and the two .tflite files are measured.

    Args:
        run: a run or its folder; or, with `data`, a model as `tkit.adopt` takes it.
        data: of that model, in memory or by name; see `tkit.adopt`.
        step: how it is quantized, such as "quantize:calibration=minmax,samples=100"; calibration alone, no training.
        variant: the float model that is quantized.
        samples: validation images, at most, that measure.

    Returns:
        `places` (each with layer, part, divergence, cause, why, remedy), `int8` and `with_exceptions` (accuracy,
        agreement, drop, bytes of the files; the latter None where none are suggested), `step` and `suggested_step` as
        `tkit compress` takes them, and `folder`, where why-int8.json and why-int8.png lie.

    Raises:
        InputError: a layer that int8 has no rule for, with `strict=true`; a variant that is quantized already; no such
            step.

    Example:
        >>> tkit.why_int8("runs/digits_cnn-1")["places"][0]["cause"]
    """
    run = run_of(run, data)
    chosen = _parsed(step)
    if samples < 1:
        raise InputError(f"samples={samples}: expected at least one validation image.")
    from tkit.stages import _why_int8

    return _why_int8.diagnosed(run, chosen, variant, samples)


def _parsed(step: Quantize | str) -> Quantize:
    if isinstance(step, str):
        try:
            values = parse_component(step)
            if values["kind"] != "quantize":
                raise InputError(f"why-int8 looks at quantize, received {step!r}: expected quantize:KEY=VALUE,...")
            step = Quantize.model_validate(values)
        except ValidationError as error:
            raise InputError(f"Cannot quantize so: {describe(error)}") from error
        except ValueError as error:
            raise InputError(f"Cannot quantize so: {error}") from error
    if step.aware:
        raise InputError("why-int8 looks at what calibration alone does: leave aware=true out.")
    return step
