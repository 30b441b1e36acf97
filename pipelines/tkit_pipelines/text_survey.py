"""What a data set of texts is: classes, lengths, unknown words, repeats, likely label errors, what would stop training.

Unlike loading, it continues after bad texts and problems, and reports them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tkit_edge.errors import InputError
from tkit_edge.inputs.text import Text
from tkit_edge.inputs.tokenizers import UNKNOWN, Tokenizer
from tkit_edge.text import counted
from tkit_pipelines.class_names import lookalikes
from tkit_pipelines.corpus import Corpus, read_corpus
from tkit_pipelines.data import Labels
from tkit_pipelines.data.texts import Texts
from tkit_pipelines.dataset import Bad, Examples
from tkit_pipelines.divide import divide
from tkit_pipelines.label_errors import LabelErrors, label_errors
from tkit_pipelines.progress import progress
from tkit_pipelines.source import Loaded
from tkit_pipelines.text_repeats import TextRepeats, TextsSeen

PERCENTILE = 95
MOST_IDS = 1 << 30
"""More than any text has."""
LONGEST, STEP = 256, 8
"""Of a suggested length: the most, and what it is a multiple of."""
CHUNK = 256
"""Texts between two movements of the progress bar."""


@dataclass
class TextSurvey:
    """What is known of a data set of texts after all of it has been read."""

    name: str
    labels: Labels
    """`data.labels`: what they are."""
    length: int
    """`data.length`: longer texts are cut."""
    class_names: tuple[str, ...]
    """Empty where labels are numbers, or there are none."""
    splits: dict[str, list[int]]
    """Split -> texts of each class; of all, where there are no classes."""
    bad: list[Bad]
    """Texts that are empty, lack a label or can't be read."""
    notes: list[str]
    """How the source was read, where that could have been otherwise."""
    problems: list[str]
    """Why training on this would be refused; empty where it would not."""
    classes: np.ndarray = field(repr=False)
    """Of each text: int [n]; 0 where there are no classes."""
    tokenizer: Tokenizer | None = field(default=None, repr=False)
    """Learned on the training part; None where that failed, which is a problem."""
    lengths: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64), repr=False)
    """Of each text, its ids and the start's: int [n]; empty without a tokenizer."""
    suggested_length: int | None = None
    """Enough for 95 % of the training part."""
    trained_on: int = 0
    """Texts of the training part."""
    unknown: dict[str, float] = field(default_factory=dict)
    """Part (`validation`, `test`), as training has it -> share of its ids that are unknown."""
    repeats: list[TextRepeats] = field(default_factory=list)
    contradictions: TextRepeats | None = None
    label_errors: LabelErrors | None = None
    """None where labels are no classes, or classes are too small."""

    @property
    def imbalance(self) -> float:
        """Texts of the largest class for one of the smallest, over all splits; infinite where one has none."""
        counts = np.sum(list(self.splits.values()), axis=0)
        return float(counts.max() / counts.min()) if counts.min() else float("inf")

    @property
    def cut(self) -> int:
        """Texts longer than `length`."""
        return int(np.count_nonzero(self.lengths > self.length))


def text_survey(data: Texts) -> TextSurvey:
    """Reads the texts of `data`, and looks at them as training with seed 0 would.

    Raises:
        InputError: they can't be read at all.

    Example:
        >>> text_survey(Texts(source="sentences")).splits
        {'train': [140, 140, 140]}
    """
    corpus = read_corpus(
        data.source, labels=data.labels, text=data.text, label=data.label, skip_bad=True, checked=False
    )
    classes = np.zeros(len(corpus.texts), np.int64)
    if corpus.class_names:
        assert corpus.labels is not None
        classes = corpus.labels.astype(np.int64)
    splits = _splits(corpus)
    number = max(1, len(corpus.class_names))
    found = TextSurvey(
        name=data.source,
        labels=data.labels,
        length=data.length,
        class_names=corpus.class_names,
        splits={split: np.bincount(classes[rows], minlength=number).tolist() for split, rows in splits.items()},
        bad=sorted(corpus.skipped),
        notes=[*corpus.notes, *lookalikes(corpus.class_names)],
        problems=list(corpus.problems),
        classes=classes,
    )
    if corpus.skipped and not data.skip_bad:
        bad = counted(len(corpus.skipped), "text")
        found.problems.append(f"{bad} can't be used. Mend or remove what is bad, or add --skip-bad.")
    train, validation, test = _parts(corpus, data, found.problems)
    _measure(found, corpus, data, train, {"validation": validation, "test": test})
    _compare(found, corpus, splits)
    if corpus.class_names:
        part = [corpus.texts[row] for row in train], classes[train], corpus.class_names
        found.label_errors = label_errors(*part, [corpus.places[row] for row in train])
    return found


