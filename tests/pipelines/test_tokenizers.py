"""Tokenizers are learned: the same from the same texts in every process, and as the field's own tools do it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import pytest
import tokenizers as hugging_face
from pydantic import ValidationError
from tokenizers.models import WordPiece as HuggingFaceWordPiece
from tokenizers.pre_tokenizers import WhitespaceSplit

from tkit_edge.errors import InputError
from tkit_edge.inputs.tokenizers import FIRST, UNKNOWN, Tokenizer
from tkit_edge.text_normalization import words
from tkit_pipelines.config import Config, OneOf, component_class, kinds
from tkit_pipelines.tokenizers import TokenizerConfig
from tkit_pipelines.tokenizers.bytes import Bytes
from tkit_pipelines.tokenizers.known_ngrams import KnownNGrams
from tkit_pipelines.tokenizers.ngrams import NGrams
from tkit_pipelines.tokenizers.wordpiece import WordPiece
from tkit_pipelines.tokenizers.words import Words

ROOT = Path(__file__).parents[2]
PROBE = """
import json, sys
from tkit_pipelines.tokenizers.words import Words
from tkit_pipelines.tokenizers.wordpiece import WordPiece
texts = json.load(sys.stdin)
print(json.dumps([config(size=1000).learn(texts).vocabulary for config in (Words, WordPiece)]))
"""


class Holder(Config):
    """A config that holds a tokenizer's."""

    tokenizer: Annotated[TokenizerConfig, OneOf("tkit_pipelines.tokenizers")]


@pytest.fixture(scope="module")
def texts():
    """A thousand paragraphs and lines of English and code."""
    return [line for name in ("README.md", "CONTRIBUTING.md", "docs/log.md") for line in (ROOT / name).open()]


def test_words_are_the_most_frequent_ties_by_code_points():
    learned = Words(size=FIRST + 3, min_count=2).learn(["The film the film a", "zoo a zoo", "rare the é", "É"])
    assert learned.vocabulary == ("the", "a", "film")
    assert Words(min_count=2).learn(["é z a É a z"]).vocabulary == ("a", "z", "é")
    assert Words(min_count=2, lowercase=False).learn(["b a A a A É"]).vocabulary == ("A", "a")


def test_pieces_are_characters_then_the_most_frequent_pairs():
    # By hand: ##e ##s are neighbours 9 times, ##es ##t 9, ##o ##w and l ##o 7, l ##ow 7, ##e ##w (and others) 6 ...
    texts = ["low " * 5 + "lower " * 2 + "newest " * 6 + "widest " * 3]
    learned = WordPiece(size=FIRST + 17, min_count=1).learn(texts)
    characters = ["##e", "##w", "##s", "##t", "##o", "l", "n", "##d", "##i", "w", "##r"]
    assert learned.vocabulary == (*characters, "##es", "##est", "##ow", "low", "##ew", "##ewest")
    assert learned.tokens(learned.encode("lowest", 9)) == ["low", "##est"]


def test_a_pair_that_overlaps_itself_is_merged_from_the_left():
    learned = WordPiece(min_count=2).learn(["aaaaaa aaaaaa"])
    assert learned.vocabulary == ("##a", "a", "##aa", "##aaa", "##aaaaa", "aaaaaa")  # of a ##aa ##aa ##a


def test_rare_characters_leave_their_words_unknown():
    learned = WordPiece(min_count=2).learn(["中 a film", "a film ✓"])
    assert learned.encode("film 中 ✓ files", 9)[1:] == [UNKNOWN, UNKNOWN, UNKNOWN]
    assert WordPiece(size=FIRST + 2, min_count=1).learn(["abc abc ab"]).vocabulary == ("##b", "a")


