"""Texts that are there more than once: the same ones after normalization in lower case."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from tkit_edge.text_normalization import normalized


@dataclass
class TextRepeats:
    """Texts of `second` that an earlier one of `first` is the same as."""

    first: str
    second: str
    count: int
    example: tuple[str, str]
    """Where two of them stand."""
    labels: tuple[str, str] | None
    """What these two are labelled; None without labels."""
    text: str
    """The latter of the two, as it was written."""


@dataclass
class TextsSeen:
    """The texts so far, by a hash of each."""

    repeats: dict[tuple[str, str], TextRepeats] = field(default_factory=dict)
    """By the splits of the two."""
    contradictions: TextRepeats | None = None
    """The same texts with different labels."""
    _first: dict[bytes, tuple[str, str, str | None]] = field(default_factory=dict)

    def add(self, text: str, split: str, place: str, label: str | None) -> None:
        """Notes a text, and whether it was there before."""
        digest = hashlib.blake2b(normalized(text, lowercase=True).encode(), digest_size=16).digest()
        if digest not in self._first:
            self._first[digest] = split, place, label
            return
        first, other, given = self._first[digest]
        labels = None if label is None or given is None else (given, label)
        pair = TextRepeats(first, split, 0, (other, place), labels, text)
        self.repeats.setdefault((first, split), pair).count += 1
        if given != label:
            if self.contradictions is None:
                self.contradictions = TextRepeats(first, split, 0, (other, place), labels, text)
            self.contradictions.count += 1
