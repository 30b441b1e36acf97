"""What a stage works on where its caller has a model in place of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tkit.run_folder import Run
from tkit.stages._common import as_run
from tkit.stages.adopt import adopt
from tkit_edge.errors import InputError

if TYPE_CHECKING:
    import keras


def run_of(subject: Run | keras.Model | str | Path, data: Any) -> Run:
    """A run; with data, the run that `tkit.adopt` makes of a model, or has made before.

    Raises:
        InputError: as `adopt`; or a model without data, or a run with it.
    """
    if isinstance(subject, Run) and data is not None:
        raise InputError(f"{subject.folder} has its data: leave data out.")
    if data is not None:
        return adopt(subject, data)
    if not isinstance(subject, (Run, str, Path)):
        raise InputError(
            f"expected a run or its folder, received a {type(subject).__name__}. A model goes with its data: "
            "data=(x, y), as tkit.adopt takes them."
        )
    return as_run(subject)
