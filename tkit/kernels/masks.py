"""Which weights are pruned, and when."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from tkit.kernels.viewed import kernel_of
from tkit.plan import Plan

FREQUENCY = 100
"""Minimum number of training steps between two updates of the masks."""
RISE = 0.5
"""Share of fine-tuning during which sparsity rises; during the rest the remaining weights recover."""


class Masks:
    """The rule that derives masks from kernels.

    Args:
        sparsity: target share of zeros.
        pattern: (N, M) for N:M, which determines the sparsity.
        block: inputs x outputs that are kept or pruned together.
        together: one threshold for all layers.
    """

    def __init__(
        self, sparsity: float, pattern: tuple[int, int] | None, block: tuple[int, int], together: bool
    ) -> None:
        self.sparsity, self.pattern, self.block, self.together = sparsity, pattern, block, together

    @property
    def size(self) -> str:
        """N:M, or the block as `4x1`."""
        return f"{self.pattern[0]}:{self.pattern[1]}" if self.pattern else f"{self.block[0]}x{self.block[1]}"

    def fits(self, layer: keras.layers.Layer) -> bool:
        """Whether the groups or blocks divide a layer's kernel."""
        rows, columns = as_matrix(layer, kernel_of(layer).numpy()).shape
        group = self.pattern[1] if self.pattern else self.block[0]
        return rows % group == 0 and columns % self.block[1] == 0

    def make(self, layers: Sequence[keras.layers.Layer], share: float) -> list[np.ndarray]:
        """One mask per layer, float32 of its kernel's shape, with `share` of the final sparsity."""
        matrices = [np.abs(as_matrix(layer, layer.raw.numpy())).astype(np.float64) for layer in layers]
        if self.pattern:
            masks = [_n_of_m(matrix, *self.pattern) if share >= 1 else np.ones_like(matrix) for matrix in matrices]
        else:
            scores = [_blocks(matrix, self.block) for matrix in matrices]
            if self.together:
                sizes = [score.size for score in scores]
                joined = np.concatenate([_lamp(score) for score in scores])
                kept = np.split(_largest(joined, self.sparsity * share), np.cumsum(sizes)[:-1])
            else:
                kept = [_largest(score.ravel(), self.sparsity * share) for score in scores]
            masks = [
                np.kron(mask.reshape(score.shape), np.ones(self.block))
                for mask, score in zip(kept, scores, strict=True)
            ]
        return [from_matrix(layer, mask).astype(np.float32) for layer, mask in zip(layers, masks, strict=True)]


class MaskPlan(Plan):
    """Updates the masks as sparsity rises; a pure function of the weights and the step.

    Args:
        masks: the rule.
        layers: those that are trained.
        nonzero: of each, where the weights are not yet 0; zeros stay zeros.
        total: steps of the fine-tuning.
        gradual: whether sparsity rises, or is at its target from the start.
    """

    def __init__(
        self,
        masks: Masks,
        layers: Sequence[keras.layers.Layer],
        nonzero: Sequence[np.ndarray],
        *,
        total: int,
        gradual: bool,
    ) -> None:
        self.masks, self.layers, self.nonzero = masks, layers, nonzero
        self.last = int(total * RISE) if gradual else 0

    def epoch_begins(self, step: int) -> None:
        """Sets the initial masks in the first epoch."""
        if step == 0:
            self._update(0)

    def after(self, begun: int, done: int) -> None:
        """Updates the masks when they are due."""
        every = max(1, min(FREQUENCY, self.last // 10))
        if begun < self.last and (begun // every < done // every or done >= self.last):
            self._update(done)

    def _update(self, step: int) -> None:
        progress = min(step / self.last, 1.0) if self.last else 1.0
        share = 1.0 - (1.0 - progress) ** 3
        made = self.masks.make(self.layers, share)
        new = [mask * nonzero for mask, nonzero in zip(made, self.nonzero, strict=True)]
        now = [layer.views["masked"].mask for layer in self.layers]
        # A model that is trained again, after a schedule that has ended, keeps its zeros.
        if sum(map(np.count_nonzero, new)) <= sum(np.count_nonzero(mask.numpy()) for mask in now):
            for mask, value in zip(now, new, strict=True):
                mask.assign(value)


def as_matrix(layer: keras.layers.Layer, kernel: np.ndarray) -> np.ndarray:
    """A kernel as [inputs of a filter, filters]; inputs that are adjacent in the exported file are adjacent."""
    if isinstance(layer, keras.layers.DepthwiseConv2D):  # [height, width, channels, multiplier]
        return kernel.reshape(-1, kernel.shape[2] * kernel.shape[3])
    if isinstance(layer, keras.layers.Conv2DTranspose):  # [height, width, out, in]
        kernel = np.moveaxis(kernel, 2, 3)
    return kernel.reshape(-1, kernel.shape[-1])


def from_matrix(layer: keras.layers.Layer, matrix: np.ndarray) -> np.ndarray:
    """The inverse of `as_matrix`."""
    shape = tuple(kernel_of(layer).shape)
    if isinstance(layer, keras.layers.Conv2DTranspose):
        height, width, filters, inputs = shape
        return np.moveaxis(matrix.reshape(height, width, inputs, filters), 3, 2)
    return matrix.reshape(shape)


def sparsity_of(layer: keras.layers.Layer) -> float:
    """The share of zeros of a kernel."""
    kernel = np.asarray(kernel_of(layer))
    return float(np.mean(kernel == 0))


def _blocks(matrix: np.ndarray, block: tuple[int, int]) -> np.ndarray:
    rows, columns = matrix.shape[0] // block[0], matrix.shape[1] // block[1]
    return matrix.reshape(rows, block[0], columns, block[1]).mean(axis=(1, 3))


def _largest(scores: np.ndarray, sparsity: float) -> np.ndarray:
    """1 for the largest scores, 0 for at least a share `sparsity` of all; ties by index."""
    mask = np.ones(len(scores))
    mask[np.argsort(scores, kind="stable")[: int(np.ceil(sparsity * len(scores)))]] = 0
    return mask


def _lamp(scores: np.ndarray) -> np.ndarray:
    """Each squared weight divided by the sum of its layer's squared weights that aren't smaller (LAMP)."""
    squares = scores.ravel() ** 2
    order = np.argsort(squares, kind="stable")
    above = np.cumsum(squares[order][::-1])[::-1]
    shares = np.empty_like(squares)
    shares[order] = squares[order] / np.maximum(above, 1e-30)
    return shares


def _n_of_m(matrix: np.ndarray, kept: int, of: int) -> np.ndarray:
    groups = matrix.reshape(-1, of, matrix.shape[1])
    ranks = np.argsort(np.argsort(-groups, axis=1, kind="stable"), axis=1, kind="stable")
    return (ranks < kept).astype(np.float64).reshape(matrix.shape)
