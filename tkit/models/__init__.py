"""Model families, one file each (the file's name is the `kind`), and their base class: a config with `build`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from tkit_edge.tensors import TensorSpec
from tkit_pipelines.config import Component

if TYPE_CHECKING:
    import keras


class Statistics(NamedTuple):
    """Mean and variance of all values of a tensor in the training split."""

    mean: float
    variance: float


class Spec(NamedTuple):
    """What a model takes and gives: all that it may know of its task and its data."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    statistics: Mapping[str, Statistics]
    """By the tensor's name: of inputs, and of targets that are numbers."""
    sizes: Mapping[str, int] = MappingProxyType({})
    """By the name of an input of ids: how many different ones there are."""

    @classmethod
    def of_images(cls, shape: tuple[int, int, int], classes: int, statistics: Statistics) -> Spec:
        """That of a classifier of images.

        Args:
            shape: height, width and channels.
            classes: their number.
            statistics: of the raw 0-255 pixel values.

        Example: `CNN(depth=2).build(Spec.of_images((8, 8, 1), 10, Statistics(78.0, 3600.0)))`
        """
        image, logits = TensorSpec("image", shape, "uint8"), TensorSpec("logits", (classes,), "float32")
        return cls((image,), (logits,), {"image": statistics})

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the one input, without the batch."""
        (taken,) = self.inputs
        return taken.shape


class Model(Component):
    """A family of models.

    `build` returns a functional `keras.Model` in float32. Its inputs are what a device reads, such as raw 0-255 pixels
    [batch, height, width, channels], and its normalization is inside, so that a device cannot skew it. Its outputs are
    those of the spec, such as logits [batch, classes].
    """

    takes: ClassVar[tuple[str, ...]] = ("image",)
    """The kinds of input that it fits, files of `tkit_edge.inputs`."""
    gives: ClassVar[tuple[str, ...]] = ("classes",)
    """The kinds of output that it fits, files of `tkit_edge.outputs`."""

    @abstractmethod
    def build(self, spec: Spec) -> keras.Model:
        """The uncompiled model."""

    def companion(self, spec: Spec) -> keras.Model | None:
        """A second network, which training needs beside the model; of a generator its discriminator. None: none."""
        return None
