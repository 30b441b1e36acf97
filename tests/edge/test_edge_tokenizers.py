"""Tokenizers: any string has ids, the same on every machine, and a long text costs no more than its limit asks for."""

import json
import unicodedata
from dataclasses import replace
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tkit_edge import text_normalization
from tkit_edge.errors import InputError
from tkit_edge.fields import Fields
from tkit_edge.inputs import tokenizers
from tkit_edge.inputs.tokenizers import FIRST, MASK, PAD, START, UNKNOWN
from tkit_edge.inputs.tokenizers.bytes import Bytes
from tkit_edge.inputs.tokenizers.known_ngrams import KnownNGrams
from tkit_edge.inputs.tokenizers.ngrams import NGrams
from tkit_edge.inputs.tokenizers.wordpiece import WordPiece
from tkit_edge.inputs.tokenizers.words import Words
from tkit_edge.text_normalization import MAX_RUN, normalized
from tkit_edge.vocabulary import MAX_TOKENS

FAMILY, HEART, FLAG = "👩\u200d👩\u200d👧\u200d👦", "❤\ufe0f", "🇩🇪"
SCOTLAND = "🏴" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbsct") + "\U000e007f"
PIECES = [
    *(" ", "\n", "\u3000", "\0", "\ufeff", "\u200b", "\u200d", "\u202e", "\u00ad", "\ufe0f", "\ud83d", "\ude00"),
    *("don't", "it\u2019s", "'", "\u0301", "H\u0331", "İ", "ΟΔΟΣ", "\ufdfa", "ﾊﾟ", "½", "_", "a" * 101),
    *("中文", "カード", "สนุก", "שלום", "नमस्ते", "e\u200d\u0301", FAMILY, HEART, FLAG, SCOTLAND, "👍🏽", "1\ufe0f\u20e3"),
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(st.characters(), max_size=4), max_size=12).map("".join)
TOKENIZERS = [
    Words(("a", "film", "中", "n't", FAMILY), True),
    WordPiece(("a", "##a", "film", "##s", "中", "✓", "d", "##o"), True),
    Bytes(False),
    NGrams(1000, (1, 2), (3, 5), True),
    NGrams(7, (2, 3), None, False),
    KnownNGrams(("\u2581a", "<a>", "\u2581a\u2581film", "ilm", "\u2581中"), (1, 2), (3, 5), True),
]
LINE = 10_000_000
every_kind = pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: tokenizer.kind)
anything = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def words(text, lowercase=True):
    return list(text_normalization.words(text, lowercase))


@anything
@given(TEXTS, st.booleans())
def test_normalized_text_is_normal(text, lowercase):
    found = normalized(text, lowercase)
    assert normalized(found, lowercase) == found == unicodedata.normalize("NFKC", found)
    assert found.split(" ") == found.split() or found == ""
    assert not [character for character in found if unicodedata.category(character) in ("Cc", "Cs")]
    assert not lowercase or found == found.lower()


@pytest.mark.parametrize("lowercase", [True, False])
def test_every_character_has_a_normal_form(lowercase):
    assigned = [chr(code) for code in (*range(0x33500), *range(0xE0000, 0xE0200))]
    for separator in (" ", "\u0301", "\u200d"):
        found = normalized(separator.join(assigned), lowercase)
        assert normalized(found, lowercase) == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  A\tstirring \r\n film ", "a stirring film"),
        ("a\0b\x7fc", "a b c"),
        ("é\0\tb\x85c", "é b c"),
        ("\ud83dx\ude00", "\ufffdx\ufffd"),
        ("\ufeffso\u00adft \u202eabc\u202c", "soft abc"),
        ("zero\u200bwidth", "zero width"),
        ("e\u200d\u0301 H\u0331", "é ẖ"),  # what composes once the joiner has gone, and in lower case only
        ("ＦＵＬＬ ﬁlm ﾊﾟ", "full film パ"),
        ("ΟΔΟΣ ΣΑΣ", "οδος σας"),
        (FAMILY + HEART + SCOTLAND, FAMILY + HEART + SCOTLAND),
        ("👩\u200d a\ufe0f葛\U000e0100", "👩 a葛"),
        ("don\u2019t", "don't"),
    ],
)
def test_the_normalization_is_the_stated_one(text, expected):
    assert normalized(text, True) == expected


