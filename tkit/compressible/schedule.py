"""The callback that compression needs in training: it raises sparsity, moves ranges, and brings weights to centers."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from tkit.compressible.model import Compressible
from tkit.plan import Plan
from tkit_edge.errors import InputError


class Schedule(keras.callbacks.Callback):
    """What `tkit.prunable`, `tkit.clusterable` and `tkit.quantize_aware` need in `fit(callbacks=[tkit.Schedule()])`.

    A loop of one's own calls it through `keras.callbacks.CallbackList([tkit.Schedule()], model=model, epochs=EPOCHS,
    steps=STEPS)`, as Keras's own callbacks are called.

    Args:
        model: what one of the three returned, where `fit` is another model's that contains it (a distiller's).

    Raises:
        InputError: in training of any other model; or where the number of steps isn't known and `steps` wasn't given.

    Example:
        >>> model = tkit.prunable(model, sparsity=0.5)
        >>> model.compile("adam", loss)
        >>> model.fit(x, y, epochs=3, callbacks=[tkit.Schedule()])
    """

    def __init__(self, model: keras.Model | None = None) -> None:
        super().__init__()
        self._given = model
        self._plans: Sequence[Plan] = ()
        self._first = self._began = self._done = 0
        self._fresh = False

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Makes the plans of this training."""
        source = self.model if self._given is None else self._given
        if not isinstance(source, Compressible):
            raise InputError(
                "tkit.Schedule expected the model that tkit.prunable, tkit.clusterable or tkit.quantize_aware "
                f"returned, received {type(source).__name__} {source.name!r}. Where another model contains it: "
                "tkit.Schedule(model)."
            )
        epochs, steps = self.params.get("epochs") or 1, self.params.get("steps")
        total = source.method.steps or (steps and epochs * steps)
        if not total:
            raise InputError(
                "How many steps this training has isn't known: the data doesn't tell its size. Give it a "
                "steps_per_epoch in fit, or steps=N where the model was made compressible."
            )
        self._plans = source.method.plans(source, self._trained(source), total)
        self._done = 0

    def _trained(self, source: Compressible) -> keras.Model:
        return source

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Records the epoch's first step."""
        steps = self.params.get("steps")
        self._first, self._fresh = epoch * steps if steps else self._done, True

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Records the first step of a call into TensorFlow."""
        self._began = self._first + batch
        for plan in self._plans:
            if batch == 0 and self._fresh:  # a training that goes on in mid-epoch has begun it before
                plan.epoch_begins(self._began)
            plan.before(self._began)
        self._fresh = False

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Changes what is due."""
        self._done = self._first + batch + 1
        for plan in self._plans:
            plan.after(self._began, self._done)


class ScheduleOfCopy(Schedule):
    """The same for tkit's engine, which trains a copy of the model."""

    def _trained(self, source: Compressible) -> keras.Model:
        return self.model
