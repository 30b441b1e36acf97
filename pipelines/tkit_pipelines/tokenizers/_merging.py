"""The pieces of a WordPiece vocabulary, by merging the most frequent pair of neighbours again and again.

Hugging Face's trainer does the same, but breaks ties by the order of a hash table, in which two processes differ.
Source: Sennrich et al. 2016, arXiv:1508.07909 (byte-pair encoding).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from itertools import pairwise

from tkit_edge.inputs.tokenizers.wordpiece import CONTINUES, MAX_CHARACTERS
from tkit_pipelines.tokenizers._counting import most_frequent

Pair = tuple[str, str]


def learned_pieces(words: Mapping[str, int], size: int, min_count: int) -> list[str]:
    """The characters, the most frequent first, then pieces in the order in which they were merged.

    Args:
        words: with how often each occurs.
        size: pieces at most.
        min_count: how often a character or a pair of pieces has to occur.

    Raises:
        InputError: no character occurs so often.
    """
    spelled = {
        word: [word[0], *(CONTINUES + character for character in word[1:])]
        for word in words
        if len(word) <= MAX_CHARACTERS  # longer ones are unknown whatever the pieces
    }
    characters: Counter[str] = Counter()
    for word, pieces in spelled.items():
        for piece in pieces:
            characters[piece] += words[word]
    vocabulary = dict.fromkeys(most_frequent(characters, size, min_count))
    merging = _Merging(
        (pieces, words[word]) for word, pieces in spelled.items() if all(piece in vocabulary for piece in pieces)
    )
    while len(vocabulary) < size and (pair := merging.best(min_count)):
        vocabulary[merging.merge(pair)] = None
    return list(vocabulary)


class _Merging:
    """Words in pieces, and how often each pair of neighbours occurs."""

    def __init__(self, words: Iterable[tuple[list[str], int]]) -> None:
        self.words = list(words)
        self.counts: Counter[Pair] = Counter()
        self.places: defaultdict[Pair, set[int]] = defaultdict(set)
        for number, (pieces, count) in enumerate(self.words):
            for pair in pairwise(pieces):
                self.counts[pair] += count
                self.places[pair].add(number)
        # A pair's count may have fallen since it was put here, never risen.
        self.queue = [(-count, pair) for pair, count in self.counts.items()]
        heapify(self.queue)

    def best(self, min_count: int) -> Pair | None:
        """The most frequent pair, ties by code points; None where none is frequent enough."""
        while self.queue:
            negative, pair = heappop(self.queue)
            count = self.counts[pair]
            if count < min_count:
                continue
            if count == -negative:
                return pair
            heappush(self.queue, (-count, pair))
        return None

    def merge(self, pair: Pair) -> str:
        """Makes one piece of the pair in all words that have it."""
        merged = pair[0] + pair[1].removeprefix(CONTINUES)
        risen: set[Pair] = set()
        for number in self.places.pop(pair):
            old, count = self.words[number]
            new = _merged(old, pair, merged)
            self.words[number] = new, count
            for neighbours in pairwise(old):
                self.counts[neighbours] -= count
            for neighbours in pairwise(new):
                self.counts[neighbours] += count
                if merged in neighbours:
                    self.places[neighbours].add(number)
                    risen.add(neighbours)
        for neighbours in risen:
            heappush(self.queue, (-self.counts[neighbours], neighbours))
        return merged


def _merged(pieces: list[str], pair: Pair, merged: str) -> list[str]:
    """The pieces with each occurrence of the pair made one, from the left."""
    found: list[str] = []
    for piece in pieces:
        if found and (found[-1], piece) == pair:
            found[-1] = merged
        else:
            found.append(piece)
    return found
