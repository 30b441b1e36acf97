"""The judge of a run that makes images, trained before its generator: see `tkit.evaluation.judge`.

It learns the data's classes. Where there are none it learns by which of four rotations an image was turned (RotNet,
Gidaris et al. 2018).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from tkit import console
from tkit.contract import Contract
from tkit.evaluation.judge import Facts, Judge, Kind, write
from tkit.models import Spec, Statistics
from tkit.models.cnn import CNN
from tkit.stages._common import DRY_RUN_STEPS
from tkit.tasks.classification import Classification
from tkit.training.config import Fit
from tkit.training.engine import train
from tkit.training.optimizers.adamw import AdamW
from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image
from tkit_edge.outputs.classes import Classes
from tkit_pipelines.batches import Batches, in_order
from tkit_pipelines.data import Data
from tkit_pipelines.data.images import Images
from tkit_pipelines.dataset import Examples, digest, labelled
from tkit_pipelines.ops.translate import Translate
from tkit_pipelines.splits import Splits

ROTATIONS = ("0 degrees", "90 degrees", "180 degrees", "270 degrees")
_MOST, _MOST_VALIDATION = 50_000, 5_000
"""Examples of each part; turned images are four."""
_PIXELS = 3e8
"""Of all examples in all epochs: about two minutes on two cores."""
_LEAST_EPOCHS, _MOST_EPOCHS = 2, 30
_CHUNK = 4096  # images that are read at once


class _Lesson(NamedTuple):
    """What a judge is to tell apart, and labelled images of it."""

    kind: Kind
    names: tuple[str, ...]
    train: Examples
    validation: Examples


def made(folder: Path, data: Data, splits: Splits, seed: int, dry_run: bool) -> None:
    """Trains the judge of these splits and writes it to `folder`, unless a whole one of the same images is there.

    Like any training it begins with `keras.utils.set_random_seed`, so that all that is random after it depends on
    whether it trained: the caller sets the seed again.

    Args:
        folder: the run's `judge`.
        data: the recipe's, of images; with `labels=none` its source is asked for classes once more.
        splits: its images.
        seed: of weights and batches.
        dry_run: a few steps only.

    Raises:
        InputError: no classes, and images that turning would change the size of.
    """
    assert isinstance(data, Images)
    parts = (Examples({"image": part.images}) for part in (splits.train, splits.validation))
    found = digest(*parts)
    if _is_made(folder, found):
        return
    console.busy("training the judge")
    lesson = _classes(data, splits, seed) or _rotations(splits, seed)
    model, accuracy = _trained(lesson, data, seed, dry_run)
    write(folder, model, Facts(lesson.kind, lesson.names, accuracy, len(lesson.validation), found))
    console.say(f"judge: {Judge.read(folder).line()}")


def _is_made(folder: Path, data: str) -> bool:
    try:
        return Judge.read(folder).facts.data == data
    except InputError:  # none yet, or what a killed process left
        return False


def _trained(lesson: _Lesson, data: Images, seed: int, dry_run: bool) -> tuple[keras.Model, float]:
    """A small CNN that was taught the lesson, and its accuracy on the validation images."""
    keras.utils.set_random_seed(seed)
    height, width = data.image_size
    side, pixels = min(height, width), len(lesson.train) * height * width
    network = CNN(depth=2 + (side >= 16) + (side >= 48), width=16 if side >= 16 else 32)
    # The first convolution has no bias and is normalized: one scale suits all images.
    spec = Spec.of_images((height, width, data.channels), len(lesson.names), Statistics(127.5, 64.0**2))
    model = network.build(spec)
    fed = data.model_copy(
        update={
            "labels": "classes",
            "batch_size": 128,
            "balance": "none",
            "augment": (Translate(pixels=max(1, side // 16)),) if side > 1 else (),
        }
    )
    contract = Contract(Classification(), Image(height, width, data.channels, data.resize), Classes(lesson.names))
    epochs = 1 if dry_run else int(np.clip(_PIXELS / pixels, _LEAST_EPOCHS, _MOST_EPOCHS))
    outcome = train(
        model,
        Batches(lesson.train, fed, contract.encoded, seed),
        in_order(lesson.validation, fed, contract.encoded),
        Fit(epochs=epochs, optimizer=AdamW(learning_rate=4e-3)),
        contract,
        max_steps=DRY_RUN_STEPS if dry_run else None,
    )
    return model, outcome.history[outcome.kept_epoch]["val_accuracy"]


def _classes(data: Images, splits: Splits, seed: int) -> _Lesson | None:
    """The data's classes, of the very images of these splits; None, and a line that says why, where there are none."""
    if splits.class_names:
        parts = [labelled(part.images, part.labels) for part in (splits.train, splits.validation)]
        return _Lesson("classes", splits.class_names, *_limited(parts, seed))
    try:
        known = data.model_copy(update={"labels": "classes"}).load(seed)
    except InputError as error:
        console.say(f"judge: it learns rotations, for the data has no classes: {error}")
        return None
    # With classes the data is divided otherwise, and what is held out here must stay unseen: images are found by
    # their content.
    labels = {
        key: label
        for part in (known.train, known.validation, known.test)
        for key, label in zip(_keys(part.images), part.labels, strict=True)
    }
    parts = []
    for part in (splits.train, splits.validation):
        found = [labels.get(key) for key in _keys(part.images)]
        if None in found:
            console.say("judge: it learns rotations, for some of the images are in no class")
            return None
        parts.append(labelled(part.images, np.array(found, np.int32)))
    return _Lesson("classes", known.class_names, *_limited(parts, seed))


def _rotations(splits: Splits, seed: int) -> _Lesson:
    """Each image in four rotations."""
    height, width = splits.train.images.shape[1:3]
    if height != width:
        raise InputError(
            f"data {splits.name!r}: the images are {height}x{width}. Without classes the judge that they are measured "
            "by learns to tell rotations, which needs squares: set data.image_size to one number, or give classes."
        )
    turned = []
    for part in _limited((splits.train, splits.validation), seed, len(ROTATIONS)):
        images = np.asarray(part.images)
        labels = np.repeat(np.arange(len(ROTATIONS), dtype=np.int32), len(images))
        rotated = [np.rot90(images, number, axes=(1, 2)) for number in range(len(ROTATIONS))]
        turned.append(labelled(np.concatenate(rotated), labels))
    return _Lesson("rotations", ROTATIONS, *turned)


def _limited(parts: Sequence[Examples], seed: int, times: int = 1) -> Iterator[Examples]:
    """Training and validation examples, or so many at random that `times` their number isn't past the limits."""
    for part, most in zip(parts, (_MOST, _MOST_VALIDATION), strict=True):
        rows = np.random.default_rng(seed).permutation(len(part))[: most // times]
        yield part.view(np.sort(rows))


def _keys(images: np.ndarray) -> Iterator[bytes]:
    """A digest of each image."""
    for start in range(0, len(images), _CHUNK):
        for image in np.ascontiguousarray(images[start : start + _CHUNK]):
            yield hashlib.blake2b(image.data, digest_size=16).digest()
