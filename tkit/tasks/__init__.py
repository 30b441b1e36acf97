"""Tasks, one file per kind: what a model gives, what is right, and what training minimizes; and a run's contract.

Nothing here needs TensorFlow before a model is trained. What goes into a model is the data's kind of input, so that a
task works for images as for anything else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from tkit_edge.inputs import Input
from tkit_edge.outputs import Output
from tkit_pipelines.config import Component

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from tkit.evaluation import Evaluation
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
        """What training minimizes; `spread` as of the `Contract`."""

    @abstractmethod
    def metrics(self) -> list[keras.metrics.Metric]:
        """What training reports beside the loss, the first under the key of the output's measure."""

    @abstractmethod
    def evaluation(self, output: Output) -> Evaluation:
        """How outputs are reported.

        Raises:
            InputError: nothing is known to be right.
        """

    def spread(self, splits: Splits) -> float:
        """How far targets lie apart."""
        return 1.0


class Contract(NamedTuple):
    """What a run's model takes, gives and learns."""

    task: Task
    input: Input
    output: Output
    spread: float = 1.0
    """The standard deviation of the training targets, where they are numbers."""

    @classmethod
    def of(cls, task: Task, splits: Splits) -> Contract:
        """That of a model for these splits; raises like `Task.output`."""
        return cls(task, splits.input, task.output(splits), task.spread(splits))

    @property
    def name(self) -> str:
        """What a bundle calls it: "image-classification"."""
        return f"{self.input.kind}-{self.task.kind}"

    def encoded(self, columns: Mapping[str, Any]) -> Any:
        """A batch's targets as the loss takes them."""
        return self.task.encoded(columns, self.output)

    def loss(self) -> keras.losses.Loss:
        """What training minimizes."""
        return self.task.loss(self.output, self.spread)

    def as_json(self) -> dict[str, Any]:
        """For a manifest: what `contract_v1` and `Run` read."""
        return {
            "input": {"kind": self.input.kind, **self.input.as_json()},
            "output": {"kind": self.output.kind, **self.output.as_json()},
        }
