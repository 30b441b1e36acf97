"""Texts on the device: what names one, how a golden sentence is checked, and a vocabulary that isn't the bundle's."""

import hashlib
import io
import json
import sys

import numpy as np
import pytest

from tkit_edge.__main__ import main
from tkit_edge.bundle import Bundle
from tkit_edge.bundle_writing import write
from tkit_edge.check import check, check_inputs
from tkit_edge.errors import InputError
from tkit_edge.inputs.text import SHOWN, Text
from tkit_edge.inputs.tokenizers import FIRST, PAD, START, UNKNOWN
from tkit_edge.inputs.tokenizers.words import Words
from tkit_edge.outputs.classes import Classes

SENTENCES = ["a good film", "a bad film", "good good good", "what is this"]
INPUT = Text(Words(("film", "good", "bad", "a"), lowercase=True), 6)


@pytest.fixture(scope="module")
def model():
    """int32 [1, 6] to two logits: how many are "bad", how many are "good"."""
    tf = pytest.importorskip("tensorflow")

    @tf.function(input_signature=[tf.TensorSpec([1, 6], tf.int32, name="tokens")])
    def count(tokens):
        sums = [tf.reduce_sum(tf.cast(tokens == FIRST + number, tf.float32), axis=1) for number in (2, 1)]
        return {"logits": tf.stack(sums, axis=1)}

    converter = tf.lite.TFLiteConverter.from_concrete_functions([count.get_concrete_function()])
    return converter.convert()


@pytest.fixture
def bundle(model, tmp_path):
    tokens = INPUT.encoded_texts(SENTENCES)
    return write(
        tmp_path / "bundle",
        task="text-classification",
        input=INPUT,
        output=Classes(("bad", "good")),
        models={"float32": model},
        examples={"tokens": tokens},
        targets={"label": np.array([1, 0, 1, 0], np.int32)},
        encoded=[text.encode() for text in SENTENCES],
    )


def test_a_text_is_cut_or_filled_up_to_the_length():
    tokens = INPUT.read("A good FILM")["tokens"]
    assert tokens.tolist() == [START, FIRST + 3, FIRST + 1, FIRST, PAD, PAD]
    assert INPUT.read("good " * 99)["tokens"].tolist() == [START, *[FIRST + 1] * 5]
    assert INPUT.read("")["tokens"].tolist() == [START, *[PAD] * 5]
    assert INPUT.read(b"\xff good")["tokens"].tolist()[-3:] == [PAD] * 3
    assert INPUT.read("unheard")["tokens"][1] == UNKNOWN


def test_the_bundle_has_its_vocabulary_and_golden_sentences(bundle):
    assert (bundle.folder / "vocabulary.txt").read_text() == "film\ngood\nbad\na\n"
    assert bundle.encoded(1).read_text() == "a bad film"
    read = Bundle.read(bundle.folder)
    assert read.input == INPUT
    assert not check(read)[0].failed
    assert check_inputs(read).line() == "texts 4 of 4 read as expected: ok"


def test_another_vocabulary_is_refused(bundle):
    path = bundle.folder / "vocabulary.txt"
    path.write_text("film\nbad\ngood\na\n")
    with pytest.raises(InputError, match=r"vocabulary\.txt is not the vocabulary that .*bundle\.json describes"):
        Bundle.read(bundle.folder)
    path.unlink()
    with pytest.raises(InputError, match=r"Cannot read .*vocabulary\.txt"):
        Bundle.read(bundle.folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"length": 1}, "length: expected at least 2"),
        ({"length": "6"}, "length: expected int"),
        (
            {"tokenizer": {"kind": "sentencepiece"}},
            "knows bytes, known_ngrams, ngrams, wordpiece, words",
        ),
        ({"vocabulary": {"file": "../../etc/passwd", "sha256": ""}}, "expected a file's plain name"),
        ({"vocabulary": None}, "vocabulary"),
        ({"vocabulary": {"file": "bundle.json", "sha256": "0" * 64}}, "is not the vocabulary"),
    ],
)
def test_a_bundle_that_says_something_else_is_one_message(bundle, change, message):
    path = bundle.folder / "bundle.json"
    document = json.loads(path.read_text())
    document["input"].update(change)
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match=message):
        Bundle.read(bundle.folder)


def test_sentences_files_folders_and_standard_input_are_predicted(bundle, tmp_path, capsys, monkeypatch):
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "one.txt").write_text("bad bad")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"good\r\nschlecht: bad\n")))
    assert (
        main(["predict", str(bundle.folder), "a good film", str(tmp_path / "texts"), "-", "--json", "--top", "1"]) == 0
    )
    found = json.loads(capsys.readouterr().out)["predictions"]
    assert [item["classes"][0]["label"] for item in found] == ["good", "bad", "good", "bad"]
    assert [item["text"] for item in found] == [
        "a good film",
        str(tmp_path / "texts" / "one.txt"),
        "good",
        "schlecht: bad",
    ]


def test_a_long_text_is_shown_by_its_start(bundle, capsys):
    assert main(["predict", str(bundle.folder), "good\nand\tbad " * 1000]) == 0
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert len(line) < SHOWN + 40


def test_an_image_is_no_text(bundle, tmp_path, capsys):
    image = tmp_path / "cat.png"
    image.write_bytes(b"\x89PNG")
    assert main(["predict", str(bundle.folder), str(image)]) == 2
    assert "cat.png is an image; this model takes texts" in capsys.readouterr().err
    (tmp_path / "a.csv").write_text("x")
    assert main(["predict", str(bundle.folder), str(tmp_path / "a.csv")]) == 2
    assert "is a file, but no .txt file" in capsys.readouterr().err


def test_a_golden_sample_needs_its_text(model, tmp_path):
    with pytest.raises(InputError, match="needs the text itself"):
        write(
            tmp_path / "bundle",
            task="text-classification",
            input=INPUT,
            output=Classes(("bad", "good")),
            models={"float32": model},
            examples={"tokens": INPUT.encoded_texts(SENTENCES)},
            targets={"label": np.zeros(4, np.int32)},
        )


def test_a_damaged_vocabulary_with_its_own_digest_reads_or_is_one_message(bundle):
    path, described = bundle.folder / "vocabulary.txt", bundle.folder / "bundle.json"
    whole, document = path.read_bytes(), json.loads(described.read_text())
    chance, refused = np.random.default_rng(0), 0
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(chance.integers(1, 4)):
            at = int(chance.integers(0, len(damaged)))
            damaged[at : at + int(chance.integers(0, 3))] = chance.integers(
                0, 256, chance.integers(0, 4), np.uint8
            ).tobytes()
        path.write_bytes(damaged)
        document["input"]["vocabulary"]["sha256"] = hashlib.sha256(damaged).hexdigest()
        described.write_text(json.dumps(document))
        try:
            found = Bundle.read(bundle.folder).input
        except InputError:
            refused += 1
            continue
        tokens = found.read("a good \ufffd film")["tokens"]
        assert tokens.max() < found.tokenizer.size
    assert 20 < refused < 200


@pytest.mark.parametrize("size", [70_000_000, 0])
def test_a_vocabulary_of_no_sensible_size_is_refused(bundle, size):
    path, described = bundle.folder / "vocabulary.txt", bundle.folder / "bundle.json"
    path.write_bytes(b"a" * size)
    document = json.loads(described.read_text())
    document["input"]["vocabulary"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    described.write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"expected at most 67,108,864|expected a token per line"):
        Bundle.read(bundle.folder)