def test_format_characters_are_known_whatever_the_python():
    found = [chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf"]
    assert normalized("é".join(found), True).replace(" ", "") == "é" * (len(found) - 1)


def test_case_is_kept_where_it_is_wanted():
    assert words("Don't MISS Σ", False) == ["Do", "n't", "MISS", "Σ"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a stirring , funny film", "a|stirring|,|funny|film"),
        ("well-made (3.5/5) snake_case", "well|-|made|(|3|.|5|/|5|)|snake|_|case"),
        ("It's 'best' rock'n'roll o'neill's dogs' ''", "it|'s|'|best|'|rock'n'roll|o'neill|'s|dogs|'|'|'"),
        ("ca n't they 're 's 'tis", "ca|n't|they|'re|'s|'|tis"),
        ("這部電影很好看。とても カード", "這|部|電|影|很|好|看|。|と|て|も|カ|ー|ド"),
        ("หนังเรื่อง ๑๒", "ห|นั|ง|เ|รื่|อ|ง|๑๒"),
        ("नमस्ते दुनिया! سلام، 안녕하세요", "नमस्ते|दुनिया|!|سلام|،|안녕하세요"),
        (
            f"ok👍🏽{FAMILY}{HEART}{FLAG}🇫🇷{SCOTLAND}1\ufe0f\u20e3",
            f"ok|👍🏽|{FAMILY}|{HEART}|{FLAG}|🇫🇷|{SCOTLAND}|1\u20e3",
        ),
        ("x\u0323\u0301y \u0301", "x\u0323\u0301y|\u0301"),
        (" \0 \u200b ", ""),
    ],
)
def test_words_are_the_stated_ones(text, expected):
    assert "|".join(words(text)) == expected


def test_raw_text_has_the_words_of_tokenized_text():
    assert words("It can't be that they'd shouldn't, O'Brien's") == words(
        "it ca n't be that they 'd should n't , o'brien 's"
    )


@anything
@given(TEXTS)
def test_words_are_all_of_the_normalized_text(text):
    found = words(text)
    assert all(found) and "".join(found) == normalized(text, True).replace(" ", "")


@every_kind
@anything
@given(text=TEXTS, limit=st.integers(0, 40))
def test_any_text_has_ids_of_which_a_limit_gives_the_first(tokenizer, text, limit):
    ids = tokenizer.encode(text, 10_000)
    assert tokenizer.encode(text, limit) == ids[:limit]
    assert all(0 <= number < tokenizer.size and number not in (PAD, START, MASK) for number in ids)
    assert len(tokenizer.tokens(ids)) == len(ids)
    assert tokenizer.encode(normalized(text, tokenizer.lowercase), 10_000) == ids


@pytest.fixture
def read(monkeypatch):
    """The lengths of the parts of texts that were normalized."""
    lengths = []

    def counted(text, lowercase):
        lengths.append(len(text))
        return normalized(text, lowercase)

    monkeypatch.setattr(text_normalization, "normalized", counted)
    return lengths


