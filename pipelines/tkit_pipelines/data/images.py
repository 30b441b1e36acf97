"""The config of an image data set: where it comes from, the size it is brought to, and how it is fed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, PositiveInt, field_validator, model_validator

from tkit_edge.errors import InputError
from tkit_edge.text import counted
from tkit_pipelines.balance import Balance
from tkit_pipelines.config import Component, OneOf
from tkit_pipelines.dataset import Examples
from tkit_pipelines.memory import Budget
from tkit_pipelines.op import Op
from tkit_pipelines.resolve import located, resolve
from tkit_pipelines.source import Loaded, Shape
from tkit_pipelines.spatial import FAR
from tkit_pipelines.splits import Splits
from tkit_pipelines.stratify import TEST_FRACTION, TEST_SEED, stratified

if TYPE_CHECKING:
    from tkit_pipelines.batches import Batches


class Images(Component):
    """Labelled images, brought to one size.

    Example:
        >>> data = Images(source="digits", image_size=(8, 8), channels=1, augment=(Translate(pixels=1),))
        >>> splits = data.load(seed=0)
        >>> batches = data.batches(splits.train, len(splits.class_names), seed=0)
    """

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
    batch_size: PositiveInt = 128
    validation: float = Field(default=0.1, gt=0, lt=1)
    """The part of the training images, of each class, that is held out for choices and gates."""
    skip_bad: bool = False
    """Skip files that are not valid images, and report how many; otherwise the first one is an error."""
    balance: Balance = "none"
    """For uneven classes: `weights` lets each class count the same in the loss; `oversample` draws images of small
    classes more often, up to the largest class in an epoch."""
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

    def located(self) -> Images:
        """The same data, its path absolute."""
        return self.model_copy(update={"source": located(self.source)})

    def load(self, seed: int) -> Splits:
        """The images in training, validation and test parts.

        `seed` decides what is held out for validation. The test part is the source's own, or a fixed fifth of
        each class that no seed changes. Parts that are past the RAM budget (`TKIT_RAM`, in GiB) stay in the cache on
        disk, memory-mapped.

        Raises:
            InputError: the source can't be read, or its classes can't be trained on.
        """
        loaded = resolve(self.source).load(Shape(*self.image_size, self.channels, self.resize), self.skip_bad)
        kept, chosen, measured = divide(loaded, self.source, self.validation, seed)
        budget = Budget()
        # The smaller parts first: training images are read in random order anyway.
        validation = budget.place(loaded.train, chosen)
        test = budget.place(loaded.train if loaded.test is None else loaded.test, measured)
        train = budget.place(loaded.train, kept)
        return Splits(train, validation, test, loaded.class_names, self.source, loaded.skipped, loaded.notes)

    def batches(self, examples: Examples, num_classes: int, seed: int) -> Batches:
        """Endless training batches of `examples`; see `Batches`."""
        from tkit_pipelines.batches import Batches

        return Batches(examples, num_classes, self.batch_size, self.augment, seed, self.balance)


def divide(loaded: Loaded, source: str, validation: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which images are for training, validation and test: indices into `loaded.train`, twice, and `loaded.test`.

    Where there are no test images, the third are indices into `loaded.train` too.

    Raises:
        InputError: what is loaded can't be trained on or measured; the message calls it `source`.
    """
    _check(loaded, source)
    labels, names = loaded.train.labels, loaded.class_names
    if loaded.test is None:
        rest, test = stratified(labels, TEST_FRACTION, TEST_SEED, names)
    else:
        rest, test = np.arange(len(labels)), np.arange(len(loaded.test))
    kept, chosen = stratified(labels[rest], validation, seed, names)
    return rest[kept], rest[chosen], test


def _check(loaded: Loaded, source: str) -> None:
    """Refuse what no classifier can be trained or measured on, whatever the source."""
    names = loaded.class_names
    if len(names) < 2:
        raise InputError(f"data {source!r} has only one class, {names}; at least two are needed.")
    for part, examples in (("training", loaded.train), ("test", loaded.test)):
        if examples is None:
            continue
        if len(examples) and not 0 <= examples.labels.min() <= examples.labels.max() < len(names):
            raise InputError(f"data {source!r}: {part} labels must be 0 to {len(names) - 1}, one for each class.")
        empty = np.flatnonzero(np.bincount(examples.labels, minlength=len(names)) == 0)
        if len(empty):
            skipped = f" ({counted(len(loaded.skipped), 'file was', 'files were')} skipped)" if loaded.skipped else ""
            raise InputError(f"data {source!r}: class {names[empty[0]]!r} has no {part} images{skipped}.")
