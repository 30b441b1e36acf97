"""Fewer channels, for a training loop of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from tkit._quiet import silenced
from tkit.compressible.opening import opened
from tkit.compressible.stripping import remember
from tkit.compression.channels import ranking
from tkit.compression.channels.pruning import RANKED_AT_ONCE, check_dense, measured, narrowed
from tkit.compression.steps.channels import Channels
from tkit.library.inputs import calibration_arrays
from tkit_edge.errors import InputError

_DEFAULT = Channels()


@silenced()
def narrow(
    model: keras.Model,
    speedup: float = _DEFAULT.speedup,
    *,
    widths: Mapping[str, int] | None = None,
    data: tuple[Any, Any] | None = None,
    loss: Callable[[Any, Any], Any] | str | None = None,
) -> keras.Model:
    """A smaller dense model of the same layers, without its least important channels; to be trained on.

    Args:
        model: functional or Sequential, trained; not pruned, clustered or quantized. It isn't changed.
        speedup: how many times as fast its int8 file is to be here, on one thread: the widths are found by measuring.
        widths: channels left of each group, by its first layer, instead of `speedup`.
        data: (x, y), some thousand training examples: channels are ranked by what removing one does to `loss`. None:
            by their kernels' magnitude.
        loss: from targets and outputs, as `compile` takes it; with `data`.

    Returns:
        An uncompiled float32 `keras.Model` of stock layers.

    Raises:
        InputError: a model that can't be narrowed, unknown groups or impossible widths.
        BoundError: the narrowest model isn't that much faster; the message has the ratio.

    Source: Molchanov et al. 2019, "Importance Estimation for Neural Network Pruning".

    Example:
        >>> model = tkit.narrow(model, 1.5, data=(x_train, y_train), loss="sparse_categorical_crossentropy")
    """
    if (data is None) != (loss is None):
        raise InputError("tkit.narrow: data and loss rank channels together: give both, or neither.")
    state = opened(model)
    check_dense(state)
    if data is None:
        importance = ranking.l1(state.model)
    else:
        examples, targets = calibration_arrays(state.model, data[0]), np.asarray(data[1])
        called = keras.losses.get(loss)
        importance = ranking.taylor(state.model, examples, targets, called, batch_size=RANKED_AT_ONCE)
    chosen = measured(state.model, importance, speedup) if widths is None else widths
    return remember(narrowed(state, importance, chosen), model)
