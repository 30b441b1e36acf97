"""Tasks, one file per kind: what a model gives, what is right, and what training minimizes.

Nothing here needs TensorFlow before a model is trained. What goes into a model is the data's kind of input, unless the
task says otherwise, so that a task works for images as for anything else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tkit_edge.outputs import Output
from tkit_pipelines.config import Component, component_class, kinds

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from tkit.evaluation import Evaluation
    from tkit.ruler import Ruler
    from tkit_edge.inputs import Input
    from tkit_pipelines.data import Data
    from tkit_pipelines.splits import Splits


class Task(Component):
    """What is learned."""

    gives: ClassVar[str]
    """The kind of output, a file of `tkit_edge.outputs`."""
    targets: ClassVar[tuple[str | None, ...]]
    """The columns of the data that fit, each of which says what is right; None: nothing does."""
    takes: ClassVar[str | None] = None
    """The kind of input of a model, where it isn't the data's."""
    learns_from: ClassVar[str | None] = None
    """The kind of input that the data must have; None: any."""
    validated: ClassVar[bool] = True
    """Whether training has a loss on validation data; else it ends with its last epoch's weights."""

    judged: ClassVar[bool] = False
    """Whether outputs are measured as a set, by a classifier that is trained first."""

    def check(self, data: Data) -> None:
        """Raises InputError for settings of the data that don't fit."""

    def input(self, splits: Splits) -> Input:
        """What a model that is trained on the splits takes."""
        return splits.input

    def prepared(self, splits: Splits, seed: int) -> Splits:
        """The splits with what a model takes among their columns."""
        return splits

    def ruler(self, folder: Path, splits: Splits) -> Ruler | None:
        """What measures outputs as a set, by what the run in the folder keeps; None where each is right or wrong."""
        return None

    @abstractmethod
    def output(self, splits: Splits) -> Output:
        """What a model that is trained on the splits gives.

        Raises:
            InputError: it can't be learned from them.
        """

    @abstractmethod
    def encoded(self, columns: Mapping[str, tf.Tensor], output: Output) -> tf.Tensor:
        """The target of each example of a batch, as the loss takes it: [batch, ...]."""

    @abstractmethod
    def loss(self, output: Output, spread: float) -> keras.losses.Loss:
        """What training minimizes; `spread` as of `tkit.contract.Contract`."""

    @abstractmethod
    def metrics(self) -> list[keras.metrics.Metric]:
        """What training reports beside the loss, the first under the key of the output's measure."""

    @abstractmethod
    def evaluation(self, output: Output, ruler: Ruler | None = None) -> Evaluation:
        """How outputs are reported; `ruler` measures them where no single one is right or wrong.

        Raises:
            InputError: nothing is known to be right, or there is no ruler for what needs one.
        """

    def spread(self, splits: Splits) -> float:
        """How far targets lie apart."""
        return 1.0


def task_for(output: Output) -> Task:
    """The task of a model with this output, with its default settings."""
    for kind in kinds(__name__):
        found = component_class(__name__, kind)
        if issubclass(found, Task) and found.gives == output.kind:
            return found(kind=kind)
    raise ValueError(f"no task gives {output.kind}")
