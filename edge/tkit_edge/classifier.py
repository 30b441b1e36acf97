"""An exported classifier in a program of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.outputs import DEFAULT_TOP
from tkit_edge.outputs.classes import Score
from tkit_edge.runtime import Model
from tkit_edge.tensors import Arrays, bound


class Classifier:
    """Images in, likeliest classes out. The model runs in this process; its file's digest is checked first.

    Args:
        bundle: the folder that `tkit export` wrote.
        format: which of its files; int8 where there is one, by default.
        threads: how many the kernels may use.
        kernels: "xnnpack", "builtin" or "reference".

    Raises:
        InputError: no whole bundle, one that isn't a classifier's, or a file that this runtime can't run.

    Example:
        >>> from tkit_edge import Classifier
        >>> model = Classifier("export", threads=4)
        >>> print(model.predict("cat.jpg")[0])
        Score(label='cat', probability=0.93)
    """

    def __init__(
        self, bundle: str | Path, format: str | None = None, *, threads: int = 1, kernels: str = "xnnpack"
    ) -> None:
        self.bundle = Bundle.read(bundle)
        self.output = self.bundle.classes
        self.format = format or self.bundle.default_format
        model = Model(self.bundle.path(self.format), threads, kernels)
        self._run = bound(model, self.bundle.input.tensors, self.output.tensors)

    def probabilities(self, item: str | Path | bytes | np.ndarray) -> np.ndarray:
        """The probability of each class, float32 [classes], in the order of `bundle.labels`.

        Args:
            item: a file's path or bytes, or a decoded image: uint8 [height, width] or [height, width, 1, 3 or 4], of
                any size, RGB (OpenCV gives BGR: `frame[..., ::-1]`).
        """
        return self.output.probabilities(self._outputs(item))[0]

    def predict(self, item: str | Path | bytes | np.ndarray, top: int = DEFAULT_TOP) -> list[Score]:
        """The likeliest classes, the likeliest first; `item` as `probabilities` takes it.

        Raises:
            InputError: nothing that can be read, a wrong `top`, or a model whose outputs are not finite.
        """
        if top < 1:
            raise InputError(f"top: expected at least 1, received {top}.")
        (answer,) = self.output.answers(self._outputs(item), top)
        if isinstance(answer, str):
            raise InputError(answer)
        return list(answer.classes)

    def _outputs(self, item: str | Path | bytes | np.ndarray) -> Arrays:
        return self._run({name: array[None] for name, array in self.bundle.input.read(item).items()})
