"""The config of a text data set: where the texts come from, how they become ids, and how they are fed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from tkit_edge.inputs import Input
from tkit_edge.inputs.text import MAX_LENGTH, Text
from tkit_edge.inputs.tokenizers import PAD, START, UNKNOWN
from tkit_pipelines.config import OneOf
from tkit_pipelines.corpus import Corpus, read_corpus
from tkit_pipelines.data import Data
from tkit_pipelines.dataset import Examples, Origin
from tkit_pipelines.divide import divide
from tkit_pipelines.seeds import derive
from tkit_pipelines.source import Loaded
from tkit_pipelines.splits import Splits
from tkit_pipelines.token_cache import encoded
from tkit_pipelines.tokenizers import TokenizerConfig
from tkit_pipelines.tokenizers.words import Words

if TYPE_CHECKING:
    import tensorflow as tf

LENGTHS = 8
"""Different lengths of training batches, at most."""


class Texts(Data):
    """Texts, as ids up to a length.

    Example:
        >>> data = Texts(source="sentences", length=32)
        >>> splits = data.load(seed=0)
        >>> batches = Batches(splits.train, data, lambda columns: tf.one_hot(columns["label"], 3), seed=0)
    """

    takes = "text"
    stand_in = ("sentences", "tkit's own sentences")

    kind: Literal["texts"] = "texts"
    source: str
    """`sentences`, `tfds:NAME`, or the path of a .csv, .tsv, .jsonl or .parquet file, or of a folder: of such files by
    split, or of .txt files by class."""
    text: str | None = None
    """The column that holds the texts; null: found by its name."""
    label: str | None = None
    """The column that holds the labels; null: found by its name."""
    tokenizer: Annotated[TokenizerConfig, OneOf("tkit_pipelines.tokenizers")] = Words()
    """`words`, `wordpiece`, `bytes`, `ngrams` or `known_ngrams`, with their fields. It learns of the training texts
    alone."""
    length: int = Field(64, ge=2, le=MAX_LENGTH)
    """Ids of a text at most, one for its start; the rest is cut off."""
    word_dropout: float = Field(0.0, ge=0, lt=1)
    """Share of the ids of a training text that are unknown, drawn anew in each epoch (Iyyer et al. 2015)."""
    bucketed: bool = True
    """Batches for training are of texts of like length, and as long as the longest of them; otherwise all are of
    `length`."""
    skip_bad: bool = False
    """Skip texts that are empty or can't be read, and report how many; otherwise the first one is an error."""

    def load(self, seed: int, known: Input | None = None) -> Splits:
        """The texts in training, validation and test parts; see `Data.load`."""
        corpus = read_corpus(self.source, labels=self.labels, text=self.text, label=self.label, skip_bad=self.skip_bad)
        rows = divide(_loaded(corpus, {}, self.target), self.source, self.validation, seed)
        input = known if isinstance(known, Text) else None
        if input is None:
            input = Text(self.tokenizer.learn([corpus.texts[row] for row in rows[0]]), self.length)
        tokens = encoded(input, corpus.texts, self.source)
        loaded = _loaded(corpus, {"tokens": tokens}, self.target)
        parts = self._placed(loaded, rows)
        return Splits(*parts, corpus.class_names, input, self.source, corpus.skipped, corpus.notes)

    def fixed(self) -> Texts:
        """The same texts, all of `length`."""
        return self.model_copy(update={"bucketed": False})

    def sizes(self, examples: Examples) -> np.ndarray | None:
        """The length of each text, rounded up to one of `LENGTHS`."""
        if not self.bucketed:
            return None
        step = _step(self.length)
        counts = np.count_nonzero(np.asarray(examples.columns["tokens"]) != PAD, axis=1)
        return -(-counts // step) * step

    def gather(
        self,
        columns: Mapping[str, tuple[tf.Tensor, tf.Tensor]],
        targets: tf.Tensor | None,
        seed: tf.Tensor,
        turn: tf.Tensor,
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor | None]:
        """The texts at the rows wanted; bucketed, as long as the longest of them, rounded up to one of `LENGTHS`."""
        import tensorflow as tf

        column, rows = columns["tokens"]
        tokens = tf.gather(column, rows)
        if self.bucketed:
            step = _step(self.length)
            longest = tf.reduce_max(tf.math.count_nonzero(tokens, axis=1, dtype=tf.int32))
            tokens = tokens[:, : -(-longest // step) * step]
        if self.word_dropout:
            drawn = tf.random.stateless_uniform(tf.shape(tokens), derive(seed, 0)) < self.word_dropout
            tokens = tf.where(drawn & (tokens != PAD) & (tokens != START), UNKNOWN, tokens)
        return {"tokens": tokens}, targets


@dataclass(frozen=True)
class _Texts:
    """The corpus as the place where texts came from."""

    corpus: Corpus

    def encoded(self, row: int) -> bytes:
        """The text in UTF-8."""
        return self.corpus.texts[row].encode()

    def file(self, row: int) -> str:
        """Where the text stands."""
        return self.corpus.places[row]


def _loaded(corpus: Corpus, inputs: Mapping[str, np.ndarray], target: str | None) -> Loaded:
    columns = dict(inputs)
    if target is not None:
        assert corpus.labels is not None
        columns[target] = corpus.labels
    if not columns:
        columns = {"row": np.arange(len(corpus.texts))}
    source = _Texts(corpus)

    def part(rows: slice) -> Examples:
        return Examples(
            {name: column[rows] for name, column in columns.items()},
            Origin(source, np.arange(len(corpus.texts))[rows]),
        )

    test = part(slice(corpus.train, None)) if len(corpus.texts) > corpus.train else None
    return Loaded(
        part(slice(corpus.train)),
        test,
        corpus.class_names,
        corpus.skipped,
        corpus.notes,
        validation=corpus.validation,
        example=Text.example,
    )


def _step(length: int) -> int:
    return -(-length // LENGTHS)
