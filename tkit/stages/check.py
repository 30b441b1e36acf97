"""Checking on a device that it computes what the exporting machine did."""

from __future__ import annotations

from pathlib import Path

from tkit.devices import targets
from tkit.results.check import CheckResult
from tkit.run_folder import Run
from tkit.stages._common import stage
from tkit.stages._exported import exported
from tkit.targets import LOCAL


@stage()
def check(
    subject: Run | str | Path,
    *,
    device: str = LOCAL,
    variant: str | None = None,
    runs_dir: str | Path | None = None,
    install: bool = False,
) -> CheckResult:
    """Runs the golden samples of a bundle through each of its files on a device, and compares the outputs.

    Args:
        subject: a run or its folder, or a bundle.
        device: an address such as "ssh://pi@raspberrypi.local", "qemu-arm64" or "tflm", or a name in devices.toml.
        variant: of a run; the newest by default.
        runs_dir: where a run's name is looked up; $TKIT_RUNS or ./runs by default.
        install: whether tkit may make an environment of its own there (over ssh) where something is missing.

    Returns:
        The document of `tkit-edge check`; `["ok"]` is whether all files do what they did where they were exported.

    Raises:
        InputError: nothing is exported, or the device can't be reached or can't run the files.

    Example:
        >>> tkit.check("runs/digits_cnn-1", device="ssh://pi@raspberrypi.local")["ok"]
    """
    found = exported(subject, variant, runs_dir, bare=False)
    [(name, target)] = targets([device], install=install).items()
    return CheckResult(target.check(found.path) | {"name": name})
