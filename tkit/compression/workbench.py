"""A compression step's tools: the engine, and training examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import keras

from tkit import console
from tkit.arrays import count
from tkit.compression.batch_statistics import estimate, lagging
from tkit.contract import Contract
from tkit.conversion import calibration
from tkit.conversion.config import Export
from tkit.conversion.scoring import Agreement, Scoring, scoring
from tkit.training.config import Fit
from tkit.training.engine import Outcome, train
from tkit.training.optimizers import Optimizer
from tkit.training.saving import Saving
from tkit.training.schedules.one_cycle import OneCycle
from tkit.training.trainee import Objective
from tkit_edge.errors import DivergedError, InputError
from tkit_edge.tensors import Arrays
from tkit_pipelines.batches import Batches, in_order
from tkit_pipelines.data import Data
from tkit_pipelines.dataset import Examples
from tkit_pipelines.splits import Splits

BATCHES = 8
"""Minimum number of batches of the training examples: a small set has smaller batches."""
SMALLEST_BATCH = 8
STEPS = 20
"""Minimum number of training steps that a default epoch stands for: a small set has more epochs."""
LONGEST = 1000
"""A training of more steps isn't repeated: it takes long, and had enough steps."""
ESTIMATED = 2000
"""Training examples that batch normalization's statistics are estimated on."""


def _no_teacher(name: str) -> Path:
    raise InputError(f"teacher={name}: there is no run to take a teacher from.")


