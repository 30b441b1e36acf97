"""What a compression step works with: the engine, and training pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tkit.export import calibration
from tkit.fit.config import Fit
from tkit.fit.engine import Objective, Outcome, train
from tkit.fit.optimizers import Optimizer
from tkit.fit.saving import Saving
from tkit.fit.schedules.one_cycle import OneCycle
from tkit.recipe import Recipe
from tkit_edge.errors import DivergedError
from tkit_pipelines.batches import Batches, in_order
from tkit_pipelines.dataset import Examples, Splits


class Work:
    """A run's pictures and settings for the steps of one compression.

    Args:
        recipe: the run's; its augmentation, smoothing and precision hold in fine-tuning too.
        splits: its pictures.
        probabilities: whether the model ends in a softmax.
        trained: the folder of the model as it was before all compression.
        saving: the checkpoints of the step that is being done.
        remember: JSON of a name that was found before the interruption, or what the function finds now.
        callbacks: those of the step, for progress and logs.
        max_steps: ends each epoch after so many steps (dry runs).
    """

    def __init__(
        self,
        recipe: Recipe,
        splits: Splits,
        *,
        probabilities: bool,
        trained: Path | None = None,
        saving: Callable[[], Saving] = Saving.nowhere,
        remember: Callable[[str, Callable[[], Any]], Any] = lambda name, find: find(),
        callbacks: Callable[[Batches], Sequence[keras.callbacks.Callback]] = lambda batches: (),
        max_steps: int | None = None,
    ) -> None:
        self.recipe, self.splits, self.probabilities = recipe, splits, probabilities
        self.batches: Batches = recipe.data.batches(splits.train, len(splits.class_names), recipe.seed)
        self.trained, self.remember = trained, remember
        self._saving, self._callbacks, self._max_steps = saving, callbacks, max_steps

    @property
    def seed(self) -> int:
        """The run's."""
        return self.recipe.seed

    @property
    def steps_per_epoch(self) -> int:
        """Training steps of an epoch."""
        return min(self.batches.steps_per_epoch, self._max_steps or self.batches.steps_per_epoch)

    def calibration(self, samples: int) -> np.ndarray:
        """Up to `samples` training pictures, uint8 [n, height, width, channels], the same share of each class."""
        return self.labelled(samples).images

    def labelled(self, samples: int) -> Examples:
        """The same with their labels."""
        return self.splits.train.take(calibration.stratified_places(self.splits.train, samples, self.recipe.seed))

    def train(
        self,
        model: keras.Model,
        *,
        epochs: int,
        optimizer: Optimizer | None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        objective: Objective | None = None,
        l2: float = 0.0,
    ) -> Outcome:
        """Fine-tunes `model` in place; the last epoch's weights are kept.

        Args:
            model: what the step has made of the model; its layers may be viewed.
            epochs: of the training split.
            optimizer: with its peak learning rate, for one cycle; None: the run's own, with its schedule and lookahead.
            callbacks: the step's own.
            objective: in place of cross-entropy.
            l2: penalty on the kernels.
        """
        own = self.recipe.fit
        settings = Fit(
            epochs=epochs,
            optimizer=optimizer or own.optimizer,
            schedule=OneCycle(warmup=0.1) if optimizer else own.schedule,
            lookahead=0.0 if optimizer else own.lookahead,
            label_smoothing=own.label_smoothing,
            l2=l2,
            precision=own.precision,
            steps_per_execution=own.steps_per_execution,
        )
        validation: tf.data.Dataset = in_order(
            self.splits.validation, len(self.splits.class_names), self.recipe.data.batch_size
        )
        try:
            return train(
                model,
                self.batches,
                validation,
                settings,
                callbacks=(*callbacks, *self._callbacks(self.batches)),
                max_steps=self._max_steps,
                saving=self._saving(),
                objective=objective,
                probabilities=self.probabilities,
            )
        except DivergedError as error:
            rate = settings.optimizer.learning_rate
            raise DivergedError(
                f"{str(error).partition('.')[0]}, at a peak learning rate of {rate:g}. Give the step a lower one, such "
                f"as optimizer=sgd:learning_rate={rate / 10:g} or optimizer=adamw:learning_rate=0.0005."
            ) from error
