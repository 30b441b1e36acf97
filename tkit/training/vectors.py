"""Word vectors from a file, for a model of texts to begin with.

Source of the format: Pennington et al. 2014, "GloVe: global vectors for word representation"; a line per word, the word
and its numbers separated by spaces. The first line of a word2vec text file, which counts them, is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from tkit.files import sha256
from tkit_edge.errors import InputError
from tkit_edge.inputs import Input
from tkit_edge.inputs.text import Text
from tkit_edge.inputs.tokenizers import FIRST

LAYER = "token_embedding"


class Vectors(NamedTuple):
    """What a model began with."""

    path: str
    sha256: str
    words: int
    """Those of the vocabulary that the file has."""
    vocabulary: int


def begin_with(model: keras.Model, path: str | Path, input: Input) -> Vectors:
    """Sets the rows of the model's token embedding to the vectors of their words; the other rows stay as they are.

    Args:
        model: with an embedding called `LAYER`.
        path: the file.
        input: whose vocabulary the rows are of.

    Raises:
        InputError: no such file or layer, a tokenizer without words, vectors of another width, or a line that is none.
    """
    path = Path(path).expanduser()
    if not isinstance(input, Text) or not input.tokenizer.vocabulary:
        raise InputError("fit.vectors needs texts whose tokenizer has a vocabulary: data.tokenizer=words or wordpiece.")
    if LAYER not in {layer.name for layer in model.layers}:
        raise InputError(f"fit.vectors sets the rows of a layer called {LAYER!r}, and {model.name} has none.")
    layer = model.get_layer(LAYER)
    (table,) = layer.get_weights()
    rows = {word: FIRST + number for number, word in enumerate(input.tokenizer.vocabulary)}
    found = 0
    for number, word, text in _lines(path):
        if word not in rows:
            continue
        try:
            values = np.array(text.split(), np.float32)
        except ValueError:
            raise InputError(
                f"{path}: line {number}: expected a word and its numbers, received {text[:60]!r}."
            ) from None
        if len(values) != table.shape[1] or not np.isfinite(values).all():
            raise InputError(
                f"{path}: line {number} has {len(values)} numbers, the model's tokens have {table.shape[1]}: set "
                f"model.width={len(values)}, or take a file of {table.shape[1]}."
            )
        table[rows[word]] = values
        found += 1
    if not found:
        raise InputError(f"{path} has none of the {len(rows):,} words of the vocabulary: is it of another language?")
    layer.set_weights([table])
    return Vectors(str(path), sha256(path), found, len(rows))


def _lines(path: Path) -> Iterator[tuple[int, str, str]]:
    """Each line's number, word, and the rest."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
            for number, line in enumerate(file, 1):
                word, _, text = line.rstrip("\n").partition(" ")
                if number > 1 or len(text.split()) > 1:
                    yield number, word, text
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
