"""Quantization-aware training as TensorFlow Model Optimization Toolkit does it."""

from __future__ import annotations

import keras

from tkit.compression.tfmot.fine_tuning import fit, refuse, tfmot
from tkit.compression.workbench import Workbench
from tkit.passes.folding import fold
from tkit.passes.unfolding import unfold
from tkit.promises import State
from tkit.quantization.ranges import ranges
from tkit.training.optimizers import Optimizer
from tkit_edge.errors import InputError


def quantize(state: State, work: Workbench, *, samples: int, epochs: int, optimizer: Optimizer, label: str) -> State:
    """The trained model with int8 codes times scales, batch normalization folded away, and its ranges.

    Args:
        state: it isn't changed; its zeros and shared weights stay so.
        work: training images.
        samples: images that tensors are observed on for which TFMOT has no range.
        epochs: of the training.
        optimizer: SGD or AdamW.
        label: the step's, for progress.

    Raises:
        InputError: TFMOT isn't installed, or what it can't do is named.
    """
    tfmot()
    refuse(state, "tfmot_quantize", "quantized")
    for name in (*state.kept.pruned, *state.kept.clustered):
        if isinstance(state.model.get_layer(name), keras.layers.DepthwiseConv2D):
            raise InputError(
                f"tfmot_quantize: {name!r} is pruned or clustered, and TFMOT would undo that: it preserves zeros "
                "and shared weights of Conv2D and Dense only. Add it to the skip of that step."
            )
    from tkit.compression.tfmot.int8 import aware, clusters, read
    from tkit.compression.tfmot.keras2 import twin

    calibrated = ranges(fold(state.model), work.calibration(samples), "minmax")
    unfolded = unfold(state.model, state.kept.clustered)
    made = aware(twin(unfolded), pruned=bool(state.kept.pruned), clustered=bool(state.kept.clustered))
    fit(made, work, epochs=epochs, optimizer=optimizer, label=label)
    model, quantized = read(made, unfolded, calibrated)
    shared = {name: clusters(model.get_layer(name), quantized.scales[name]) for name in state.kept.clustered}
    return State(model, state.kept.model_copy(update={"clustered": shared, "quantized": quantized}))