def test_two_processes_learn_the_same_in_any_order_of_texts(texts):
    found = []
    for seed, given in (("1", texts), ("2", texts[::-1])):
        done = subprocess.run(
            [sys.executable, "-c", PROBE],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        found.append(json.loads(done.stdout))
    assert found[0] == found[1]
    assert [len(vocabulary) for vocabulary in found[0]] == [1000 - FIRST] * 2


def test_words_are_encoded_as_hugging_face_encodes_them(texts):
    learned = WordPiece(size=600, min_count=3).learn(texts)
    ids = {"[UNKNOWN]": UNKNOWN, **{piece: FIRST + number for number, piece in enumerate(learned.vocabulary)}}
    model = HuggingFaceWordPiece(vocab=ids, unk_token="[UNKNOWN]", max_input_chars_per_word=100)
    theirs = hugging_face.Tokenizer(model)
    theirs.pre_tokenizer = WhitespaceSplit()
    others = ["日本 中文 naïve", "a" * 100, "a" * 101, "unaffable ##s # zzzzz ✓ 👍🏽"]
    for text in [*texts, *others]:
        assert learned.encode(text, 100_000) == theirs.encode(" ".join(words(text, True))).ids
    assert UNKNOWN in learned.encode(others[0], 99)


def test_the_pieces_are_those_of_counting_all_pairs_again_after_each_merge(texts):
    counts = Counter(word for text in texts for word in words(text, True))
    spelled = {word: [word[0], *("##" + character for character in word[1:])] for word in counts}
    expected = []
    while len(expected) < 100:
        pairs = Counter()
        for word, pieces in spelled.items():
            for pair in pairwise(pieces):
                pairs[pair] += counts[word]
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        expected.append(best[0] + best[1].removeprefix("##"))
        for pieces in spelled.values():
            for start in range(len(pieces)):
                if tuple(pieces[start : start + 2]) == best:
                    pieces[start : start + 2] = [expected[-1]]
    learned = WordPiece(size=1000, min_count=1).learn(texts).vocabulary
    assert [piece for piece in learned if len(piece.removeprefix("##")) > 1][:100] == expected


@pytest.mark.parametrize("config", [Words(), WordPiece()])
@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "no words: expected some .* Check which column is text"),
        (["", " \0 \u200b"], "no words"),
        (["a" * 300], "no words"),
    ],
)
def test_texts_that_teach_nothing_are_refused(config, texts, message):
    with pytest.raises(InputError, match=message):
        config.learn(texts)


@pytest.mark.parametrize("config", [Words(min_count=3), WordPiece(min_count=3)])
def test_a_min_count_that_nothing_has_is_refused(config):
    with pytest.raises(InputError, match="min_count=3: nothing in the training texts occurs so often, at most 2 times"):
        config.learn(["a b a"])


@pytest.mark.parametrize("kind", kinds("tkit_pipelines.tokenizers"))
def test_what_a_kind_learns_is_the_tokenizer_of_the_same_kind(kind):
    config = Holder(tokenizer=kind).tokenizer
    learned = config.learn(["a film , a film"] * 2)
    assert isinstance(learned, Tokenizer) and learned.kind == kind
    assert len(learned.encode("a film", 99)) > 1
    assert Holder.model_validate_json(Holder(tokenizer=config).model_dump_json()).tokenizer == config
    assert component_class("tkit_pipelines.tokenizers", kind)(lowercase=False).learn(["b B b B"] * 2).lowercase is False


def test_nothing_is_learned_of_bytes_and_ngrams():
    assert Bytes().learn([]).size == 260
    learned = NGrams(buckets=9, words=(1, 3), characters=None).learn([])
    assert (learned.size, learned.words, learned.characters) == (FIRST + 9, (1, 3), None)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"kind": "words", "size": 4}, "size"),
        ({"kind": "words", "size": 2_000_000}, "size"),
        ({"kind": "wordpiece", "min_count": 0}, "min_count"),
        ({"kind": "bytes", "size": 9}, "Extra inputs"),
        ({"kind": "ngrams", "buckets": 0}, "buckets"),
        ({"kind": "ngrams", "words": [2, 1]}, "expected the fewest and the most, received 2 and 1"),
        ({"kind": "ngrams", "words": [0, 1]}, "words"),
        ({"kind": "ngrams", "characters": [3, 11]}, "characters"),
        ({"kind": "word"}, "unknown kind 'word'.* Did you mean 'words'"),
    ],
)
def test_wrong_settings_are_refused(value, message):
    with pytest.raises(ValidationError, match=message):
        Holder(tokenizer=value)


def test_ngrams_are_known_by_the_texts_that_have_them():
    learned = KnownNGrams(characters=None).learn(["a film a film", "a play", "the play"])
    assert learned.vocabulary == ("\u2581a", "\u2581play")  # twice in one text is one text
    assert KnownNGrams(characters=(3, 3), words=(1, 1)).learn(["art", "party"]).vocabulary == ("art",)
