"""Texts as training batches: of like length, pure in (seed, epoch, step), and only as long as they need to be."""

import numpy as np
import pytest
import tensorflow as tf

from tkit_edge.inputs.text import Text
from tkit_edge.inputs.tokenizers import FIRST, PAD, START, UNKNOWN
from tkit_pipelines import cache, token_cache
from tkit_pipelines.batches import Batches, in_order
from tkit_pipelines.data.texts import Texts
from tkit_pipelines.tokenizers.words import Words


def one_hot(columns):
    return tf.one_hot(columns["label"], 3)


@pytest.fixture(scope="module")
def data():
    return Texts(source="sentences", length=24, batch_size=16, tokenizer=Words(min_count=1))


@pytest.fixture(scope="module")
def splits(data):
    return data.load(seed=0)


def test_a_text_is_its_start_its_words_and_padding(splits):
    tokens = splits.train.columns["tokens"]
    assert tokens.dtype == np.int32
    assert tokens.shape == (len(splits.train), 24)
    assert (tokens[:, 0] == START).all()
    lengths = np.count_nonzero(tokens != PAD, axis=1)
    assert len(set(lengths)) > 3
    assert all((row[length:] == PAD).all() for row, length in zip(tokens, lengths, strict=True))
    assert (tokens[:, 1:] != START).all()


def test_only_training_texts_teach_the_vocabulary(data, splits):
    assert (splits.train.columns["tokens"] != UNKNOWN).all()
    assert (splits.test.columns["tokens"] == UNKNOWN).any()
    again = data.load(seed=0)
    assert again.input == splits.input
    assert data.load(seed=1).input != splits.input


def test_a_model_that_is_there_keeps_its_vocabulary(data, splits):
    known = Text(Words(min_count=1).learn(["onions and butter"]), 8)
    found = data.load(seed=0, known=known)
    assert found.input is known
    assert found.train.columns["tokens"].shape[1] == 8
    assert found.train.columns["tokens"].max() == FIRST + 2


def test_batches_hold_texts_of_like_length_and_no_more_padding_than_the_longest_needs(data, splits):
    batches = Batches(splits.train, data, one_hot, seed=0)
    widths, wasted = set(), []
    for step in range(batches.steps_per_epoch):
        tokens, labels = batches.batch(0, step)
        assert labels.shape == (16, 3)
        longest = int(tf.reduce_max(tf.math.count_nonzero(tokens, axis=1)))
        assert longest <= tokens.shape[1] < longest + 3  # lengths are multiples of 24 / 8
        widths.add(tokens.shape[1])
        wasted.append(float(tf.reduce_mean(tf.cast(tokens == PAD, tf.float32))))
    assert 1 < len(widths) <= 8
    assert np.mean(wasted) < 0.25 < np.mean(splits.train.columns["tokens"] == PAD)


def test_an_epoch_has_each_text_once_in_an_order_of_its_own(data, splits):
    batches = Batches(splits.train, data, one_hot, seed=0)
    orders = [np.ravel(batches._order(epoch)) for epoch in (0, 1)]
    for order in orders:
        assert len(set(order)) == len(order) == batches.steps_per_epoch * 16
    assert (orders[0] != orders[1]).any()
    widths = [batches.batch(0, step)[0].shape[1] for step in range(batches.steps_per_epoch)]
    assert widths != sorted(widths)  # short and long ones come in no order


def test_a_batch_is_the_same_wherever_training_began(splits):
    data = Texts(source="sentences", length=24, batch_size=16, tokenizer=Words(min_count=1), word_dropout=0.3)
    batches = Batches(splits.train, data, one_hot, seed=0)
    whole = list(batches.dataset(0, 0).take(batches.steps_per_epoch + 3))
    late = list(Batches(splits.train, data, one_hot, seed=0).dataset(1, 1).take(2))
    for (tokens, labels), (others, targets) in zip(whole[-2:], late, strict=True):
        assert np.array_equal(tokens, others)
        assert np.array_equal(labels, targets)
    assert np.array_equal(whole[5][0], batches.batch(0, 5)[0])


def test_word_dropout_makes_words_unknown_and_leaves_starts_and_padding(splits):
    plain, dropped = (
        Batches(
            splits.train,
            Texts(source="sentences", length=24, batch_size=256, word_dropout=rate),
            one_hot,
            seed=0,
        )
        .batch(0, 0)[0]
        .numpy()
        for rate in (0.0, 0.3)
    )
    changed = plain != dropped
    assert (dropped[changed] == UNKNOWN).all()
    assert not changed[plain == PAD].any()
    assert not changed[:, 0].any()
    words = (plain != PAD) & (plain != START)
    assert 0.2 < changed.sum() / words.sum() < 0.4


def test_batches_for_a_model_of_one_length_are_of_that_length(data, splits):
    batches = Batches(splits.train, data.fixed(), one_hot, seed=0)
    assert {batches.batch(0, step)[0].shape[1] for step in range(4)} == {24}


def test_all_texts_come_in_order_for_validation(data, splits):
    found = np.concatenate([tokens for tokens, _ in in_order(splits.test, data, one_hot, 32)])
    assert np.array_equal(found, splits.test.columns["tokens"])


def test_where_a_text_came_from_is_known(splits):
    text = splits.test.encoded(3).decode()
    assert np.array_equal(splits.input.read(text)["tokens"], splits.test.columns["tokens"][3])
    assert "line" in splits.test.file(3)


def test_what_takes_long_to_encode_is_encoded_once(data, splits, monkeypatch, tmp_path):
    monkeypatch.setenv("TKIT_CACHE", str(tmp_path))
    data.load(seed=0)
    assert not (tmp_path / "decoded").exists()  # quick enough
    monkeypatch.setattr(token_cache, "WORTH", 0.0)
    data.load(seed=0)
    (entry,) = cache.held()
    assert (entry.source, entry.shape, entry.images) == ("sentences", (24,), 420)
    monkeypatch.setattr(Text, "encoded_texts", lambda self, texts: pytest.fail("encoded again"))
    again = data.load(seed=0)
    assert np.array_equal(again.test.columns["tokens"], splits.test.columns["tokens"])
    monkeypatch.undo()
    monkeypatch.setenv("TKIT_CACHE", str(tmp_path))
    path = entry.folder / "tokens.npy"
    damaged = bytearray(path.read_bytes())
    damaged[-5] ^= 1
    path.write_bytes(damaged)
    assert np.array_equal(data.load(seed=0).test.columns["tokens"], splits.test.columns["tokens"])
