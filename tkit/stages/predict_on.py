"""Predicting on a device, with an exported file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tkit.devices import targets
from tkit.run_folder import Run
from tkit.stages._common import stage
from tkit.stages._exported import exported


@stage()
def predict_on(
    device: str,
    subject: Run | str | Path,
    items: Sequence[str | Path],
    *,
    top: int | None = None,
    variant: str | None = None,
    format: str | None = None,
    runs_dir: str | Path | None = None,
    install: bool = False,
) -> dict[str, Any]:
    """What an exported model predicts on a device, which reads the items itself.

    Args:
        device: an address such as "ssh://pi@raspberrypi.local", or a name in devices.toml.
        subject: a run or its folder, or a bundle.
        items: image files, or folders of them, which are brought there; texts as they are; .npz files.
        top: how many classes of each.
        variant: of a run; the newest by default.
        format: an exported format; int8 where it is exported, else what there is.
        runs_dir: where a run's name is looked up; $TKIT_RUNS or ./runs by default.
        install: whether tkit may make an environment of its own there (over ssh) where something is missing.

    Returns:
        The document of `tkit-edge predict`, with `device` and `cannot`; items without a prediction have an `error`.

    Raises:
        InputError: nothing is exported, the device can't be reached or can't run the file, or nothing can be read.
    """
    found = exported(subject, variant, runs_dir, bare=False)
    [target] = targets([device], install=install).values()
    return target.predict(found.path, [str(item) for item in items], format, top)
