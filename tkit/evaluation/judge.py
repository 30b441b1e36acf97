"""The judge: a small classifier of a run's own training images, in whose features images are measured.

It is trained before the generator (`tkit.stages._judge`) and stays with the run, so that all measurements of it, in any
file format, are by the same ruler. Figures of two judges can't be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, cast

import keras
import numpy as np
import tensorflow as tf

from tkit import files, model_files
from tkit.keras_internals import producer
from tkit_edge.errors import InputError
from tkit_edge.fields import Fields
from tkit_edge.json_file import read_json
from tkit_edge.text import counted

FOLDER = "judge"
"""Of a run."""
NAME = "judge.json"
VERSION = 1
MODEL_FILES = ("architecture.json", "weights.npz")

Kind = Literal["classes", "rotations"]
"""What it tells apart: the data's classes or, where there are none, which of four rotations an image was turned by."""

_MOST_BYTES = 2**20  # of judge.json
_CHUNK = 256  # images that are in memory as floats at once


class Seen(NamedTuple):
    """What a judge sees in n images."""

    features: np.ndarray
    """float64 [n, d], what its last layer decides by."""
    labels: np.ndarray
    """int [n], indices into its names."""
    confidence: np.ndarray
    """float64 [n], the probability of the label."""


@dataclass(frozen=True)
class Facts:
    """What judge.json holds beside the digests."""

    kind: Kind
    names: tuple[str, ...]
    """Of the classes, or of the rotations."""
    accuracy: float
    """On held-out images."""
    samples: int
    """How many these were."""
    data: str
    """The digest of the images that it was made for."""


class Judge:
    """A judge that is ready to see images; made by `Judge.read`.

    Example:
        >>> judge = Judge.read(run.folder / "judge")
        >>> judge.see(splits.test.images).features.shape
        (359, 64)
    """

    def __init__(self, model: keras.Model, facts: Facts, sha256: str) -> None:
        (pixels,), (logits,) = model.inputs, model.outputs
        seeing = keras.Model(pixels, [producer(logits).input, logits])
        self._shape = tuple(pixels.shape[1:])
        signature = [tf.TensorSpec((None, *self._shape), tf.float32)]
        self._run = tf.function(lambda images: seeing(images, training=False), signature, autograph=False)
        self.facts = facts
        self.sha256 = sha256
        """The digest of weights.npz, which names the feature space."""

    @classmethod
    def read(cls, folder: Path) -> Judge:
        """The judge in a run's folder `judge`.

        Raises:
            InputError: a file is missing or damaged, or is of another judge than judge.json.
        """
        fields = Fields(read_json(folder / NAME, _MOST_BYTES), str(folder / NAME))
        fields.count("version", most=VERSION)
        kind, samples = fields.get("kind", str), fields.count("samples")
        if kind not in ("classes", "rotations"):
            raise InputError(f"{fields.file}: kind: expected 'classes' or 'rotations', received {kind!r}.")
        names, accuracy = tuple(fields.texts("names")), fields.get("accuracy", float)
        facts = Facts(cast(Kind, kind), names, accuracy, samples, fields.get("data", str))
        digests = fields.part("sha256")
        for name in MODEL_FILES:
            path = folder / name
            if not path.is_file() or files.sha256(path) != digests.get(name, str):
                raise InputError(
                    f"{path} is {'damaged' if path.is_file() else 'missing'}: images can be measured by the judge that "
                    f"the run was made with alone. Bring the file back, or make the run again."
                )
        model = model_files.load(folder)
        last = producer(model.outputs[0])
        fits = isinstance(last, keras.layers.Dense) and len(last.input.shape) == 2 and len(model.inputs[0].shape) == 4
        if not fits or model.outputs[0].shape[1:] != (len(names),):
            raise InputError(f"{folder} holds no classifier of images with {counted(len(names), 'class', 'classes')}.")
        return cls(model, facts, digests.get("weights.npz", str))

    def see(self, images: np.ndarray) -> Seen:
        """Features and labels of images, uint8 [n, height, width, channels].

        Raises:
            InputError: images of another size.
        """
        if images.shape[1:] != self._shape:
            raise InputError(f"The judge sees images of {list(self._shape)}, received {list(images.shape[1:])}.")
        parts = [
            self._run(np.asarray(images[start : start + _CHUNK], np.float32)) for start in range(0, len(images), _CHUNK)
        ]
        features, logits = (np.concatenate(arrays).astype(np.float64) for arrays in zip(*parts, strict=True))
        likelihoods = np.exp(logits - logits.max(axis=1, keepdims=True))
        return Seen(features, logits.argmax(axis=1), 1.0 / likelihoods.sum(axis=1))

    def line(self) -> str:
        """What it is, for people: "a classifier of 10 classes, 97.1 % of 143 validation images, sha256 1a2b3c4d"."""
        facts = self.facts
        return (
            f"a classifier of {len(facts.names)} {facts.kind}, {100 * facts.accuracy:.1f} % of "
            f"{counted(facts.samples, 'validation image')}, sha256 {self.sha256[:8]}"
        )

    def as_json(self) -> dict[str, object]:
        """What names it in a result: `line` as its name, kind, accuracy, samples and sha256."""
        facts = self.facts
        return {
            "name": self.line(),
            "kind": facts.kind,
            "accuracy": facts.accuracy,
            "samples": facts.samples,
            "sha256": self.sha256,
        }


def write(folder: Path, model: keras.Model, facts: Facts) -> None:
    """Writes what `Judge.read` reads; judge.json, which makes it count, last."""
    model_files.save(model, folder)
    content = {
        "version": VERSION,
        "kind": facts.kind,
        "names": list(facts.names),
        "accuracy": facts.accuracy,
        "samples": facts.samples,
        "data": facts.data,
        "sha256": {name: files.sha256(folder / name) for name in MODEL_FILES},
    }
    files.write_json(folder / NAME, content)
