"""An exported model in a program of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.predict import DEFAULT_TOP, Score, default_format, likeliest, probabilities
from tkit_edge.runtime import Model


class Classifier:
    """Images in, likeliest classes out. The model runs in this process; its file's digest is checked first.

    Args:
        bundle: the folder that `tkit export` wrote.
        format: which of its files; int8 where there is one, by default.
        threads: how many the kernels may use.
        kernels: "xnnpack", "builtin" or "reference".

    Raises:
        InputError: no whole bundle, or a file that this runtime can't run.

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
        self.format = format or default_format(self.bundle)
        path = self.bundle.path(self.format)
        self._model = Model(path, threads, kernels)
        if self._model.outputs != len(self.bundle.labels):
            raise InputError(f"{path} has {self._model.outputs} outputs, bundle.json {len(self.bundle.labels)} labels.")

    def probabilities(self, image: str | Path | bytes | np.ndarray) -> np.ndarray:
        """The probability of each class, float32 [classes], in the order of `bundle.labels`.

        Args:
            image: a file's path or bytes, or a decoded image: uint8 [height, width] or [height, width, 1, 3 or 4], of
                any size, RGB (OpenCV gives BGR: `frame[..., ::-1]`).
        """
        return probabilities(self._model.predict(self.bundle.pixels(image)[None]), self.bundle.output)[0]

    def predict(self, image: str | Path | bytes | np.ndarray, top: int = DEFAULT_TOP) -> list[Score]:
        """The likeliest classes, the likeliest first; `image` as `probabilities` takes it.

        Raises:
            InputError: no image that can be read, a wrong `top`, or a model whose outputs are not finite.
        """
        if top < 1:
            raise InputError(f"top: expected at least 1, received {top}.")
        return likeliest(self.probabilities(image), self.bundle.labels, top)
