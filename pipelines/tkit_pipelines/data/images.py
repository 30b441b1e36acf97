"""The config of an image data set: where it comes from, the size it is brought to, and how it is fed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import PositiveInt, field_validator, model_validator

from tkit_edge.errors import InputError
from tkit_edge.inputs import Input
from tkit_edge.inputs.image import Image
from tkit_pipelines.augment import augment
from tkit_pipelines.class_names import is_number
from tkit_pipelines.config import OneOf
from tkit_pipelines.data import Data
from tkit_pipelines.dataset import Examples
from tkit_pipelines.op import Op
from tkit_pipelines.resolve import resolve
from tkit_pipelines.source import Shape
from tkit_pipelines.spatial import FAR
from tkit_pipelines.splits import Splits

if TYPE_CHECKING:
    import tensorflow as tf


class Images(Data):
    """Images, brought to one size.

    Example:
        >>> data = Images(source="digits", image_size=(8, 8), channels=1, augment=(Translate(pixels=1),))
        >>> splits = data.load(seed=0)
        >>> batches = Batches(splits.train, data, lambda columns: tf.one_hot(columns["label"], 10), seed=0)
    """

    takes = "image"
    stand_in = ("synthetic", "synthetic images of the recipe's shape")

    kind: Literal["images"] = "images"
    source: str
    """`digits`, `synthetic[:CLASSES]`, `tfds:NAME`, or the path of a folder, an archive, an .npz or a .csv file."""
    image_size: tuple[PositiveInt, PositiveInt]
    """Height and width in pixels; one number for a square."""
    channels: Literal[1, 3] = 3
    """3 for colour (RGB), 1 for grey."""
    resize: Literal["crop", "stretch", "keras", "keras-crop", "keras-pad"] = "crop"
    """Images of other sizes: `crop` scales them until they cover the size and cuts off evenly, `stretch` ignores the
    aspect ratio; both average where they shrink. The `keras` ones give what `keras.utils.image_dataset_from_directory`
    gives, with `crop_to_aspect_ratio` or `pad_to_aspect_ratio`."""
    skip_bad: bool = False
    """Skip files that are not valid images, and report how many; otherwise the first one is an error."""
    augment: tuple[Annotated[Op, OneOf("tkit_pipelines.ops")], ...] = ()
    """Ops applied to training batches, in order."""

    @field_validator("image_size", mode="before")
    @classmethod
    def _square(cls, size: Any) -> Any:
        sides = [size] if isinstance(size, int) else size
        return [*sides, *sides] if isinstance(sides, list | tuple) and len(sides) == 1 else size

    @model_validator(mode="after")
    def _fits(self) -> Self:
        height, width = self.image_size
        for op in self.augment:
            op.check(height, width)
        if self.batch_size * height * width >= FAR:
            raise ValueError(f"batch_size x height x width must be less than {FAR:,} pixels: lower batch_size")
        return self

    def load(self, seed: int, known: Input | None = None) -> Splits:
        """The images in training, validation and test parts; see `Data.load`."""
        height, width = self.image_size
        source = resolve(self.source)
        source = source.unlabelled() if self.labels == "none" else source
        loaded = source.load(Shape(height, width, self.channels, self.resize), self.skip_bad)
        if self.labels != "classes":
            numbers = _numbers(loaded.class_names, self.source) if self.labels == "numbers" else None
            test = None if loaded.test is None else _relabelled(loaded.test, numbers)
            loaded = replace(loaded, train=_relabelled(loaded.train, numbers), test=test, class_names=())
        image = Image(height, width, self.channels, self.resize)
        parts = self._parts(loaded, seed)
        return Splits(*parts, loaded.class_names, image, self.source, loaded.skipped, loaded.notes)

    def gather(
        self,
        columns: Mapping[str, tuple[tf.Tensor, tf.Tensor]],
        targets: tf.Tensor | None,
        seed: tf.Tensor,
        turn: tf.Tensor,
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor | None]:
        """The images at the rows wanted, after the ops of `augment`; ops that mix images mix their targets alike."""
        import tensorflow as tf

        images, rows = columns["image"]
        mixed = tf.zeros([rows.shape[0], 0]) if targets is None else targets
        images, mixed = augment(images, rows, mixed, self.augment, seed, turn)
        return {"image": images}, None if targets is None else mixed


def _numbers(names: tuple[str, ...], source: str) -> np.ndarray:
    """The numbers that labels mean: float32 [labels]."""
    for name in names:
        if not (is_number(name) and np.isfinite(np.float32(name))):
            raise InputError(
                f"data {source!r}: the label {name!r} is no number, as data.labels=numbers expects. Mend it, or set "
                "data.labels=classes."
            )
    return np.array(names, np.float32)


def _relabelled(examples: Examples, numbers: np.ndarray | None) -> Examples:
    """Images with the number that each label means, or (None) without labels."""
    columns = {"image": examples.images}
    if numbers is not None:
        columns["number"] = numbers[examples.labels]
    return Examples(columns, examples.origin)