@every_kind
@pytest.mark.parametrize("part", ["a", "a'", "👩\u200d", "e\u0301", "中", "a film, "], ids=ascii)
def test_of_a_long_line_only_what_the_limit_needs_is_read(tokenizer, part, read):
    found = len(tokenizer.encode(part * (LINE // len(part)), 64))
    assert found <= 5 if tokenizer.kind == "known_ngrams" else found == 64
    long_words = tokenizer.kind != "bytes" and part not in ("中", "a film, ")  # of MAX_RUN characters each
    assert sum(read) <= (68 if long_words else 2) * MAX_RUN


@pytest.mark.parametrize(
    ("part", "letters"), [("a", 1), ("a'", 1), ("e\u0301", 0.5), ("\u200d", 0), (" ", 0)], ids=ascii
)
def test_a_long_line_is_read_once_and_in_short_parts(part, letters, read):
    found = sum(len(word) for word in text_normalization.words(part * (LINE // len(part)), True))
    assert found == letters * LINE
    assert sum(read) == LINE and max(read) == MAX_RUN


def test_a_run_is_read_as_if_spaces_divided_it():
    for length in (MAX_RUN, MAX_RUN + 1, 2 * MAX_RUN + 5):
        run = "a" * length
        expected = [run[start : start + MAX_RUN] for start in range(0, length, MAX_RUN)]
        assert words(f"so {run} it") == ["so", *expected, "it"]
    assert bytes(number - FIRST for number in Bytes(True).encode("a" * (MAX_RUN + 1), 9999)).count(b" ") == 1


def test_words_outside_of_the_vocabulary_are_unknown():
    tokenizer = Words(("a", "film", "n't"), True)
    assert tokenizer.encode("A film, isn't", 9) == [FIRST, FIRST + 1, UNKNOWN, UNKNOWN, FIRST + 2]
    assert tokenizer.tokens([PAD, UNKNOWN, START, MASK, FIRST + 1]) == [
        "[PAD]",
        "[UNKNOWN]",
        "[START]",
        "[MASK]",
        "film",
    ]


def test_wordpiece_takes_the_longest_piece_first():
    tokenizer = WordPiece(("un", "##aff", "##able", "unaff", "##affable", "a", "##a"), True)
    assert tokenizer.tokens(tokenizer.encode("Unaffable unable unx a" + "a" * 99, 200)) == [
        *("unaff", "##able", "un", "##able", "[UNKNOWN]", "a"),
        *["##a"] * 99,
    ]
    assert tokenizer.encode("a" * 101, 200) == [UNKNOWN]


@pytest.mark.parametrize("tokenizer", [TOKENIZERS[1], TOKENIZERS[3]], ids=lambda tokenizer: tokenizer.kind)
def test_what_is_remembered_of_words_is_bounded_and_changes_nothing(tokenizer, monkeypatch):
    monkeypatch.setattr(tokenizers, "MAX_REMEMBERED", 3)
    fresh = replace(tokenizer)
    text = "films dos 中 a films aaa films"
    assert fresh.encode(text, 999) == fresh.encode(text, 999) == tokenizer.encode(text, 999)
    assert 1 <= len(fresh._known) <= 3
    assert fresh == tokenizer and hash(fresh) == hash(tokenizer)


def test_bytes_are_those_of_the_normalized_text():
    ids = Bytes(True).encode(" Ein\tFILM 👍🏽", 99)
    assert bytes(number - FIRST for number in ids).decode() == "ein film 👍🏽"
    assert Bytes(True).tokens([UNKNOWN, *ids[7:10]]) == ["[UNKNOWN]", "m", " ", "<0xF0>"]
    assert Bytes(True).size == 260


def test_ngrams_are_those_of_words_then_of_their_characters():
    tokenizer = NGrams(1 << 20, (1, 2), (3, 4), True)
    grams = [b"an", b"odd", b"film", b"an odd", b"odd film"]
    within = [b"<an", b"an>", b"<an>", b"<od", b"odd", b"dd>", b"<odd", b"odd>", *(b"<fi", b"fil", b"ilm", b"lm>")]
    expected = [crc32(gram) % (1 << 20) for gram in grams] + [crc32(gram, 1) % (1 << 20) for gram in within]
    assert tokenizer.encode("An odd film", len(expected)) == [FIRST + number for number in expected]
    assert NGrams(9, (2, 3), None, True).encode("one", 9) == []
    assert tokenizer.tokens([FIRST + 3]) == ["bucket 3"]


@every_kind
def test_a_tokenizer_is_read_as_written(tokenizer):
    content = json.loads(json.dumps({"kind": tokenizer.kind, **tokenizer.as_json()}))
    read = tokenizers.read(Fields(content, "bundle.json"), tokenizer.vocabulary)
    assert read == tokenizer and hash(read) == hash(tokenizer)
    assert read.encode("a film 中", 99) == tokenizer.encode("a film 中", 99)


NGRAMS = {"kind": "ngrams", "buckets": 9, "words": [1, 2], "characters": None, "lowercase": True}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"kind": "words"}, "lowercase is missing"),
        ({"kind": "wordpiece", "lowercase": 1}, "lowercase: expected bool, received int"),
        ({"kind": "sentencepiece"}, "this tkit-edge knows bytes, known_ngrams, ngrams, wordpiece, words"),
        ({**NGRAMS, "buckets": 0}, "buckets: expected at least 1, received 0"),
        ({**NGRAMS, "buckets": 1 << 25}, "buckets: expected at most 16777216"),
        ({**NGRAMS, "buckets": 9.0}, "buckets: expected int, received float"),
        ({**NGRAMS, "words": None}, "words: expected list, received NoneType"),
        ({**NGRAMS, "words": [2, 1]}, r"words: expected the fewest and the most, from 1 to 5; received \[2, 1\]"),
        ({**NGRAMS, "words": [1, 6]}, "from 1 to 5"),
        ({**NGRAMS, "words": [True, 2]}, "from 1 to 5"),
        ({**NGRAMS, "characters": [0, 3]}, "characters: expected the fewest and the most, from 1 to 10"),
        ({**NGRAMS, "characters": [[]] * 999}, "characters: expected"),
        ({**NGRAMS, "characters": 3}, "characters: expected list or NoneType, received int"),
    ],
)
def test_a_wrong_description_is_refused(content, message):
    vocabulary = () if content["kind"] == "ngrams" else ("a",)
    with pytest.raises(InputError, match=message):
        tokenizers.read(Fields(content, "bundle.json"), vocabulary)


@pytest.mark.parametrize("kind", ["words", "wordpiece"])
@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        ((), "expected 1 to 1,000,000 tokens, received 0"),
        (range(MAX_TOKENS + 1), "received 1,000,001"),
        (("a", 3), "token 2 is of type int, expected str"),
        (("a", ""), "token 2 is empty"),
        (("a\n",), "token 1 has white space"),
        (("a\u2028b",), "token 1 has white space"),
        (("a b",), "token 1 has white space: 'a b'"),
        (("\ud800",), "token 1 has a surrogate"),
        (("é" * 128,), "token 1 has 256 bytes, expected at most 255"),
        (("a", "b", "a"), "expected each token once, 'a' is there 2 times"),
    ],
    ids=lambda value: None if isinstance(value, str) else repr(value)[:9],
)
def test_a_wrong_vocabulary_is_refused(kind, vocabulary, message):
    with pytest.raises(InputError, match=f"bundle.json: vocabulary: .*{message}"):
        tokenizers.read(Fields({"kind": kind, "lowercase": True}, "bundle.json"), vocabulary)


@pytest.mark.parametrize("content", [NGRAMS, {"kind": "bytes", "lowercase": True}], ids=lambda content: content["kind"])
def test_a_vocabulary_is_refused_where_there_is_none(content):
    with pytest.raises(InputError, match=f"the kind {content['kind']} has no vocabulary, received 1 token"):
        tokenizers.read(Fields(content, "bundle.json"), ("a",))


def test_known_ngrams_are_those_of_the_vocabulary_once_each_words_first():
    tokenizer = KnownNGrams(("art", "\u2581art", "\u2581art\u2581deco", "<ar", "\u2581party"), (1, 2), (3, 3), True)
    assert tokenizer.tokens(tokenizer.encode("Art deco art!", 99)) == ["\u2581art", "\u2581art\u2581deco", "<ar", "art"]
    assert tokenizer.tokens(tokenizer.encode("party", 99)) == ["\u2581party", "art"]
    assert tokenizer.encode("nothing", 99) == []
