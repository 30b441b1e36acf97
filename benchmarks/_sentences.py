"""Sentences made at random, of the size of SST-2's training part, and tkit's Transformer for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

    from tkit_edge.inputs.text import Text

SENTENCES, WORDS, VOCABULARY, LENGTH = 6_920, 15_000, 8_000, 64
SYLLABLES = [first + second for first in "bcdfghjklmnpqrstvwxz" for second in "aeiou"]


def made() -> tuple[list[str], np.ndarray]:
    """The sentences and int32 labels of two classes.

    Lengths are log-normal, with a median of 18 words, from 3 to 56; words follow Zipf's law, and frequent ones are
    short.
    """
    random = np.random.default_rng(0)
    lengths = np.clip(np.rint(random.lognormal(np.log(18), 0.5, SENTENCES)), 3, 56).astype(int)
    frequencies = 1 / np.arange(1, WORDS + 1)
    drawn = random.choice(WORDS, lengths.sum(), p=frequencies / frequencies.sum())
    words = np.array([_word(rank) for rank in range(WORDS)])
    parts = np.split(words[drawn], np.cumsum(lengths)[:-1])
    return [" ".join(part) for part in parts], random.integers(0, 2, SENTENCES).astype(np.int32)


def text_input() -> Text:
    """The input that tkit's tokenizer of words, learned from the sentences, makes."""
    from tkit_edge.inputs.text import Text
    from tkit_pipelines.tokenizers.words import Words

    return Text(Words(size=VOCABULARY).learn(made()[0]), LENGTH)


def transformer() -> keras.Model:
    """tkit's Transformer with its defaults, of stock Keras layers, for sentences of `LENGTH` ids."""
    import keras

    from tkit.graph import of_size
    from tkit.models import Spec
    from tkit.models.transformer import Transformer
    from tkit_edge.tensors import TensorSpec

    keras.utils.set_random_seed(0)
    tokens, logits = TensorSpec("tokens", (LENGTH,), "int32"), TensorSpec("logits", (2,), "float32")
    return of_size(Transformer().build(Spec((tokens,), (logits,), {}, {"tokens": VOCABULARY})), (tokens,))


def _word(rank: int) -> str:
    word = SYLLABLES[rank % len(SYLLABLES)]
    while rank := rank // len(SYLLABLES):
        word += SYLLABLES[rank % len(SYLLABLES)]
    return word
