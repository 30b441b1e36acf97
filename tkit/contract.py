"""The contract of a run: what its model takes, gives and learns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tkit import files
from tkit.ruler import Ruler
from tkit.tasks import Task
from tkit_edge import inputs, outputs
from tkit_edge.fields import Fields
from tkit_edge.inputs import Input
from tkit_edge.inputs.image import Image
from tkit_edge.outputs import Measure, Output
from tkit_edge.outputs.classes import Classes
from tkit_pipelines.data import Data
from tkit_pipelines.data.images import Images

if TYPE_CHECKING:
    import keras

    from tkit.evaluation import Evaluation
    from tkit_pipelines.splits import Splits


class Contract(NamedTuple):
    """What a run's model takes, gives and learns."""

    task: Task
    input: Input
    output: Output
    spread: float = 1.0
    """The standard deviation of the training targets, where they are numbers."""
    ruler: Ruler | None = None
    """What measures outputs where no single one is right or wrong."""

    @property
    def measure(self) -> Measure | None:
        """What says how good outputs are; None where nothing does."""
        return self.ruler.measure if self.ruler is not None else self.output.measure

    @classmethod
    def of(cls, task: Task, splits: Splits) -> Contract:
        """That of a model for these splits; raises like `Task.output`."""
        return cls(task, task.input(splits), task.output(splits), task.spread(splits))

    @property
    def name(self) -> str:
        """What a bundle calls it: "image-classification"."""
        return f"{self.task.learns_from or self.input.kind}-{self.task.kind}"

    def encoded(self, columns: Mapping[str, Any]) -> Any:
        """A batch's targets as the loss takes them."""
        return self.task.encoded(columns, self.output)

    def loss(self) -> keras.losses.Loss:
        """What training minimizes."""
        return self.task.loss(self.output, self.spread)

    def evaluation(self) -> Evaluation:
        """How outputs are reported; raises like `Task.evaluation`."""
        return self.task.evaluation(self.output, self.ruler)

    def attach(self, folder: Path) -> list[Path]:
        """Writes what belongs to the input and is too large for JSON, such as a vocabulary; returns the paths."""
        for name, data in self.input.attached.items():
            files.write_bytes(folder / name, data)
        return [folder / name for name in self.input.attached]

    def as_json(self) -> dict[str, Any]:
        """For a manifest: what `input_of` and `output_of` read."""
        return {
            "input": {"kind": self.input.kind, **self.input.as_json()},
            "output": {"kind": self.output.kind, **self.output.as_json()},
        }


def input_of(entry: Mapping[str, Any], data: Data, file: str, folder: Path) -> Input:
    """What the model takes, from the manifest's entry of the stage that made it, in a run of this data.

    What is attached to it is in the folder.
    """
    if "input" in entry:
        return inputs.read(Fields(entry["input"], file), folder)
    assert isinstance(data, Images)  # version 1 knew nothing else
    return Image(*data.image_size, data.channels, data.resize)


def output_of(entry: Mapping[str, Any], file: str) -> Output:
    """What the model gives, from the same entry."""
    if "input" in entry:
        return outputs.read(Fields(entry["output"], file))
    return Classes(tuple(entry["class_names"]), entry.get("output", "logits"))
