"""Texts that are likely labelled wrongly, by confident learning: a hint where to look, never a verdict.

Logistic regression on words and pairs of words (TF-IDF) predicts each text after training on others. A class's
threshold is the mean probability of it among the texts that are labelled so. A text is suspicious where its label's
probability is below that label's threshold, and another class's at or above its own.

Source: Northcutt et al. 2021, arXiv:1911.00068.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tkit_edge.text_normalization import words
from tkit_pipelines.progress import Advance, progress

MOST_TEXTS, MOST_PROBABILITIES = 20_000, 2_000_000
"""That are looked at; the latter is texts times classes."""
FOLDS = 5
MOST_FEATURES = 50_000
MOST_CHARACTERS = 1_000
"""Of a text; the classifier reads no more of it."""
EPOCHS = 10
C = 10.0
"""Inverse strength of regularization, as scikit-learn has it."""
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

    At most `MOST_TEXTS`, drawn at random, are looked at (fewer where there are many classes), and none of a class with
    fewer than `FOLDS` of these.

    Args:
        texts: those for training.
        labels: int [n], indices into `class_names`.
        class_names: the classes.
        places: where each text came from.

    Returns:
        None where fewer than two classes have enough texts.
    """
    most = min(MOST_TEXTS, MOST_PROBABILITIES // len(class_names))
    rows = np.sort(np.random.RandomState(0).permutation(len(texts))[:most])
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
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import SGDClassifier
    from sklearn.model_selection import StratifiedKFold

    vectorizer = TfidfVectorizer(analyzer=_terms, sublinear_tf=True, max_features=MOST_FEATURES, dtype=np.float32)
    probabilities = np.empty((len(texts), int(labels.max()) + 1))
    with progress("looking for wrong labels", 2 * len(texts)) as advance:
        try:
            vectors = vectorizer.fit_transform(_advancing(texts, advance))
        except ValueError:  # an empty vocabulary
            return None
        for others, held_out in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(vectors, labels):
            # Logistic regression; by SGD it is as good here as by L-BFGS, in a thirtieth of the time.
            alpha = 1 / (C * len(others))
            model = SGDClassifier(loss="log_loss", alpha=alpha, max_iter=EPOCHS, tol=None, random_state=0)
            model.fit(vectors[others], labels[others])
            probabilities[held_out] = model.predict_proba(vectors[held_out])
            advance(len(held_out))
    return probabilities


def _advancing(texts: Sequence[str], advance: Advance) -> Iterator[str]:
    for text in texts:
        yield text
        advance(1)


def _terms(text: str) -> list[str]:
    """Words, and pairs of words that stand beside each other."""
    found = list(words(text[:MOST_CHARACTERS], lowercase=True))
    return [*found, *map(" ".join, pairwise(found))]
