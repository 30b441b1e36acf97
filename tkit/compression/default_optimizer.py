"""Default fine-tuning optimizer: SGD where batch normalization makes the weights scale-invariant, else AdamW."""

from __future__ import annotations

import keras

from tkit import console
from tkit.keras_internals import producer
from tkit.kernels.viewed import kernel_of, with_kernels
from tkit.passes.folding import factors
from tkit.training.optimizers import Optimizer
from tkit.training.optimizers.adamw import AdamW
from tkit.training.optimizers.sgd import SGD

RATE = 3e-3
_BARE_SHARE = 0.1


def default_optimizer(model: keras.Model, rate: float) -> Optimizer:
    """Nesterov SGD at `rate` where batch normalization follows kernels that hold nine tenths of `model`'s weights; else
    AdamW at 3e-3, with a message. The output layer doesn't count.
    """
    normalized = factors(model).keys()
    ends = {producer(tensor).name for tensor in model.outputs}
    sizes = {
        layer.name: kernel_of(layer).shape.num_elements() for layer in with_kernels(model) if layer.name not in ends
    }
    bare = sum(size for name, size in sizes.items() if name not in normalized)
    if bare <= _BARE_SHARE * sum(sizes.values()):
        return SGD(learning_rate=rate)
    console.say(f"{bare:,} weights without batch normalization behind them: trained by AdamW at {RATE:g}")
    return AdamW(learning_rate=RATE, weight_decay=0.0)
