"""What occurs in training texts, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from tkit_edge.errors import InputError
from tkit_edge.text_normalization import words


def word_counts(texts: Iterable[str], lowercase: bool, max_bytes: int) -> Counter[str]:
    """How often each word of at most so many bytes occurs.

    Raises:
        InputError: no text has one.
    """
    counts = Counter(word for text in texts for word in words(text, lowercase))
    for word in [word for word in counts if len(word.encode()) > max_bytes]:
        del counts[word]
    if not counts:
        raise InputError(
            "The training texts have no words: expected some to learn a vocabulary from. Check which column is text."
        )
    return counts


def most_frequent(counts: Mapping[str, int], size: int, min_count: int) -> list[str]:
    """What occurs at least `min_count` times, the most frequent first (ties by code points), at most `size`.

    Raises:
        InputError: nothing occurs so often.
    """
    found = [item for item in counts if counts[item] >= min_count]
    if not found:
        most = max(counts.values(), default=0)
        raise InputError(f"min_count={min_count}: nothing in the training texts occurs so often, at most {most} times.")
    return sorted(found, key=lambda item: (-counts[item], item))[:size]
