"""The optimizer of a step that has none of its own: large steps where the network bears them."""

from __future__ import annotations

import keras

from tkit import console
from tkit.compress._fold import factors
from tkit.compress._kernels import with_kernels
from tkit.fit.optimizers import Optimizer
from tkit.fit.optimizers.adamw import AdamW
from tkit.fit.optimizers.sgd import SGD

RATE = 3e-3
_BARE_SHARE = 0.1


def suited(model: keras.Model, rate: float) -> Optimizer:
    """Nesterov SGD at `rate` where batch normalization follows kernels with nine tenths of `model`'s weights, as it
    makes their size no matter; else AdamW at 3e-3, which says so. The layer that makes the outputs doesn't count.
    """
    normalized = factors(model).keys()
    ends = {tensor._keras_history.operation.name for tensor in model.outputs}
    sizes = {layer.name: layer.kernel.shape.num_elements() for layer in with_kernels(model) if layer.name not in ends}
    bare = sum(size for name, size in sizes.items() if name not in normalized)
    if bare <= _BARE_SHARE * sum(sizes.values()):
        return SGD(learning_rate=rate)
    console.say(f"{bare:,} weights without batch normalization behind them: trained by AdamW at {RATE:g}")
    return AdamW(learning_rate=RATE, weight_decay=0.0)
