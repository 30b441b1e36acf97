"""How a recipe trains: the settings of the fit stage."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tkit.training.optimizers import Optimizer
from tkit.training.optimizers.sgd import SGD
from tkit.training.schedules import Schedule
from tkit.training.schedules.one_cycle import OneCycle
from tkit_pipelines.config import Config, OneOf

MAX_THREADS = 4096


class Checkpointing(Config):
    """When a run that is being trained is saved, so that it can go on; each epoch's end is always saved."""

    steps: int | None = Field(None, ge=1)
    """After so many steps too."""
    minutes: float | None = Field(5.0, gt=0)
    """After so many minutes too."""
    keep: int = Field(2, ge=1)
    """Checkpoints that are left, the newest ones."""


class Fit(Config):
    """Epochs, optimizer, schedule, regularization and precision."""

    epochs: int = Field(10, ge=1)
    """Passes over the training split."""
    optimizer: Annotated[Optimizer, OneOf("tkit.training.optimizers")] = SGD()
    """`sgd`, `adamw` or `muon`, with their fields."""
    schedule: Annotated[Schedule, OneOf("tkit.training.schedules")] = OneCycle()
    """`one_cycle`, `cosine` or `step`, with their fields."""
    vectors: str | None = None
    """A file of word vectors in GloVe's text format that a model of texts begins with; null: none."""
    l2: float = Field(0.0, ge=0)
    """L2 penalty on the kernels, added to the loss (loss += l2 * sum of squares)."""
    ema: float = Field(0.0, ge=0, lt=1)
    """Momentum of an exponential moving average of the weights, which is then what is validated and kept; 0: none."""
    lookahead: float = Field(0.0, ge=0, lt=1)
    """Every fifth step draws the weights to a slow average of theirs, whose share ends at this; 0: none."""
    clip_norm: float | None = Field(None, gt=0)
    """Largest global norm of the gradients; larger ones are scaled down."""
    early_stopping: int | None = Field(None, ge=1)
    """Stop after so many epochs without a better validation loss, and keep the best epoch's weights."""
    freeze_epochs: int | None = Field(None, ge=0)
    """Epochs after which the layers that the model builds frozen (`backbone`) are trained too; null: never."""
    unfreeze_scale: float = Field(0.1, gt=0, le=1)
    """Multiplies the learning rate from then on: trained layers need smaller steps than a new head."""
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = "auto"
    """Compute precision; `auto` chooses by hardware and model and reports why."""
    threads: int | None = Field(None, ge=1, le=MAX_THREADS)
    """Threads that TensorFlow's kernels share; null: $TKIT_THREADS, else all cores. Weights depend on it in their last
    bits: with one number, machines of different size agree."""
    steps_per_execution: int = Field(20, ge=1)
    """Training steps that run in one call into TensorFlow."""
    checkpoint: Checkpointing = Checkpointing()
    """When the run is saved, so that `tkit fit --resume` can go on."""
