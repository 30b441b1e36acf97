"""Measuring exported files on devices, side by side."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tkit import console, files
from tkit.bench_config import Bench
from tkit.devices import targets
from tkit.recipe_loading import with_overrides
from tkit.results.devices import DevicesResult
from tkit.run_folder import Run
from tkit.stages._common import stage
from tkit.stages._exported import exported
from tkit.stages._test_examples import test_examples
from tkit.targets import Target
from tkit_edge.errors import InputError

STAGE = "devices"


@stage()
def bench_on(
    subject: Run | str | Path,
    devices: Sequence[str],
    *,
    variant: str | None = None,
    runs_dir: str | Path | None = None,
    settings: Bench | None = None,
    overrides: Sequence[str] = (),
    install: bool = False,
) -> DevicesResult:
    """Measures exported files on each device: latency, memory and score, or what it can tell instead.

    Args:
        subject: a run or its folder, a bundle, or a .tflite file; a run's files are scored on its test split.
        devices: addresses such as "ssh://pi@raspberrypi.local", "tflm" or "ethos-u:ethos-u55-256", names in
            devices.toml, or "all", which is all of those.
        variant: of a run; the newest by default.
        runs_dir: where a run's name is looked up; $TKIT_RUNS or ./runs by default.
        settings: what is measured; a run's recipe has it by default.
        overrides: changes to a run's recipe for this time, such as "bench.seconds=5".
        install: whether tkit may make an environment of its own there (over ssh) where something is missing.

    Returns:
        `["devices"]` has each device's document by its name, or `{"error": ...}`. A run keeps it: in
        `bench/<name>.json`, and in its manifest.

    Raises:
        InputError: nothing is exported, an unknown device, or none could be measured.

    Example:
        >>> tkit.bench_on("runs/digits_cnn-1", ["ssh://pi@raspberrypi.local", "ethos-u"])
    """
    found, chosen, began = (
        exported(subject, variant, runs_dir, bare=True),
        targets(devices, install=install),
        time.perf_counter(),
    )
    run = found.run
    if run is None:
        return DevicesResult(file=str(found.path), devices=_measured(chosen, found.path, settings or Bench(), None))
    recipe = with_overrides(run.recipe, overrides)
    with tempfile.TemporaryDirectory(prefix="tkit-bench-") as scratch:
        test = test_examples(run, recipe, Path(scratch))
        made = _measured(chosen, found.path, settings or recipe.bench, test)
    assert found.variant is not None
    return _kept(run, found.variant, made, time.perf_counter() - began)


def _measured(chosen: Mapping[str, Target], path: Path, settings: Bench, test: Path | None) -> dict[str, Any]:
    """Each device's document; where it fails, its error."""
    made: dict[str, Any] = {}
    for name, target in chosen.items():
        console.progress(f"{name}: {target.title}" if name != target.title else name)
        try:
            made[name] = target.bench(path, settings, test)
        except InputError as error:
            if len(chosen) == 1:
                raise
            made[name] = {"error": str(error)}
    if all("error" in document for document in made.values()):
        raise InputError(
            "\n  ".join(["No device could be measured:", *(f"{k}: {v['error']}" for k, v in made.items())])
        )
    return made


def _kept(run: Run, variant: str, made: Mapping[str, Any], seconds: float) -> DevicesResult:
    """The result, after it and what other devices gave before were written into the run."""
    folder, key = run.folder / variant, f"{variant}/{STAGE}"
    earlier = run.manifest["stages"][key]["metrics"] if run.counts(key) else {}
    whole = {name: document for name, document in made.items() if "error" not in document}
    kept = {**earlier, **whole}
    outputs = [folder / "bench" / f"{_file_name(name)}.json" for name in kept]
    (folder / "bench").mkdir(exist_ok=True)
    for path, document in zip(outputs, kept.values(), strict=True):
        files.write_json(path, document)
    exports = sorted((folder / "export").glob("*.tflite"))
    run.finish(STAGE, variant, inputs=exports, outputs=outputs, metrics=kept, seconds=seconds)
    return DevicesResult(run=str(run.folder), variant=variant, devices=dict(made))


def _file_name(device: str) -> str:
    """A device's name as a file's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", device)
