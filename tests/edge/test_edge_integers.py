"""Tensors of integers are compared by their values, whatever their type can't hold."""

import numpy as np

from tkit_edge.inputs.tensors import Tensors as TensorsIn
from tkit_edge.outputs.tensors import Tensors as TensorsOut
from tkit_edge.tensors import TensorSpec


def test_large_integers_that_differ_by_one_are_not_the_same_input():
    ids = TensorsIn((TensorSpec("ids", (2,), "int64"),))
    expected, read = {"ids": np.int64([2**60, 1])}, {"ids": np.int64([2**60 + 1, 1])}
    assert ids.difference(expected, expected, ".npz") == (0, False)
    assert ids.difference(expected, read, ".npz") == (1, True)


def test_the_lowest_int8_is_the_largest_value():
    codes = TensorsOut((TensorSpec("codes", (2,), "int8"),))
    reference, outputs = {"codes": np.int8([[-128, 0], [0, 0]])}, {"codes": np.int8([[-127, 0], [0, 0]])}
    same, near = codes.agreement(reference, outputs)
    assert same.tolist() == near.tolist() == [True, True]
    outcome = codes.compared(reference, outputs, {"codes": 0.0})
    assert (outcome.max_difference, outcome.failed) == (1 / 128, ())
