"""Quantization-aware training in a training loop of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tkit import console
from tkit._quiet import silenced
from tkit.compression.steps.quantize import Quantize
from tkit.library._settings import validated

if TYPE_CHECKING:
    import keras

    from tkit.quantization.ranges import Method

_DEFAULT = Quantize()


@silenced()
def quantize_aware(
    model: keras.Model,
    calibration: Any,
    *,
    steps: int | None = None,
    method: Method = _DEFAULT.calibration,
    input_range: tuple[float, float] | None = None,
    float_layers: Sequence[str] = (),
    int4: Sequence[str] = (),
) -> keras.Model:
    """A model that computes as its int8 file does while it is trained; compile and fit it with `tkit.Schedule()`.

    Batch normalization is folded into the kernels, so the model has fewer layers than it had. It has an int8 file
    without training too: `tkit.to_tflite(model, "int8")`. A learning rate a third or a tenth of that of the training
    suits it.

    Args:
        model: functional or Sequential, trained; or what `prunable` or `clusterable` returned, trained: zeros and
            shared weights stay so (PQAT, CQAT, PCQAT).
        calibration: some hundred training examples, as `model` takes them: an array [n, ...], a list or dictionary of
            arrays for several inputs, or a data set.
        steps: of training; ranges stay as they are in the last quarter of them. None: of one `fit`.
        method: activation ranges from all values ("minmax"), all but 0.01 % ("percentile"), or by the least square
            error ("mse").
        input_range: of the inputs, where it is known: (0, 255) of raw pixels. None: calibrated like all ranges.
        float_layers: layers that compute in float.
        int4: layers whose weights have 4 bits, by name or by kind such as "dense".

    Returns: an uncompiled `keras.Model` in the precision of `model`.

    Raises:
        InputError: no model whose graph is known; examples that don't fit it; an unknown layer.

    Source: Jacob et al. 2018, "Quantization and Training of Neural Networks".

    Example:
        >>> model = tkit.quantize_aware(model, calibration=x_train[:500])
        >>> model.compile(keras.optimizers.Adam(3e-4), loss, metrics=["accuracy"])
        >>> model.fit(x_train, y_train, epochs=3, callbacks=[tkit.Schedule()])
        >>> Path("model.tflite").write_bytes(tkit.to_tflite(model, "int8"))
    """
    from tkit.compressible.opening import opened, trainable
    from tkit.compressible.quantized import Calibrated
    from tkit.library.inputs import calibration_arrays
    from tkit.quantization.rules import Rules

    step = validated(Quantize, "quantize_aware", calibration=method, float_layers=float_layers, int4=int4)
    state = opened(model)
    state = state._replace(kept=state.kept.model_copy(update={"quantized": None}))  # of a model in int8 anew
    calibrated = Calibrated.of(
        state,
        calibration_arrays(state.model, calibration),
        method=step.calibration,
        input_range=input_range,
        float_layers=step.float_layers,
        int4=step.int4,
    )
    for what in Rules(calibrated.model, step.float_layers, input_range).ruleless.values():
        console.say(f"quantize_aware: int8 has no rule for {what}, which computes in float")
    return trainable(calibrated.aware(steps), model)
