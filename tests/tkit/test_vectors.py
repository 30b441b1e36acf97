"""A model of texts that begins with somebody's word vectors."""

import numpy as np
import pytest

from tkit.models import Spec, Statistics
from tkit.models.cnn import CNN
from tkit.models.fasttext import FastText
from tkit.training.vectors import begin_with
from tkit_edge.errors import InputError
from tkit_edge.inputs.text import Text
from tkit_edge.inputs.tokenizers import FIRST
from tkit_edge.inputs.tokenizers.bytes import Bytes
from tkit_edge.inputs.tokenizers.words import Words
from tkit_edge.tensors import TensorSpec

INPUT = Text(Words(("onion", "train", "caf\u00e9"), lowercase=True), 8)
SPEC = Spec(INPUT.tensors, (TensorSpec("logits", (2,), "float32"),), {}, INPUT.sizes)


@pytest.fixture
def model():
    return FastText(width=3).build(SPEC)


def test_words_that_the_file_has_begin_with_their_vectors(model, tmp_path):
    before = model.get_layer("token_embedding").get_weights()[0]
    (tmp_path / "glove.txt").write_text("the 9 9 9\ncaf\u00e9 1 -2.5 3e-1\ntrain 0 0 1\n", encoding="utf-8")
    found = begin_with(model, tmp_path / "glove.txt", INPUT)
    after = model.get_layer("token_embedding").get_weights()[0]
    assert (found.words, found.vocabulary) == (2, 3)
    np.testing.assert_allclose(after[FIRST + 2], [1, -2.5, 0.3])
    assert np.array_equal(after[FIRST], before[FIRST])
    assert np.array_equal(after[:FIRST], before[:FIRST])


def test_the_line_that_counts_them_is_passed_over(model, tmp_path):
    (tmp_path / "w2v.txt").write_text("2 3\ntrain 0 0 1\n")
    assert begin_with(model, tmp_path / "w2v.txt", INPUT).words == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train 1 2\n", r"line 1 has 2 numbers, the model's tokens have 3: set model\.width=2"),
        ("train 1 nan 3\n", "line 1 has 3 numbers"),
        ("onion 1 2 3\ntrain a b c\n", "line 2: expected a word and its numbers"),
        ("zug 1 2 3\n", "has none of the 3 words of the vocabulary"),
    ],
)
def test_a_file_that_does_not_fit_is_one_message(model, tmp_path, text, message):
    (tmp_path / "vectors.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        begin_with(model, tmp_path / "vectors.txt", INPUT)


def test_what_has_no_words_or_no_tokens_is_refused(model, tmp_path):
    with pytest.raises(InputError, match="Cannot read"):
        begin_with(model, tmp_path / "none.txt", INPUT)
    with pytest.raises(InputError, match="needs texts whose tokenizer has a vocabulary"):
        begin_with(model, tmp_path / "none.txt", Text(Bytes(lowercase=True), 8))
    images = CNN(depth=1, width=2).build(Spec.of_images((8, 8, 1), 2, Statistics(0.0, 1.0)))
    with pytest.raises(InputError, match="a layer called 'token_embedding', and cnn has none"):
        begin_with(images, tmp_path / "none.txt", INPUT)
