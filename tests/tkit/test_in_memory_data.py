"""What a user has in memory, before any model: pixels, labels, parts, and data sets that are read once."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from tkit.in_memory.labels import Outputs, targets
from tkit.in_memory.objects import digest_of, record, write_npz
from tkit.in_memory.parts import ONE_PASS, parts
from tkit.in_memory.pixels import eight_bit
from tkit_edge.errors import InputError
from tkit_edge.files import read_arrays

BYTES = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 1)).astype(np.uint8)
LABELS = np.arange(20) % 3


@pytest.mark.parametrize(
    ("range", "x"),
    [
        ("0-255", BYTES),
        ("0-255", BYTES.astype(np.float32)),
        ("0-255", BYTES.astype(np.int64)),
        ("0-1", BYTES / 255),
        ("0-1", (BYTES / 255).astype(np.float32)),
        ("-1-1", (BYTES / 127.5 - 1).astype(np.float32)),
    ],
)
def test_pixels_are_recognized_whatever_their_range_and_come_back_exactly(range, x):
    found = eight_bit([x[:5], x[5:]])
    assert found.range == range
    np.testing.assert_array_equal(np.concatenate(found.images), BYTES)
    assert found.images[0].dtype == np.uint8


@pytest.mark.parametrize(
    "x", [(BYTES - 100.0) / 50, BYTES / 16, BYTES * 2.0, np.where(BYTES.max() == BYTES, np.nan, BYTES), BYTES > 9]
)
def test_other_numbers_are_no_pixels(x):
    assert eight_bit([x]) is None


def test_the_parts_are_of_one_range():
    assert eight_bit([BYTES[:5] / 255, BYTES[5:] * 0.0]).range == "0-1"
    assert eight_bit([BYTES[:5] / 255, BYTES[5:]]) is None


def outputs(row, activation=None):
    return Outputs("the model", row, activation)


@pytest.mark.parametrize(
    "y",
    [
        LABELS,
        LABELS[:, None].astype(np.uint8),
        LABELS.astype(np.float32),
        keras.utils.to_categorical(LABELS),
        np.array(["a", "b", "c"])[LABELS],
    ],
)
def test_numbers_one_hot_rows_and_texts_are_the_same_classes(y):
    found = targets([y], None, ["a", "b", "c"], outputs(3))
    assert (found.labels, found.class_names) == ("classes", ("a", "b", "c"))
    np.testing.assert_array_equal(found.values[0], LABELS)


@pytest.mark.parametrize(
    ("y", "row", "activation", "labels"),
    [
        (np.array([0, 1, 1]), 1, "sigmoid", "classes"),
        (np.array([0.0, 1.0, 1.0]), 1, "sigmoid", "classes"),
        (np.array([0, 1, 1]), 1, None, "classes"),
        (np.array([0.0, 1.0, 1.0]), 1, None, "numbers"),
        (np.array([0, 7, 30]), 1, None, "numbers"),
        (np.array([0.5, 7, 30]), 1, None, "numbers"),
        (np.array([0, 2, 1]), 3, None, "classes"),
    ],
)
def test_what_labels_mean_follows_the_models_outputs(y, row, activation, labels):
    assert targets([y], None, None, outputs(row, activation)).labels == labels


def test_what_the_user_says_of_labels_counts():
    assert targets([np.array([0, 1])], "numbers", None, outputs(1)).labels == "numbers"
    assert targets([np.array([0.0, 1.0])], "classes", None, outputs(1)).class_names == ("0", "1")
    assert targets([np.array([0, 1])], "none", None, outputs(1)) == targets([], None, None, outputs(1))


def test_without_a_model_the_classes_are_the_labels_that_occur():
    found = targets([np.array([7, 3]), np.array([5])], "classes", None, None)
    assert found.class_names == ("3", "5", "7")
    assert [part.tolist() for part in found.values] == [[2, 0], [1]]


@pytest.mark.parametrize(
    ("y", "names", "row", "message"),
    [
        (np.array([0, 4]), None, 3, "labels 0 to 4: expected 0 to 2, as the model has 3 outputs"),
        (np.array([-1, 1]), None, 3, "labels -1 to 1"),
        (np.array([0, 4]), ["a", "b", "c"], 3, "one for each of class_names"),
        (np.array([0, 1]), ["a", "b"], 3, "class_names has 2 names: expected 3, as the model has 3 outputs"),
        (np.array([0, 1]), ["a", "b", "a"], 3, "a name twice"),
        (np.array(["a", "x"]), ["a", "b", "c"], 3, "the class 'x', which class_names lacks; it has a, b, c"),
        (np.array(["a", "x"]), None, 3, r"2 classes \(a, x ...\): expected 3"),
        (np.array([0.5, 1]), None, 3, "fractional numbers, .* as the model has 3 outputs"),
        (np.full((2, 3), 1 / 3), None, 3, r"float64 \[2, 3\]: expected one label per example, \[n\], or one-hot rows"),
        (np.array([0, np.nan]), None, 1, "y has NaN or infinite values, the first in row 1"),
        (np.array([0, 1]), None, None, "outputs that aren't one row.*leave y out"),
    ],
)
def test_labels_that_do_not_fit_are_told_with_both_sides(y, names, row, message):
    with pytest.raises(InputError, match=message):
        targets([y], None, names, outputs(row))


def whole(name, shape):
    return len(shape) == 3


def read(data):
    return {name: (part.x, part.y) for name, part in parts(data, whole).by_name.items()}


def test_two_pairs_are_train_and_test_as_keras_datasets_give_them_and_three_have_validation():
    assert list(read((BYTES, LABELS))) == ["train"]
    assert list(read(((BYTES, LABELS), (BYTES[:5], LABELS[:5])))) == ["train", "test"]
    three = read(((BYTES, LABELS), (BYTES[:3], LABELS[:3]), (BYTES[:5], LABELS[:5])))
    assert [(name, len(y)) for name, (_, y) in three.items()] == [("train", 20), ("validation", 3), ("test", 5)]
    assert list(read(((BYTES, LABELS), (BYTES, LABELS), None))) == ["train", "validation"]
    assert read(BYTES)["train"][1] is read((BYTES,))["train"][1] is None


def test_a_list_or_dict_of_arrays_is_several_inputs_and_a_list_of_numbers_or_texts_one():
    assert list(read(([BYTES, LABELS], LABELS))["train"][0]) == [0, 1]
    assert list(read(({"a": BYTES, "b": LABELS}, LABELS))["train"][0]) == ["a", "b"]
    (x,) = read(([[1, 2], [3, 4]], ["yes", "no"]))["train"][0].values()
    assert x.tolist() == [[1, 2], [3, 4]]
    (x,) = read((["one", "two"], [0, 1]))["train"][0].values()
    assert x.tolist() == ["one", "two"]


class Batches(keras.utils.PyDataset):
    def __init__(self, batches=4):
        super().__init__()
        self.batches = batches

    @property
    def num_batches(self):
        return self.batches

    def __getitem__(self, index):
        rows = slice(index * 5, index * 5 + 5)
        return BYTES[rows], LABELS[rows]


@pytest.mark.parametrize(
    "dataset",
    [
        lambda: tf.data.Dataset.from_tensor_slices((BYTES, LABELS)),
        lambda: tf.data.Dataset.from_tensor_slices((BYTES, LABELS)).batch(7),
        lambda: tf.data.Dataset.from_tensor_slices((BYTES[..., 0], LABELS)).batch(10, drop_remainder=True),
        lambda: Batches(),
    ],
)
def test_a_data_set_is_read_once_batched_or_not_and_that_is_said(dataset, capsys):
    def is_image(name, shape):
        return shape == (4, 4, 1)

    found = parts(dataset(), is_image)
    np.testing.assert_array_equal(found.by_name["train"].x[0].reshape(BYTES.shape), BYTES)
    np.testing.assert_array_equal(found.by_name["train"].y, LABELS)
    assert found.note == ONE_PASS
    assert f"20 examples, 0.0 MB; {ONE_PASS}" in " ".join(capsys.readouterr().err.split())


def once():
    examples = iter([(BYTES[0], 0), (BYTES[1], 1)])
    signature = tf.TensorSpec((4, 4, 1), tf.uint8), tf.TensorSpec((), tf.int32)
    return tf.data.Dataset.from_generator(lambda: examples, output_signature=signature)


def test_a_data_set_that_can_be_read_only_once_is_read_once_and_afterwards_is_refused():
    dataset = once()
    assert read(dataset)["train"][1].tolist() == [0, 1]
    with pytest.raises(InputError, match="gave nothing: it is empty, or could be read only once"):
        read(dataset)


def unending():
    def examples():
        while True:
            yield BYTES[0], 0

    signature = tf.TensorSpec((4, 4, 1), tf.uint8), tf.TensorSpec((), tf.int32)
    return tf.data.Dataset.from_generator(examples, output_signature=signature)


def growing():
    signature = tf.TensorSpec((None, 4), tf.float32), tf.TensorSpec((), tf.int32)
    return tf.data.Dataset.from_generator(
        lambda: iter([(np.zeros((rows, 4)), 0) for rows in (1, 2)]), output_signature=signature
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: tf.data.Dataset.from_tensor_slices((BYTES, LABELS)).repeat(), r"no end \(repeat\(\)\).*\.take\(n\)"),
        (lambda: Batches(None), "its num_batches is None"),
        (unending, r"hasn't ended: more than the RAM budget.*\.take\(n\)"),
        (lambda: tf.data.Dataset.from_tensor_slices(tf.ragged.constant([[1], [2, 3]])), "a RaggedTensor"),
        (growing, r"examples of different shapes, \[1, 4\] and \[2, 4\]"),
        (lambda: tf.data.Dataset.from_tensor_slices((BYTES, LABELS, LABELS)), r"tuples of 3: expected x or \(x, y\)"),
        (lambda: (tf.ragged.constant([[1], [2, 3]]), LABELS), "x is a RaggedTensor"),
        (lambda: ([[1], [2, 3]], [0, 1]), "x is no array of one shape"),
        (lambda: (np.array([{}, {}]), [0, 1]), "of objects: expected numbers or texts"),
        (lambda: (BYTES, LABELS[:4]), "20 of x, 4 of y"),
        (lambda: (BYTES[:0], LABELS[:0]), "x has no examples"),
        (lambda: (BYTES, LABELS, np.ones(20)), "tuple of 3: .*Weights of examples aren't recorded"),
        (lambda: ((BYTES, LABELS), (BYTES,)), "some have none"),
        (lambda: (None, (BYTES, LABELS)), "no training part"),
        (lambda: (item for item in BYTES), "data is a generator: expected a path or name, arrays"),
    ],
)
def test_what_cannot_be_read_is_told_with_what_to_do(data, message, monkeypatch):
    monkeypatch.setenv("TKIT_RAM", "0.000001")
    with pytest.raises(InputError, match=message):
        read(data())


def test_a_file_is_named_by_its_contents_and_written_once(tmp_path):
    arrays = {"file": np.arange(3), "a/b": np.eye(2)}
    digest = digest_of("", arrays)
    path = record(tmp_path, digest, "data.npz", lambda path: write_npz(path, arrays))
    assert record(tmp_path, digest, "data.npz", lambda path: pytest.fail("written twice")) == path
    found = read_arrays(path, "", None)
    assert found.keys() == arrays.keys() and all(np.array_equal(found[name], arrays[name]) for name in arrays)
    assert [item.name for item in path.parent.iterdir()] == ["data.npz"]
    others = [{"file": np.arange(4)}, {"file": np.arange(3.0)}, {"fill": np.arange(3)}, {"file": np.arange(3)[None]}]
    assert len({digest_of("", other) for other in [{"file": np.arange(3)}, *others]}) == 5
