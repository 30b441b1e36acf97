"""What a data set is, found by reading all of it once: counts, sizes, damage, repeats, and what would stop training.

Unlike loading, it continues after bad files and problems, and reports them all. Images are not kept, only their
sizes and hashes and a few to show.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from tkit_edge import keras_resize
from tkit_edge.errors import InputError
from tkit_edge.images import FORMATS
from tkit_edge.text import counted
from tkit_pipelines.class_names import lookalikes
from tkit_pipelines.data import Data
from tkit_pipelines.dataset import Bad, labelled
from tkit_pipelines.divide import divide
from tkit_pipelines.encoded import Encoded, EncodedImage, EncodedSource, in_threads, out_of_range, pixels
from tkit_pipelines.progress import progress
from tkit_pipelines.resolve import resolve
from tkit_pipelines.source import Loaded, Shape, Source

SHOWN = 6  # images of each class that are kept for a grid
UPRIGHT = 1  # of EXIF's eight orientations
ORIENTATION = 0x0112


@dataclass
class Repeats:
    """Images of `second` whose pixels, at the size looked at, an earlier image of `first` has too."""

    first: str
    second: str
    count: int
    example: tuple[str, str]
    """Their names."""


@dataclass
class Survey:
    """What is known of a data set after all of it has been read."""

    name: str
    shape: Shape
    """The size at which images were decoded, compared and kept."""
    class_names: tuple[str, ...]
    splits: dict[str, list[int]]
    """Split -> readable images of each class."""
    heights: list[int] = field(default_factory=list)
    """Of the images as they lie there (turned upright), in pixels; empty where a source has one size only."""
    widths: list[int] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    """Format and Pillow's mode ("JPEG RGB") -> images; empty likewise."""
    turned: int = 0
    """Images that are turned upright according to their EXIF data."""
    bad: list[Bad] = field(default_factory=list)
    """Damaged images, and files that should be some."""
    strays: list[str] = field(default_factory=list)
    """Skipped files: neither images nor named like one."""
    notes: list[str] = field(default_factory=list)
    """How the source was read, where that could have been otherwise."""
    repeats: list[Repeats] = field(default_factory=list)
    contradictions: Repeats | None = None
    """Equal images in different classes."""
    problems: list[str] = field(default_factory=list)
    """Why training on this would be refused; empty where it would not."""
    shown: dict[str, list[np.ndarray]] = field(default_factory=dict)
    """Class -> its first few images, uint8 [H, W, C]."""

    @property
    def imbalance(self) -> float:
        """Images of the largest class for one of the smallest, over all splits; infinite where one has none."""
        counts = np.sum(list(self.splits.values()), axis=0)
        return float(counts.max() / counts.min()) if counts.min() else float("inf")


class _Look(NamedTuple):
    """What was found out about one image."""

    image: np.ndarray
    size: tuple[int, int]
    kind: str
    turned: bool


