"""Predicting for files: read as in training, run through a model, answered by its kind of output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.inputs import Input
from tkit_edge.isolated import IsolatedModel
from tkit_edge.outputs import DEFAULT_TOP, Answer, Output
from tkit_edge.outputs.classes import Classes
from tkit_edge.tensors import Arrays, bound

VERSION = 1
"""Of the JSON document."""
_CHUNK = 32  # examples read before they are run


@dataclass(frozen=True)
class OpenedModel:
    """A model with what it takes and gives."""

    run: Callable[[Arrays], Arrays]
    """n examples to their outputs, by the names of `input` and `output`."""
    input: Input
    output: Output


@dataclass(frozen=True)
class Prediction:
    """What a model predicts for one item, or why there is nothing."""

    item: str
    """The file, or the text."""
    answer: Answer | None
    error: str | None
    called: str = "image"
    """What an input is called, by JSON too."""
    shown: str = ""
    """The item in a line, where it is another."""

    def line(self) -> str:
        """The prediction in one line."""
        return f"{self.shown or self.item}  {self.error or (self.answer.line() if self.answer else '')}"

    def as_json(self) -> dict[str, Any]:
        """The item, the answer's values and the error."""
        return {self.called: self.item, **(self.answer.as_json() if self.answer else {}), "error": self.error}


@contextmanager
def opened(bundle: Bundle, fmt: str, threads: int = 1) -> Iterator[OpenedModel]:
    """A bundle's file of a format, ready to run in a limited process that ends with the block.

    Raises:
        InputError: no such format, a file that can't be run, or one with other tensors than the bundle's.
    """
    with IsolatedModel(bundle.path(fmt), threads) as model:
        run = bound(model, bundle.input.tensors, bundle.output.tensors)
        yield OpenedModel(run, bundle.input, bundle.output)


def predict(arguments: Sequence[str], model: OpenedModel, top: int | None = None) -> list[Prediction]:
    """Predicts for whatever the arguments name.

    Args:
        arguments: what the model's input finds items in: of images, files or folders of them; of texts, texts too.
        model: what predicts.
        top: how many classes of each are given, `DEFAULT_TOP` by default; of other outputs none may be asked for.

    Returns:
        One prediction per item, in order; those that can't be read have an `error`.

    Raises:
        InputError: nothing could be read, or a wrong `top`.

    Example:
        >>> with opened(bundle, "int8") as model:
        ...     label = predict(["cat.jpg"], model)[0].answer.classes[0].label
    """
    if top is not None and not isinstance(model.output, Classes):
        raise InputError(f"top={top} is a number of classes; this model gives {model.output.line()}.")
    top = DEFAULT_TOP if top is None else top
    if top < 1:
        raise InputError(f"top: expected at least 1, received {top}.")
    called = model.input.example
    found = list(model.input.items(arguments))
    done: list[Prediction] = []
    chunks = [found[start : start + _CHUNK] for start in range(0, len(found), _CHUNK)]
    from concurrent.futures import ThreadPoolExecutor  # 10 ms, for this alone

    with ThreadPoolExecutor(1) as pool:
        ahead = [pool.submit(_read, chunk, model) for chunk in chunks[:1]]
        for number, chunk in enumerate(chunks):
            examples, errors = ahead.pop().result()
            # The next items are read while the model runs on these.
            ahead += [pool.submit(_read, following, model) for following in chunks[number + 1 : number + 2]]
            done += _answered(chunk, examples, errors, model, top)
    if not any(item.error is None for item in done):
        first = done[0].error if done else f"found no {called} in {arguments[0]}."
        raise InputError(f"None of {len(done)} {called}s could be read: {first}")
    return done


def document(model: str, predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Predictions as JSON values; `model` is what made them."""
    found = [{**item.as_json(), "line": item.line()} for item in predictions]
    return {"kind": "predictions", "version": VERSION, "model": model, "predictions": found}


def raise_failures(predictions: Sequence[Prediction]) -> None:
    """Raises InputError that names the items without a prediction, where there are any."""
    errors = [item.error for item in predictions if item.error is not None]
    if errors:
        called = predictions[0].called
        raise InputError(f"{len(errors)} of {len(predictions)} {called}s have no prediction:\n  " + "\n  ".join(errors))


def _read(items: Sequence[Any], model: OpenedModel) -> tuple[list[Arrays], dict[int, str]]:
    """The examples that can be read, in order, and why the others can't, by their number."""
    examples: list[Arrays] = []
    errors: dict[int, str] = {}
    for number, item in enumerate(items):
        try:
            examples.append(model.input.read(item))
        except InputError as error:
            errors[number] = str(error)
    return examples, errors


def _answered(
    items: Sequence[Any], examples: list[Arrays], errors: dict[int, str], model: OpenedModel, top: int
) -> Iterator[Prediction]:
    answers = iter(model.output.answers(model.run(_stacked(examples)), top) if examples else ())
    for number, item in enumerate(items):
        answer = None if number in errors else next(answers)
        shown = model.input.shown(item)
        error = f"{shown}: {answer}" if isinstance(answer, str) else errors.get(number)
        yield Prediction(str(item), None if isinstance(answer, str) else answer, error, model.input.example, shown)


def _stacked(examples: list[Arrays]) -> Arrays:
    return {name: np.stack([example[name] for example in examples]) for name in examples[0]}
