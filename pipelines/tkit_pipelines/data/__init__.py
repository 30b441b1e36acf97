"""Data sets, one file per kind: the settings of one, and how it is loaded and fed.

A kind is named after its file and holds one subclass of `Data`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from tkit_pipelines.balance import Balance
from tkit_pipelines.config import Component
from tkit_pipelines.dataset import Examples
from tkit_pipelines.divide import divide
from tkit_pipelines.memory import Budget
from tkit_pipelines.resolve import located
from tkit_pipelines.source import Loaded

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from tkit_edge.inputs import Input
    from tkit_pipelines.splits import Splits

Labels = Literal["classes", "numbers", "none"]
TARGETS: dict[Labels, str | None] = {"classes": "label", "numbers": "number", "none": None}
"""The column that holds what is right, by what labels are: int32 indices into the class names, or float32 numbers."""


class Data(Component):
    """A data set in three parts: what its examples are, how it is divided, and what a training batch is."""

    takes: ClassVar[str]
    """The kind of input that a model needs for it: a file of `tkit_edge.inputs`."""
    stand_in: ClassVar[tuple[str, str] | None] = None
    """Of data that can be downloaded: the source that dry runs read instead, and what it is called."""

    source: str
    """Where the examples are."""
    labels: Labels = "classes"
    """What labels are: names of `classes`, the text of `numbers` to be predicted, or `none`, which ignores them."""
    batch_size: PositiveInt = 128
    validation: float = Field(default=0.1, gt=0, lt=1)
    """The part of the training examples, of each class, that is held out for choices and gates."""
    balance: Balance = "none"
    """For uneven classes: `weights` lets each class count the same in the loss; `oversample` draws examples of small
    classes more often, up to the largest class in an epoch."""

    @model_validator(mode="after")
    def _balanced(self) -> Self:
        if self.balance != "none" and self.labels != "classes":
            raise ValueError(f"balance={self.balance} evens out classes, and labels={self.labels}: set balance=none")
        return self

    @property
    def target(self) -> str | None:
        """The column of `Examples` that holds what is right; None where nothing is known to be."""
        return TARGETS[self.labels]

    def located(self) -> Self:
        """The same data, its path absolute."""
        return self.model_copy(update={"source": located(self.source)})

    @abstractmethod
    def load(self, seed: int, known: Input | None = None) -> Splits:
        """The examples in training, validation and test parts.

        `known` is what a model takes that is trained already; None for data to train on, of which the input may be
        learned (a vocabulary). `seed` decides what is held out for validation, where the source has no part for it. The
        test part is the source's own, or a fixed fifth, of each class where there are classes, that no seed changes.
        Parts that are past the RAM budget (`TKIT_RAM`, in GiB) stay where they are: images in the cache on disk,
        memory-mapped.

        Raises:
            InputError: the source can't be read, or its examples can't be trained on.
        """

    def fixed(self) -> Self:
        """The same data, its training batches of the shape that `Splits.input` says, for models that take no other."""
        return self

    def sizes(self, examples: Examples) -> np.ndarray | None:
        """Of examples that take more or less work, how much: int [N]; a batch then holds examples of like size."""
        return None

    def gather(
        self,
        columns: Mapping[str, tuple[tf.Tensor, tf.Tensor]],
        targets: tf.Tensor | None,
        seed: tf.Tensor,
        turn: tf.Tensor,
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor | None]:
        """A training batch's inputs, and what is right for them where the two are changed together.

        Args:
            columns: of each input its whole column [N, ...] and the rows wanted, int [B].
            targets: float32 [B, ...]; None where nothing is known to be right.
            seed: int64 [2], the batch's own.
            turn: bool [B, 1]: alternates every epoch, from a random start per example.

        Returns:
            Of each input [B, ...], and the targets.
        """
        import tensorflow as tf

        return {name: tf.gather(column, rows) for name, (column, rows) in columns.items()}, targets

    def _parts(self, loaded: Loaded, seed: int) -> tuple[Examples, Examples, Examples]:
        """What is loaded, divided: for training, validation and test."""
        return self._placed(loaded, divide(loaded, self.source, self.validation, seed))

    def _placed(
        self, loaded: Loaded, rows: tuple[np.ndarray, np.ndarray, np.ndarray]
    ) -> tuple[Examples, Examples, Examples]:
        """The parts at the rows that `divide` gave, each where the RAM budget lets it be."""
        kept, chosen, measured = rows
        budget = Budget()
        # The smaller parts first: training examples are read in random order anyway.
        validation = budget.place(loaded.train, chosen)
        test = budget.place(loaded.train if loaded.test is None else loaded.test, measured)
        return budget.place(loaded.train, kept), validation, test
