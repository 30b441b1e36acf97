"""Generation: images like those of the data, from noise, by two networks that are trained against each other.

Source: Goodfellow et al. 2014, "Generative adversarial networks" (the non-saturating loss); Lim and Ye 2017,
"Geometric GAN" (the hinge loss); Salimans et al. 2016 (one-sided label smoothing); Mescheder et al. 2018, "Which
training methods for GANs do actually converge?" (R1).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

from pydantic import Field

from tkit.tasks import Task
from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image as Pixels
from tkit_edge.inputs.noise import Noise
from tkit_edge.outputs import Output
from tkit_edge.outputs.image import Image
from tkit_pipelines.data.images import Images
from tkit_pipelines.dataset import Examples
from tkit_pipelines.op import BatchOp

if TYPE_CHECKING:
    import tensorflow as tf

    from tkit.evaluation.image import ImageEvaluation
    from tkit.ruler import Ruler
    from tkit_pipelines.data import Data
    from tkit_pipelines.splits import Splits

_LOOKED_AT = 64
"""Files whose size is looked at."""


class Generation(Task):
    """Makes images of noise; with `data.labels=classes` images of a class that is asked for."""

    gives = "image"
    takes = "noise"
    learns_from = "image"
    targets = (None, "label")
    validated = False
    judged = True
    kind: Literal["generation"] = "generation"
    latent: int = Field(100, ge=1, le=4096)
    """Values of noise that an image is made of."""
    adversary: Literal["non_saturating", "hinge"] = "non_saturating"
    """The loss: `non_saturating` (cross-entropy) or `hinge`."""
    label_smoothing: float = Field(0.0, ge=0, lt=0.5)
    """How far below 1 the discriminator's target for real images is; with `non_saturating`."""
    r1: float = Field(0.0, ge=0)
    """Weight of the squared gradient of the discriminator at real images; 0: none. It doubles the work."""
    discriminator_rate: float = Field(1.0, gt=0)
    """Multiplies the optimizer's learning rate for the discriminator."""

    def check(self, data: Data) -> None:
        """Raises InputError for data whose images are mixed or weighted."""
        assert isinstance(data, Images)  # `learns_from`
        mixing = [op.kind for op in data.augment if isinstance(op, BatchOp)]
        if mixing:
            raise InputError(
                f"data.augment has {', '.join(mixing)}, which mixes images: the generator would learn the mixtures. "
                "Leave it out; flip is usual."
            )
        if data.balance == "weights":
            raise InputError("data.balance=weights weighs a classifier's loss. Set data.balance=oversample or none.")

    def input(self, splits: Splits) -> Noise:
        """Noise, and the class where there are classes."""
        return Noise(self.latent, splits.class_names)

    def output(self, splits: Splits) -> Image:
        """Images of the data's size.

        Raises:
            InputError: the files' images are smaller, so that a generator would learn how they are enlarged.
        """
        assert isinstance(splits.input, Pixels)  # `learns_from`
        height, width, channels = splits.input.shape
        largest = _largest(splits.train)
        if largest is not None and largest[0] < height and largest[1] < width:
            raise InputError(
                f"The images of data {splits.name!r} are up to {largest[0]}x{largest[1]} and the network makes "
                f"{height}x{width}: it would learn how they are enlarged. Set data.image_size to their size or less."
            )
        return Image(height, width, channels)

    def prepared(self, splits: Splits, seed: int) -> Splits:
        """The splits with noise for each image: what the generator is calibrated, compared and measured with."""
        input = self.input(splits)

        def noisy(examples: Examples, part: int) -> Examples:
            drawn = input.drawn(len(examples), (3 * seed + part) % 2**32)["noise"]
            return replace(examples, columns={**examples.columns, "noise": drawn})

        parts = (splits.train, splits.validation, splits.test)
        train, validation, test = (noisy(examples, part) for part, examples in enumerate(parts))
        return replace(splits, train=train, validation=validation, test=test)

    def encoded(self, columns: Mapping[str, tf.Tensor], output: Output) -> tf.Tensor:
        """The classes, float32 [batch, 1]."""
        import tensorflow as tf

        return tf.cast(columns["label"], tf.float32)[:, None]

    def ruler(self, folder: Path, splits: Splits) -> Ruler:
        """The distance to the validation images."""
        from tkit.evaluation.judge import FOLDER, Judge
        from tkit.evaluation.reference import Reference

        return Reference(Judge.read(folder / FOLDER), splits.validation.images, splits.train.images, seed=0)

    def loss(self, output: Output, spread: float) -> NoReturn:
        """Raises ValueError: its loss takes two networks; see `tkit.training.adversarial`."""
        raise ValueError("a generator has no loss of its own")

    def metrics(self) -> NoReturn:
        """Raises ValueError."""
        raise ValueError("a generator has no metrics of its own")

    def evaluation(self, output: Output, ruler: Ruler | None = None) -> ImageEvaluation:
        """Distances to real images, precision and recall, the classes that are made."""
        from tkit.evaluation.image import ImageEvaluation

        assert isinstance(output, Image)
        return ImageEvaluation(output, ruler)


def _largest(examples: Examples) -> tuple[int, int] | None:
    """The largest height and width among the files of some images; None where there are no files."""
    import PIL.Image

    files = [examples.encoded(row) for row in range(min(len(examples), _LOOKED_AT))]
    sizes = [PIL.Image.open(io.BytesIO(data)).size for data in files if data is not None]
    return (max(height for _, height in sizes), max(width for width, _ in sizes)) if sizes else None
