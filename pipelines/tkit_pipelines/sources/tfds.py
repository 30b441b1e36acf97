"""Any image classification set of TensorFlow Datasets, by name: `tfds:cifar10`, `tfds:imagenette/160px`.

TFDS's own builder downloads and prepares it (in TFDS_DATA_DIR, by default ~/tensorflow_datasets); the
images are decoded by tkit's own decoder, as on the device. A `test` split is used as it is; where there is
none, tkit holds part of `train` out. Other splits are not read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from tkit_edge.errors import InputError
from tkit_pipelines.encoded import Encoded, EncodedImage, EncodedSource
from tkit_pipelines.source import NamedSource
from tkit_pipelines.tfds_builder import prepared


class Tfds(EncodedSource, NamedSource):
    """A set of TensorFlow Datasets with one image and one class label an example."""

    usage = "tfds:NAME"

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def from_argument(cls, argument: str) -> Tfds:
        """The source for a TFDS name."""
        if not argument:
            raise InputError("data 'tfds:': expected the name of a TFDS set after the colon, as in 'tfds:cifar10'.")
        return cls(argument)

    def identity(self) -> dict[str, Any]:
        """The prepared folder and a digest of its files' names, sizes and times of change."""
        folder = Path(self._builder.data_path)
        digest = hashlib.sha256()
        for path in sorted(folder.iterdir()):
            digest.update(f"{path.name}\0{path.stat().st_size}\0{path.stat().st_mtime_ns}\n".encode())
        return {"tfds": str(folder.resolve()), "listing": digest.hexdigest()}

    def open(self) -> Encoded:
        """Its classes and images, in the stored order."""
        info = self._builder.info
        image, label = self._keys()
        splits = [split for split in ("train", "test") if split in info.splits]
        if "train" not in splits:
            raise InputError(f"data 'tfds:{self.name}' has no train split, only: {', '.join(info.splits)}.")
        counts = [info.splits[split].num_examples for split in splits]
        names = tuple(info.features[label].names)
        return Encoded(counts[0], sum(counts[1:]), names, self._images(splits, image, label))

    def _keys(self) -> tuple[str, str]:
        """The names of the image and the label among the features."""
        import tensorflow_datasets as tfds

        features = self._builder.info.features
        images = [key for key, feature in features.items() if isinstance(feature, tfds.features.Image)]
        labels = [key for key, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)]
        if len(images) != 1 or len(labels) != 1:
            raise InputError(
                f"data 'tfds:{self.name}' is not image classification: expected one image and one class "
                f"label an example, found {images or 'no image'} and {labels or 'no label'} among its "
                f"features {list(features)}."
            )
        return images[0], labels[0]

    def _images(self, splits: list[str], image: str, label: str) -> Iterator[EncodedImage]:
        import tensorflow_datasets as tfds

        index = 0
        for split in splits:
            examples = self._builder.as_dataset(
                split=split,
                decoders={image: tfds.decode.SkipDecoding()},
                read_config=tfds.ReadConfig(interleave_cycle_length=1),  # one file after the other: a fixed order
            )
            for number, example in enumerate(examples.as_numpy_iterator()):
                yield EncodedImage(
                    index, f"tfds:{self.name} {split} {number}", int(example[label]), bytes(example[image])
                )
                index += 1

    @cached_property
    def _builder(self) -> Any:
        return prepared(self.name, own="images with --data FOLDER/ARCHIVE")
