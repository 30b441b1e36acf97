"""Constants that are stored without their zeros: TensorFlow's converter writes them, LiteRT reads them."""

import numpy as np
import pytest

from tkit_edge import anatomy, flatbuffer, runtime
from tkit_edge.errors import InputError
from tkit_edge.graph import macs, parameters, unpacked_from, values
from tkit_edge.sparse import Level, Sparsity, dense


def test_the_values_are_those_of_the_same_file_with_its_zeros(made, originals):
    whole, sparse = ((made / f"{name}.tflite").read_bytes() for name in ("pruned", "sparse"))
    first, second = flatbuffer.read(whole), flatbuffer.read(sparse)
    kernels = {tensor.shape: values(tensor) for tensor in first.tensors if len(tensor.data)}
    stored = [second.tensors[number] for number in set(unpacked_from(second).values())]
    assert sorted(tensor.shape for tensor in stored) == [(1, 3, 3, 4), (4, 3, 3, 3), (5, 64)]
    for tensor in stored:
        assert tensor.sparsity is not None
        assert len(tensor.data) < 4 * tensor.size
        np.testing.assert_array_equal(values(tensor), kernels[tensor.shape])
    assert macs(first) == macs(second)
    assert parameters(first) == parameters(second)
    answers = [runtime.Model(data).predict(originals[0]) for data in (whole, sparse)]
    np.testing.assert_array_equal(*answers)


def test_the_zeros_that_are_not_stored_are_counted(made):
    found = anatomy.dissect((made / "sparse.tflite").read_bytes())
    shares = {item.shape: item.sparsity for item in found.stored if item.kind == "weights"}
    assert shares[5, 64] == pytest.approx(0.75, abs=0.01)
    assert found.arithmetic == "float32"
    micro = next(item for item in found.runtimes if item.runtime == "TFLite Micro")
    assert (micro.runs, micro.why) == (False, "has no DENSIFY")


def indices(*numbers):
    return np.array(numbers, np.uint8)


ROWS = Level(4, None, None)
MATRIX = Sparsity((0, 1), (), (ROWS, Level(0, indices(0, 1, 1, 3, 3), indices(2, 0, 1))))


def test_rows_and_blocks_by_hand():
    np.testing.assert_array_equal(
        dense(np.array([5, 6, 7]), (4, 3), MATRIX, "w"), [[0, 0, 5], [0, 0, 0], [6, 7, 0], [0, 0, 0]]
    )
    two = Level(2, None, None)
    blocks = Sparsity((0, 1, 2, 3), (0, 1), (two, Level(0, indices(0, 1, 1), indices(1)), two, two))
    expected = np.zeros((4, 4))
    expected[:2, 2:] = [[1, 2], [3, 4]]
    np.testing.assert_array_equal(dense(np.arange(1, 5), (4, 4), blocks, "w"), expected)
    columns_first = Sparsity((1, 0), (), (Level(3, None, None), Level(0, indices(0, 1, 2, 3), indices(3, 3, 0))))
    expected = [[0, 0, 7], [0, 0, 0], [0, 0, 0], [5, 6, 0]]
    np.testing.assert_array_equal(dense(np.array([5, 6, 7]), (4, 3), columns_first, "w"), expected)


@pytest.mark.parametrize(
    ("shape", "sparsity", "message"),
    [
        ((4, 3), MATRIX._replace(order=(0, 0)), "2 levels for 2 dimensions and 0 blocks"),
        ((4, 3, 1), MATRIX, "2 levels for 3 dimensions"),
        ((4, 3), MATRIX._replace(blocks=(5,)), "and 1 blocks"),
        ((4, 2**30), MATRIX, "more than any kernel has"),
        ((5, 3), MATRIX, "a dense level of 4 for a dimension of 5"),
        ((4, 2), MATRIX, "indices from 0 to 2 in a dimension of 2"),
        ((4, 3), Sparsity((0, 1), (), (ROWS, Level(0, indices(0, 2, 1, 3, 3), indices(2, 0, 1)))), "segments"),
        ((4, 3), Sparsity((0, 1), (), (ROWS, Level(0, indices(0, 1, 1, 3), indices(2, 0, 1)))), "into 4 rows"),
        ((4, 3), Sparsity((0, 1), (), (ROWS, Level(0, indices(0, 0, 0, 1, 1), indices(2)))), "3 values for 1 places"),
        ((2**13, 2**13), Sparsity((0, 1), (), (Level(2**13, None, None),) * 2), "dense level of 8192 for a"),
        ((4, 3), Sparsity((0, 1, 2), (1,), (ROWS, *MATRIX.levels)), "blocks of 0 in a dimension of 3"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(shape, sparsity, message):
    with pytest.raises(InputError, match=rf"sparse tensor 'w' has .*{message}"):
        dense(np.array([5, 6, 7], np.int8), shape, sparsity, "w")
