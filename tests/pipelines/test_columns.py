"""Examples are named columns: copied, left where they are, told apart, and fed by name."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import tensorflow as tf

from tkit_edge.inputs.tensors import Tensors
from tkit_pipelines.batches import Batches, in_order
from tkit_pipelines.data.arrays import DTYPES, Arrays
from tkit_pipelines.dataset import Examples, Rows, digest, labelled, shareable
from tkit_pipelines.splits import Splits

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (30, 4, 4, 3), dtype=np.uint8)
LABELS = np.arange(30, dtype=np.int32) % 3
WIDE = RANDOM.normal(size=(30, 5)).astype(np.float32)


def several():
    """Two inputs, of which row i holds i, and a number."""
    number = np.arange(30, dtype=np.float32)
    return Examples({"number": number / 2, "wide": WIDE + number[:, None], "one": np.arange(30)})


def test_examples_of_images_are_columns_with_names_of_their_own():
    examples = labelled(IMAGES, LABELS)
    assert examples.images is IMAGES and examples.labels is LABELS and len(examples) == 30
    assert list(examples.arrays(["image"])) == ["image"]


def test_taken_columns_are_aligned_copies_of_any_dtype():
    columns = {name: RANDOM.integers(0, 2, (30, 3)).astype(name) for name in DTYPES}
    taken = Examples(columns).take(np.array([4, 2]))
    for name, column in taken.columns.items():
        np.testing.assert_array_equal(column, columns[name][[4, 2]])
        assert column.dtype == name and shareable(column) is column


def test_a_view_leaves_large_columns_where_they_are():
    viewed = several().view(np.array([7, 3, 5])).view(np.array([2, 0]))
    assert isinstance(viewed.columns["wide"], Rows)
    assert viewed.columns["number"].tolist() == [2.5, 3.5] and viewed.columns["one"].tolist() == [5, 7]
    np.testing.assert_array_equal(viewed.take(np.array([1])).columns["wide"], WIDE[[7]] + 7)


def test_a_digest_is_of_all_labels_then_of_images_as_ever():
    parts = labelled(IMAGES, LABELS), labelled(IMAGES[:9], LABELS[:9])
    data = LABELS.tobytes() + IMAGES.tobytes() + LABELS[:9].tobytes() + IMAGES[:9].tobytes()
    assert digest(*parts) == hashlib.sha256(data).hexdigest()
    changed = Examples({**several().columns, "one": np.arange(1, 31)})
    assert digest(several()) == digest(several()) != digest(changed)


@pytest.mark.parametrize("placed", ["taken", "viewed"])
def test_several_inputs_are_fed_by_name_beside_what_encode_makes(placed):
    examples = several().take(np.arange(30)) if placed == "taken" else several().view(np.arange(30)[::-1])
    data = Arrays(source="x.npz", targets="y", labels="numbers", batch_size=8)
    made = Batches(examples, data, lambda columns: columns["number"][:, None] * 2, seed=3)
    x, y = made.batch(0, 1)
    assert x["wide"].shape == (8, 5) and x["one"].dtype == tf.int64 and y.shape == (8, 1)
    np.testing.assert_array_equal(y[:, 0], x["one"])
    np.testing.assert_array_equal(x["wide"], several().columns["wide"][x["one"].numpy()])
    again = next(iter(made.dataset(0, 1)))
    np.testing.assert_array_equal(again[0]["wide"], x["wide"])
    parts = list(in_order(examples, data, lambda columns: columns["number"]))
    assert [len(part) for _, part in parts] == [8, 8, 8, 6]
    np.testing.assert_array_equal(np.concatenate([part["one"] for part, _ in parts]), examples.columns["one"])


def test_columns_are_fed_in_their_own_dtype():
    columns = {name: RANDOM.integers(0, 2, (30, 3)).astype(name) for name in DTYPES}
    (x,) = next(iter(in_order(Examples(columns), Arrays(source="x.npz", batch_size=30), dict)))
    for name, column in columns.items():
        assert x[name].dtype == name
        np.testing.assert_array_equal(x[name], column)


def test_data_without_a_target_is_fed_alone():
    data = Arrays(source="x.npz", batch_size=8)
    examples = Examples({"wide": WIDE})
    for dataset in (Batches(examples, data, dict, seed=0).dataset(), in_order(examples, data, dict)):
        (x,) = next(iter(dataset))
        assert x.shape == (8, 5)


def test_equal_rows_of_tables_and_sizes_of_numbers_are_no_remark():
    examples = several()
    splits = Splits(examples, examples, examples, (), Tensors(()), "x")
    assert splits.remarks() == []