def survey(source: str, shape: Shape, skip_bad: bool) -> Survey:
    """Read the data set that a user called `source`.

    Args:
        source: As `Images.source`.
        shape: The size to decode to, for comparing and showing.
        skip_bad: Bad files are no problem (they are listed in any case).

    Raises:
        InputError: it can't be read at all.
    """
    found = resolve(source)
    opened = found.open() if isinstance(found, EncodedSource) else _as_opened(found, shape)
    splits = ["train"] * bool(opened.train) + ["test"] * bool(opened.test)
    result = Survey(source, shape, opened.class_names, {split: [0] * len(opened.class_names) for split in splits})
    result.problems += opened.problems
    result.notes += [*opened.notes, *lookalikes(opened.class_names)]
    result.shown = {name: [] for name in opened.class_names}
    seen = _Seen()

    def look(encoded: EncodedImage) -> _Look | Bad:
        try:
            return _look(encoded, shape)
        except InputError as error:
            return Bad(encoded.name, str(error), opened.stray(encoded))

    with progress("reading images", opened.train + opened.test) as advance:
        for encoded, looked in in_threads(look, opened.images):
            advance(1)
            if isinstance(looked, _Look) and not 0 <= encoded.label < len(opened.class_names):
                looked = Bad(encoded.name, out_of_range(encoded, opened))
            if isinstance(looked, Bad) and looked.stray:
                result.strays.append(looked.name)
                continue
            if isinstance(looked, Bad):
                result.bad.append(looked)
                continue
            split = "train" if encoded.row < opened.train else "test"
            result.splits[split][encoded.label] += 1
            result.turned += looked.turned
            if isinstance(found, EncodedSource):
                result.kinds[looked.kind] += 1
                result.heights.append(looked.size[0])
                result.widths.append(looked.size[1])
            shown = result.shown[opened.class_names[encoded.label]]
            if len(shown) < SHOWN:
                shown.append(looked.image)
            seen.add(looked.image, split, encoded)
    result.repeats, result.contradictions = list(seen.repeats.values()), seen.contradictions
    result.bad.sort()
    result.strays.sort()
    if result.bad and not skip_bad:
        bad = counted(len(result.bad), "file is no image", "files are no images")
        result.problems.append(f"{bad} or damaged. Remove what is bad, or add --skip-bad.")
    if not opened.problems:
        result.problems += _refusal(result)
    return result


class _Seen:
    """The images so far, by a hash of their pixels."""

    def __init__(self) -> None:
        self.repeats: dict[tuple[str, str], Repeats] = {}
        self.contradictions: Repeats | None = None
        self._first: dict[bytes, tuple[str, str, int]] = {}

    def add(self, image: np.ndarray, split: str, encoded: EncodedImage) -> None:
        """Note an image, and whether it was there before."""
        digest = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        first, name, label = self._first.setdefault(digest, (split, encoded.name, encoded.label))
        if name == encoded.name:
            return
        pair = Repeats(first, split, 0, (name, encoded.name))
        self.repeats.setdefault((first, split), pair).count += 1
        if label != encoded.label:
            if self.contradictions is None:
                self.contradictions = Repeats(first, split, 0, (name, encoded.name))
            self.contradictions.count += 1


def _look(encoded: EncodedImage, shape: Shape) -> _Look:
    image = pixels(encoded, shape)
    data = encoded.data
    if isinstance(data, np.ndarray):
        return _Look(image, (data.shape[0], data.shape[1]), f"array of {data.shape[2]} channels", False)
    import PIL.Image

    assert isinstance(data, bytes)  # an error was raised by `pixels`
    with PIL.Image.open(io.BytesIO(data), formats=FORMATS) as header:
        turns = shape.resize not in keras_resize.RESIZES
        orientation = header.getexif().get(ORIENTATION, UPRIGHT) if turns else UPRIGHT
        width, height = header.size if orientation < 5 else header.size[::-1]
        return _Look(image, (height, width), f"{header.format} {header.mode}", orientation != UPRIGHT)


def _as_opened(source: Source, shape: Shape) -> Encoded:
    """A source that has its images at any size, as one that is opened."""
    loaded = source.load(shape)

    def images() -> Iterator[EncodedImage]:
        row = 0
        for split, part in (("training", loaded.train), ("test", loaded.test)):
            for number in range(0 if part is None else len(part)):
                assert part is not None
                yield EncodedImage(row, f"{split} image {number}", int(part.labels[number]), part.images[number])
                row += 1

    return Encoded(len(loaded.train), len(loaded.test or ()), loaded.class_names, images())


def _refusal(result: Survey) -> list[str]:
    """The message with which training would be refused for its classes, if it would."""
    parts = {split: np.repeat(np.arange(len(counts)), counts) for split, counts in result.splits.items()}
    examples = {split: labelled(np.empty((len(labels), 0), np.uint8), labels) for split, labels in parts.items()}
    if "train" not in examples:
        return ["there are no training images."]
    try:
        validation = Data.model_fields["validation"].default
        divide(Loaded(examples["train"], examples.get("test"), result.class_names), result.name, validation, seed=0)
    except InputError as error:
        return [str(error)]
    return []