def _splits(corpus: Corpus) -> dict[str, slice]:
    """The rows of each split that the source has."""
    own = corpus.train - corpus.validation
    splits = {
        "train": slice(own),
        "validation": slice(own, corpus.train),
        "test": slice(corpus.train, len(corpus.texts)),
    }
    return {split: rows for split, rows in splits.items() if len(range(len(corpus.texts))[rows])}


def _parts(corpus: Corpus, data: Texts, problems: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows of the parts that training has, or where it would be refused, which is a problem, the source's own."""
    rows, labels = np.arange(len(corpus.texts)), corpus.labels
    own = np.split(rows, [corpus.train - corpus.validation, corpus.train])
    if corpus.problems:
        return own[0], own[1], own[2]
    column = rows if labels is None else labels
    train, test = Examples({"label": column[: corpus.train]}), Examples({"label": column[corpus.train :]})
    loaded = Loaded(
        train,
        test if len(own[2]) else None,
        corpus.class_names,
        corpus.skipped,
        validation=corpus.validation,
        example=Text.example,
    )
    try:
        kept, validation, test_rows = divide(loaded, data.source, data.validation, seed=0)
    except InputError as error:
        problems.append(str(error))
        return own[0], own[1], own[2]
    return kept, validation, test_rows + (corpus.train if len(own[2]) else 0)


def _measure(
    found: TextSurvey, corpus: Corpus, data: Texts, train: np.ndarray, held_out: dict[str, np.ndarray]
) -> None:
    """Learns the tokenizer on the rows of `train`, and finds lengths and unknown ids."""
    try:
        found.tokenizer = data.tokenizer.learn([corpus.texts[row] for row in train])
    except InputError as error:
        found.problems.append(str(error))
        return
    ids, unknown = _counts(corpus.texts, found.tokenizer)
    found.lengths = ids + 1
    longest = int(np.percentile(found.lengths[train], PERCENTILE, method="inverted_cdf"))
    found.suggested_length = min(LONGEST, -(-longest // STEP) * STEP)
    found.trained_on = len(train)
    found.unknown = {
        part: float(unknown[rows].sum() / ids[rows].sum()) for part, rows in held_out.items() if ids[rows].any()
    }


def _counts(texts: Sequence[str], tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """How many ids each text has, and how many of them are unknown: int64 [n] both."""
    counts = np.empty((2, len(texts)), np.int64)
    with progress("reading texts", len(texts)) as advance:
        for start in range(0, len(texts), CHUNK):
            chunk = texts[start : start + CHUNK]
            for row, text in enumerate(chunk, start):
                ids = tokenizer.encode(text, MOST_IDS)
                counts[:, row] = len(ids), ids.count(UNKNOWN)
            advance(len(chunk))
    return counts[0], counts[1]


def _compare(found: TextSurvey, corpus: Corpus, splits: dict[str, slice]) -> None:
    """Finds the texts that are there more than once."""
    seen = TextsSeen()
    for split, rows in splits.items():
        for row in range(len(corpus.texts))[rows]:
            seen.add(corpus.texts[row], split, corpus.places[row], _label(corpus, row))
    found.repeats, found.contradictions = list(seen.repeats.values()), seen.contradictions


def _label(corpus: Corpus, row: int) -> str | None:
    """What a text is labelled."""
    if corpus.labels is None:
        return None
    return corpus.class_names[corpus.labels[row]] if corpus.class_names else f"{corpus.labels[row]:g}"
