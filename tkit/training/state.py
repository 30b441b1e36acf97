"""The state of training: everything the next step depends on beside the recipe and the data.

Batches are a pure function of (seed, epoch, step), and the learning rate one of the optimizer's iterations: neither has
state of its own.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tkit.training.checkpoint import Checkpoint
from tkit.training.trainee import Trainee
from tkit_edge.errors import InputError


class TrainingState:
    """Where training is, and what it knows; `checkpoint` and `restore` copy all of it out and in.

    Args:
        twin: the compiled training twin, its optimizer's and metrics' variables made.
        first_bad_step: the engine's variable that watches the loss.
    """

    def __init__(self, twin: Trainee, first_bad_step: tf.Variable) -> None:
        self.epoch = 0
        """Whole epochs done."""
        self.step = 0
        """Steps of the next epoch done."""
        self.seconds = 0.0
        """Time that those steps took."""
        self.history: list[dict[str, float]] = []
        self.stopped = False
        """Whether training ended before its last epoch."""
        self.kept_epoch, self.kept_loss = -1, math.inf
        self.kept_weights: list[np.ndarray] | None = None
        """What training ends with: the best epoch's weights where early stopping chooses, else the last's."""
        self._weights = twin.weights
        self._groups = {
            "model": twin.variables,  # the states of dropout's seeds are among them
            "optimizer": twin.optimizer.variables,  # slots, iterations, moving averages, loss scale
            "metrics": twin.metrics_variables,
            "watch": [first_bad_step],
            **twin.companion_variables,
        }

    def keep(self, epoch: int, loss: float, weights: list[np.ndarray]) -> None:
        """Makes the weights of an epoch the ones that training ends with."""
        self.kept_epoch, self.kept_loss, self.kept_weights = epoch, loss, weights

    def metrics(self) -> list[np.ndarray]:
        """A copy of the metrics' accumulators."""
        return [np.array(variable.numpy()) for variable in self._groups["metrics"]]

    def set_metrics(self, values: list[np.ndarray]) -> None:
        """Brings the metrics' accumulators to `values`."""
        for variable, value in zip(self._groups["metrics"], values, strict=True):
            variable.assign(value)

    def checkpoint(self, **facts: Any) -> Checkpoint:
        """A copy of all of it; `facts` are put beside, and checked by nobody here."""
        arrays = {}
        for group, variables in self._groups.items():
            for number, variable in enumerate(variables):
                arrays[f"{group}/{number:04d}"] = np.array(variable.numpy())
        for number, weight in enumerate(self.kept_weights or ()):
            arrays[f"kept/{number:04d}"] = weight
        own = {
            "epoch": self.epoch,
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
            "stopped": self.stopped,
            "kept_epoch": self.kept_epoch,
            "kept_loss": None if math.isinf(self.kept_loss) else self.kept_loss,
        }
        return Checkpoint(arrays, {**own, **facts})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Brings everything to where it was.

        Raises:
            InputError: the checkpoint is of another model or optimizer.
        """
        for group, variables in self._groups.items():
            for number, variable in enumerate(variables):
                array = checkpoint.arrays.get(f"{group}/{number:04d}")
                if array is None or array.shape != tuple(variable.shape):
                    found = "nothing" if array is None else f"{list(array.shape)}"
                    raise InputError(
                        f"The checkpoint is of another model or optimizer: expected {list(variable.shape)} for "
                        f"variable {number} of {group}, found {found}."
                    )
                variable.assign(array)
        kept = [checkpoint.arrays[name] for name in sorted(checkpoint.arrays) if name.startswith("kept/")]
        if kept and [array.shape for array in kept] != [tuple(weight.shape) for weight in self._weights]:
            raise InputError("The checkpoint's kept weights are of another model.")
        facts = checkpoint.facts
        self.epoch, self.step, self.seconds = facts["epoch"], facts["step"], facts["seconds"]
        self.history, self.stopped = list(facts["history"]), facts["stopped"]
        self.kept_epoch = facts["kept_epoch"]
        self.kept_loss = math.inf if facts["kept_loss"] is None else facts["kept_loss"]
        self.kept_weights = kept or None
