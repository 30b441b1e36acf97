"""Finds each layer's kernel in an exported file by the tensors' values, because names don't survive the converter.

The converter renames and fuses operators, transposes kernels, and multiplies each output channel's weights by a factor
(folded batch normalization, a rescaling); those of a FULLY_CONNECTED also by a factor for each input. So a tensor
belongs to the layer whose kernel has the same direction in every channel. A layer that is called several times may have
several tensors, and layers with equal kernels may share one tensor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np

from tkit.kernels.masks import as_matrix
from tkit.kernels.viewed import kernel_of, with_kernels
from tkit_edge.graph import Graph, Tensor, unpacked_from, values

_OPERANDS = {  # input index of an operator's kernel
    "CONV_2D": (1,),
    "DEPTHWISE_CONV_2D": (1,),
    "TRANSPOSE_CONV": (1,),
    "CONV_3D": (1,),
    "FULLY_CONNECTED": (1,),
    "BATCH_MATMUL": (0, 1),
    "GATHER": (0,),
}
_TYPES = ("float32", "float16", "int8", "int4", "int16")  # the last one of embeddings, where activations have 16 bits
_FILTERS_LAST = ("DEPTHWISE_CONV_2D", "CONV_3D")
SCALED_INPUTS = ("FULLY_CONNECTED",)
"""Operators into whose kernel the converter multiplies one factor per input."""
_RESEMBLANCE = 0.5
"""Mean |cosine| above which a tensor is matched to a layer; unrelated kernels are far below."""
_TIE = 1e-6
_ROUNDS = 5


class FileKernel(NamedTuple):
    """A kernel in the file."""

    number: int
    """Index of its tensor in the graph."""
    tensor: Tensor
    matrix: np.ndarray
    """[inputs of a filter, filters]: the file's floats, or the codes of an integer kernel."""
    operator: str
    ours: np.ndarray
    """The layer's kernel in the same form, float32."""


class _Constant(NamedTuple):
    number: int
    tensor: Tensor
    matrix: np.ndarray
    operator: str


def kernels(graph: Graph, model: keras.Model) -> dict[str, list[FileKernel]]:
    """The kernels of each layer of `model` in its exported file; layers without one in the file are left out.

    Args:
        graph: the file's.
        model: the model that was exported. A kernel that was damaged in the export is still matched to its layer.
    """
    ours: dict[tuple[int, ...], dict[str, np.ndarray]] = defaultdict(dict)
    for layer in with_kernels(model):
        matrix = as_matrix(layer, np.asarray(kernel_of(layer)))
        ours[matrix.shape][layer.name] = matrix
    theirs: dict[tuple[int, ...], list[_Constant]] = defaultdict(list)
    for constant in _constants(graph):
        theirs[constant.matrix.shape].append(constant)
    found = {}
    for shape, matrices in ours.items():
        for name, constants in _matched(matrices, theirs[shape]).items():
            found[name] = [FileKernel(*constant, matrices[name]) for constant in constants]
    return found


def _constants(graph: Graph) -> Iterator[_Constant]:
    """Each constant that an operator uses as a kernel, once."""
    sources, seen = unpacked_from(graph), set()
    for operator in graph.operators:
        for place in _OPERANDS.get(operator.name, ()):
            index = sources.get(operator.inputs[place], operator.inputs[place])
            tensor = graph.tensors[index]
            if index not in seen and len(tensor.data) and tensor.dtype in _TYPES and len(tensor.shape) > 1:
                seen.add(index)
                yield _Constant(index, tensor, _matrix(operator.name, place, values(tensor)), operator.name)


def _matrix(operator: str, place: int, kernel: np.ndarray) -> np.ndarray:
    if operator in (*_FILTERS_LAST, "GATHER") or (operator == "BATCH_MATMUL" and place == 1):
        return kernel.reshape(-1, kernel.shape[-1])
    return kernel.reshape(kernel.shape[0], -1).T


def _matched(ours: dict[str, np.ndarray], theirs: list[_Constant]) -> dict[str, list[_Constant]]:
    """Matches kernels of one shape: each tensor to the layer that it resembles most, or to all that it resembles
    equally.

    A layer without a match gets a remaining tensor even if they hardly resemble each other: it must be damaged.
    """
    if not theirs:
        return {}
    alike = np.array([[_resemblance(constant, matrix) for matrix in ours.values()] for constant in theirs])
    owned = (alike >= alike.max(axis=1, keepdims=True) - _TIE) & (alike >= _RESEMBLANCE)
    for column in np.flatnonzero(~owned.any(axis=0)):
        left = np.flatnonzero(~owned.any(axis=1))
        if len(left):
            owned[left[alike[left, column].argmax()], column] = True
    found = {name: [theirs[row] for row in np.flatnonzero(column)] for name, column in zip(ours, owned.T, strict=True)}
    return {name: constants for name, constants in found.items() if constants}


def _resemblance(constant: _Constant, ours: np.ndarray) -> float:
    """The mean |cosine| of the columns of two kernels, 1 if they are equal up to one factor per column.

    Where inputs may be scaled, also up to one factor per row. A column of zeros may be a channel that was multiplied
    by 0.
    """
    theirs = constant.matrix.astype(np.float32)
    found = _cosine(theirs, ours)
    if constant.operator in SCALED_INPUTS and found < 1 - _TIE:
        found = max(found, _cosine(_balanced(theirs), _balanced(ours)))
    return found


def _cosine(theirs: np.ndarray, ours: np.ndarray) -> float:
    sizes = np.linalg.norm(theirs, axis=0), np.linalg.norm(ours, axis=0)
    products = np.abs(np.einsum("io,io->o", theirs, ours))
    cosines = np.divide(products, sizes[0] * sizes[1], out=np.zeros_like(products), where=products > 0)
    cosines[sizes[0] == 0] = np.where(sizes[1] == 0, 1.0, 0.5)[sizes[0] == 0]
    return float(cosines.mean())


def _balanced(matrix: np.ndarray) -> np.ndarray:
    """The matrix with rows and columns normalized alternately, which cancels any factors of rows and columns."""
    for _ in range(_ROUNDS):
        for axis in (0, 1):
            sizes = np.linalg.norm(matrix, axis=axis, keepdims=True)
            matrix = np.divide(matrix, sizes, out=np.zeros_like(matrix), where=sizes > 0)
    return matrix
