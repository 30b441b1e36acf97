"""Inference: a model of somebody's own whose outputs mean nothing to tkit. It is exported as it is, not trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NoReturn

from tkit.ruler import Ruler
from tkit.tasks import Task
from tkit_edge.errors import InputError
from tkit_edge.outputs import Output

_ABOUT = "task=inference takes a model as it is: nothing is known to be right"


class Inference(Task):
    """Any outputs. Exported files are judged by their agreement with the Keras model alone."""

    gives = "tensors"
    targets = (None,)
    kind: Literal["inference"] = "inference"

    def output(self, splits: object) -> NoReturn:
        """Raises InputError: only a model that is there already has such outputs."""
        raise InputError(f"{_ABOUT}, so nothing can be trained. Set task=classification or task=regression.")

    def encoded(self, columns: Mapping[str, object], output: Output) -> NoReturn:
        """Raises InputError."""
        raise InputError(
            f"{_ABOUT}, so it can't be trained further: prune, cluster, distil and aware=true need labels."
        )

    def loss(self, output: Output, spread: float) -> NoReturn:
        """Raises InputError."""
        self.encoded({}, output)

    def metrics(self) -> NoReturn:
        """Raises InputError."""
        raise InputError(f"{_ABOUT}.")

    def evaluation(self, output: Output, ruler: Ruler | None = None) -> NoReturn:
        """Raises InputError."""
        raise InputError(
            f"{_ABOUT}, so there is nothing to evaluate. `tkit export` says how far the files agree; a file "
            "that makes images is measured with its run (tkit evaluate RUN --format int8)."
        )
