"""Tasks, one file per kind: what a model gives, what is right, and what training minimizes.

Nothing here needs TensorFlow before a model is trained. What goes into a model is the data's kind of input, so that a
task works for images as for anything else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from tkit_edge.outputs import Output
from tkit_pipelines.config import Component, component_class, kinds

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from tkit.evaluation import Evaluation
    from tkit.ruler import Ruler
    from tkit_pipelines.splits import Splits


class Task(Component):
    """What is learned."""

    gives: ClassVar[str]
    """The kind of output, a file of `tkit_edge.outputs`."""
    target: ClassVar[str | None]
    """The column of the data that says what is right; None where nothing does."""

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
