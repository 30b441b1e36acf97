"""Texts that are likely labelled wrongly, by confident learning: a hint where to look, never a verdict.

A linear classifier of words and pairs of words predicts each text after training on others. A class's threshold is the
mean probability of it among the texts that are labelled so. A text is suspicious where its label's probability is below
that label's threshold, and another class's at or above its own.

Source: Northcutt et al. 2021, arXiv:1911.00068.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tkit_edge.text_normalization import words

MOST_TEXTS = 20_000
FOLDS = 5
MOST_FEATURES = 50_000
MOST_CHARACTERS = 2_000
"""Of a text; the classifier reads no more of it."""
ITERATIONS = 50
SHOWN = 10


@dataclass(frozen=True)
class LabelError:
    """A text whose label is likely wrong."""

    place: str
    text: str
    label: str
    probability: float
    """Of its label."""
    likelier: str
    likelier_probability: float


@dataclass(frozen=True)
class LabelErrors:
    """What was looked at, and what was found."""

    looked_at: int
    """Texts."""
    found: int
    """Suspicious ones."""
    most_suspicious: list[LabelError]
    """At most `SHOWN`, the least probable label first."""


def label_errors(
    texts: Sequence[str], labels: np.ndarray, class_names: Sequence[str], places: Sequence[str]
) -> LabelErrors | None:
    """The texts whose labels look wrong; the same ones each time.

    At most `MOST_TEXTS`, drawn at random, are looked at, and none of a class with fewer than `FOLDS` of these.

    Args:
        texts: those for training.
        labels: int [n], indices into `class_names`.
        class_names: the classes.
        places: where each text came from.

    Returns:
        None where fewer than two classes have enough texts.
    """
    rows = np.sort(np.random.RandomState(0).permutation(len(texts))[:MOST_TEXTS])
    counts = np.bincount(labels[rows], minlength=len(class_names))
    kept = np.flatnonzero(counts >= FOLDS)
    if len(kept) < 2:
        return None
    rows = rows[np.isin(labels[rows], kept)]
    given = np.searchsorted(kept, labels[rows])
    probabilities = _predicted([texts[row] for row in rows], given)
    if probabilities is None:
        return None
    own = probabilities[np.arange(len(rows)), given]
    thresholds = np.bincount(given, own) / np.bincount(given)
    confident = np.where(probabilities >= thresholds, probabilities, 0.0)
    confident[np.arange(len(rows)), given] = 0.0
    likelier = confident.argmax(axis=1)
    suspicious = np.flatnonzero((own < thresholds[given]) & (confident.max(axis=1) > 0))
    chosen = suspicious[np.argsort(own[suspicious], kind="stable")][:SHOWN]
    return LabelErrors(
        len(rows),
        len(suspicious),
        [
            LabelError(
                places[rows[at]],
                texts[rows[at]],
                class_names[kept[given[at]]],
                float(own[at]),
                class_names[kept[likelier[at]]],
                float(confident[at, likelier[at]]),
            )
            for at in chosen
        ],
    )


def _predicted(texts: Sequence[str], labels: np.ndarray) -> np.ndarray | None:
    """The probabilities of the classes, each text's by a classifier that was trained on others: float [n, classes].

    None where there are no words.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    features = TfidfVectorizer(analyzer=_terms, sublinear_tf=True, max_features=MOST_FEATURES, dtype=np.float32)
    try:
        vectors = features.fit_transform(texts)
    except ValueError:  # an empty vocabulary
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a hint needs no more
        return cross_val_predict(
            LogisticRegression(C=10.0, max_iter=ITERATIONS),
            vectors,
            labels,
            cv=StratifiedKFold(FOLDS, shuffle=True, random_state=0),
            method="predict_proba",
        )


def _terms(text: str) -> list[str]:
    """Words, and pairs of words that stand beside each other."""
    found = list(words(text[:MOST_CHARACTERS], lowercase=True))
    return [*found, *map(" ".join, pairwise(found))]
