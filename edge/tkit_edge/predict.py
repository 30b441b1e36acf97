"""Classifying image files: decoded as in training, run through a model, named by its labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tkit_edge import files
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.images import SUFFIXES, decode
from tkit_edge.isolated import IsolatedModel

DEFAULT_TOP = 5
VERSION = 1
"""Of the JSON document."""
_CHUNK = 32  # images decoded before they are classified


@dataclass(frozen=True)
class OpenedModel:
    """A model with what it takes and gives."""

    run: Callable[[np.ndarray], np.ndarray]
    """uint8 images [n, height, width, channels] to outputs, float32 [n, classes]."""
    shape: tuple[int, int, int]
    resize: str
    """One of `tkit_edge.images.RESIZES`."""
    output: str
    """"logits" or "probabilities"."""
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Score:
    """A class and its probability."""

    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image: its likeliest classes, or why there are none."""

    image: str
    classes: tuple[Score, ...]
    error: str | None

    def line(self) -> str:
        """The prediction in one line."""
        scores = "  ".join(f"{score.label} {score.probability:.1%}" for score in self.classes)
        return f"{self.image}  {self.error or scores}"


def default_format(bundle: Bundle) -> str:
    """int8 where the bundle has it, else its first file."""
    return "int8" if "int8" in bundle.models else next(iter(bundle.models))


@contextmanager
def classifier(bundle: Bundle, fmt: str, threads: int = 1) -> Iterator[OpenedModel]:
    """A bundle's file of a format, ready to run in a limited process that ends with the block.

    Raises:
        InputError: no such format, a file that can't be run, or one with other outputs than the bundle has labels.
    """
    shape = (bundle.height, bundle.width, bundle.channels)
    with IsolatedModel(bundle.path(fmt), threads) as model:
        if model.outputs != len(bundle.labels):
            raise InputError(
                f"{bundle.path(fmt)} has {model.outputs} outputs, bundle.json {len(bundle.labels)} labels. Copy the "
                "bundle again."
            )
        yield OpenedModel(model.predict, shape, bundle.resize, bundle.output, bundle.labels)


def probabilities(outputs: np.ndarray, output: str) -> np.ndarray:
    """A model's outputs, float32 [n, classes], as probabilities: logits through a softmax, the others as they are."""
    if output == "probabilities":
        return outputs
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def likeliest(shares: np.ndarray, labels: Sequence[str], top: int) -> list[Score]:
    """The `top` classes of highest probability, float32 [classes], the likeliest first.

    Raises:
        InputError: a probability that is not finite.
    """
    if not np.isfinite(shares).all():
        raise InputError("the model gives values that are not finite: its weights or its file are damaged.")
    best = np.argsort(-shares, kind="stable")[:top]
    return [Score(labels[index], float(shares[index])) for index in best]


def predict(paths: Sequence[Path], model: OpenedModel, top: int = DEFAULT_TOP) -> list[Prediction]:
    """Classifies image files, and those in folders.

    Args:
        paths: files, or folders whose images (by their suffix, however deep) are taken in order of their names.
        model: what classifies them.
        top: how many classes of each are given, likeliest first.

    Returns:
        One prediction an image, in order; those that can't be read have an `error`.

    Raises:
        InputError: no image could be classified, or a wrong `top`.

    Example:
        >>> with classifier(bundle, "int8") as model:
        ...     label = predict([Path("cat.jpg")], model)[0].classes[0].label
    """
    if top < 1:
        raise InputError(f"top: expected at least 1, received {top}.")
    found = list(_files(paths))
    done: list[Prediction] = []
    chunks = [found[start : start + _CHUNK] for start in range(0, len(found), _CHUNK)]
    with ThreadPoolExecutor(1) as pool:
        ahead = [pool.submit(_decode, chunk, model) for chunk in chunks[:1]]
        for number, chunk in enumerate(chunks):
            decoded, errors = ahead.pop().result()
            # The next images are decoded while the model runs on these.
            ahead += [pool.submit(_decode, following, model) for following in chunks[number + 1 : number + 2]]
            done += _classify(chunk, decoded, errors, model, top)
    if not any(item.error is None for item in done):
        first = done[0].error if done else f"expected images ({', '.join(SUFFIXES)}) in {paths[0]}."
        raise InputError(f"None of {len(done)} images could be classified: {first}")
    return done


def document(model: str, predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Predictions as JSON values; `model` is what made them."""
    found = [asdict(item) for item in predictions]
    return {"kind": "predictions", "version": VERSION, "model": model, "predictions": found}


def raise_failures(predictions: Sequence[Prediction]) -> None:
    """Raises InputError that names the images which couldn't be classified, where there are any."""
    errors = [item.error for item in predictions if item.error is not None]
    if errors:
        raise InputError(
            f"{len(errors)} of {len(predictions)} images could not be classified:\n  " + "\n  ".join(errors)
        )


def _decode(paths: Sequence[Path], model: OpenedModel) -> tuple[list[np.ndarray], dict[Path, str]]:
    """The images that can be read, in order, and why the others can't."""
    decoded: list[np.ndarray] = []
    errors: dict[Path, str] = {}
    for path in paths:
        try:
            decoded.append(decode(files.read_bytes(path), *model.shape, model.resize, name=str(path)))
        except InputError as error:
            errors[path] = str(error)
    return decoded, errors


def _classify(
    paths: Sequence[Path], decoded: list[np.ndarray], errors: dict[Path, str], model: OpenedModel, top: int
) -> Iterator[Prediction]:
    shares = iter(probabilities(model.run(np.stack(decoded)), model.output) if decoded else ())
    for path in paths:
        if path in errors:
            yield Prediction(str(path), (), errors[path])
            continue
        try:
            yield Prediction(str(path), tuple(likeliest(next(shares), model.labels, top)), None)
        except InputError as error:
            yield Prediction(str(path), (), f"{path}: {error}")


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file():
                yield file