class Workbench:
    """A run's examples and settings for the steps of one compression.

    Args:
        data: the run's; its augmentation applies to fine-tuning too.
        fit: how the run trained; its precision applies too.
        export: how the run exports.
        seed: the run's.
        splits: the run's data.
        contract: what the run's model takes, gives and learns.
        companion: makes the network that the run's model is trained against, as it was at the end of training, anew.
        teacher: the folder of the model that `teacher=` names; `self` is the model before all compression.
        saving: the checkpoints of the current step.
        remember: the JSON stored under a name before the interruption, or the function's result now.
        callbacks: for the step's progress and logs.
        rate: factor of the learning rates.
        max_steps: ends each epoch after this many steps (dry runs).
    """

    def __init__(
        self,
        *,
        data: Data,
        fit: Fit,
        export: Export,
        seed: int,
        splits: Splits,
        contract: Contract,
        companion: Callable[[], keras.Model] | None = None,
        teacher: Callable[[str], Path] = _no_teacher,
        saving: Callable[[], Saving] = Saving.nowhere,
        remember: Callable[[str, Callable[[], Any]], Any] = lambda name, find: find(),
        callbacks: Callable[[Batches], Sequence[keras.callbacks.Callback]] = lambda batches: (),
        rate: float = 1.0,
        max_steps: int | None = None,
    ) -> None:
        self.data, self.fit, self.export, self.seed = data, fit, export, seed
        self.splits, self.contract, self.companion = splits, contract, companion
        self.teacher, self.remember = teacher, remember
        self._saving, self._callbacks, self._rate, self._max_steps = saving, callbacks, rate, max_steps
        self.steps_trained = 0
        """Training steps so far."""

    @property
    def scoring(self) -> Scoring:
        """How outputs are scored and compared."""
        output = self.contract.output
        return scoring(output, self.contract.ruler) or Agreement(output)

    @cached_property
    def batches(self) -> Batches:
        """The training batches: the recipe's, or smaller ones where the set is small."""
        examples = len(self.splits.train)
        fitting = max(SMALLEST_BATCH, 2 ** int(math.log2(max(1, examples // BATCHES))))
        data = self.data.fixed().model_copy(update={"batch_size": min(self.data.batch_size, fitting)})
        return Batches(self.splits.train, data, self.contract.encoded, self.seed)

    def epochs(self, step: str, asked: int | None, usual: int) -> int:
        """Number of epochs of a step: those asked for, else its usual number, more if these are few steps.

        Reports an unusual number.
        """
        steps, batch = self.steps_per_epoch, self.batches.batch_size
        epochs = asked or max(usual, math.ceil(usual * STEPS / steps))
        if batch < self.data.batch_size or epochs > (asked or usual):
            console.say(
                f"{step}: {epochs} epochs of {steps} steps, batches of {batch}, as there are "
                f"{len(self.splits.train):,} training {self.contract.input.example}s (epochs=N sets another number)"
            )
        return epochs

    @property
    def repeatable(self) -> bool:
        """Whether it has trained, with so few steps that they may be repeated; those of a dry run are not."""
        return self._max_steps is None and 0 < self.steps_trained <= LONGEST

    def optimizer(self, asked: Optimizer | None, default: Callable[[], Optimizer]) -> Optimizer:
        """The optimizer of a fine-tuning: the one asked for; the run's own where two networks, which it holds in
        balance, are trained against each other; else the default.
        """
        return asked or (default() if self.companion is None else self.fit.optimizer)

    def scaled(self, optimizer: Optimizer) -> Optimizer:
        """The optimizer at the learning rate of this attempt."""
        return optimizer.model_copy(update={"learning_rate": self._rate * optimizer.learning_rate})

    @property
    def steps_per_epoch(self) -> int:
        """Training steps of an epoch."""
        return min(self.batches.steps_per_epoch, self._max_steps or self.batches.steps_per_epoch)

    def calibration(self, samples: int) -> Arrays:
        """The inputs of up to `samples` training examples, the same share of each class."""
        return self.inputs(self.chosen(samples))

    def inputs(self, examples: Examples) -> Arrays:
        """What the model takes of examples."""
        return examples.arrays([spec.name for spec in self.contract.input.tensors])

    def targets(self, examples: Examples) -> Arrays:
        """What is right of them."""
        return examples.arrays([spec.name for spec in self.contract.output.targets])

    def chosen(self, samples: int) -> Examples:
        """Up to `samples` training examples, the same share of each class."""
        return self.splits.train.take(calibration.stratified_places(self.splits.train, samples, self.seed))

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
            model: the step's model; its layers may be viewed.
            epochs: of the training split.
            optimizer: with its peak learning rate, for one cycle; None: the run's own, with its schedule and lookahead.
            callbacks: the step's own.
            objective: the loss instead of the task's.
            l2: penalty on the kernels.
        """
        companion = None if self.companion is None else self.companion()
        if companion is None:
            self.contract.loss()  # which a model that can't be trained refuses
        settings = self._settings(epochs, optimizer, l2)
        encoded, validated = self.contract.encoded, self.contract.task.validated
        try:
            outcome = train(
                model,
                self.batches,
                in_order(self.splits.validation, self.data, encoded) if validated else None,
                settings,
                self.contract,
                callbacks=(*callbacks, *self._callbacks(self.batches)),
                max_steps=self._max_steps,
                saving=self._saving(),
                objective=objective,
                companion=companion,
            )
        except DivergedError as error:
            rate = settings.optimizer.learning_rate
            raise DivergedError(
                f"{str(error).partition('.')[0]}, at a peak learning rate of {rate:g}. Give the step a lower one, such "
                f"as optimizer=sgd:learning_rate={rate / 10:g} or optimizer=adamw:learning_rate=0.0005."
            ) from error
        self.steps_trained += epochs * self.steps_per_epoch
        if lagging(model, self.steps_trained):
            examples = self.calibration(ESTIMATED)
            estimate(model, examples, self.seed)
            what = f"{count(examples):,} training {self.contract.input.example}s"
            console.progress(f"batch normalization: statistics estimated anew on {what}")
        return outcome

    def _settings(self, epochs: int, optimizer: Optimizer | None, l2: float) -> Fit:
        """Those of a training; arguments as of `train`."""
        own = self.fit
        return Fit(
            epochs=epochs,
            optimizer=self.scaled(optimizer or own.optimizer),
            schedule=OneCycle(warmup=0.1) if optimizer else own.schedule,
            lookahead=0.0 if optimizer else own.lookahead,
            ema=own.ema if self.companion is not None else 0.0,  # single steps of a generator are far apart
            l2=l2,
            precision=own.precision,
            steps_per_execution=own.steps_per_execution,
        )
