"""What tkit runs on, and whether a run folder is whole: facts to put into a report of a problem."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, NamedTuple

from tkit import versions
from tkit.run_folder import Run
from tkit.run_location import runs_folder
from tkit.stages._common import as_run, stage
from tkit.training.checkpoint import CHECKPOINTS, Checkpoints
from tkit_edge import machine
from tkit_edge.errors import InputError
from tkit_edge.text import counted
from tkit_pipelines.cache import bytes_below, cache_dir, size_text

NEEDED = {
    **{"tensorflow": "tensorflow", "keras": "keras", "ai-edge-litert": "ai_edge_litert", "numpy": "numpy"},
    **{"pillow": "PIL", "scikit-learn": "sklearn", "matplotlib": "matplotlib", "pydantic": "pydantic"},
    **{"click": "click", "rich": "rich", "tensorboard": "tensorboard"},
}
"""Distributions that tkit needs, and what they are imported as."""
# What the run's own stages leave beside the outputs that the manifest lists.
_KEPT = {"recipe.json", "manifest.json", "history.csv", "logs", "samples", "judge", CHECKPOINTS, ".lock"}


class Finding(NamedTuple):
    """Something wrong, and what to do."""

    what: str
    remedy: str


class Diagnosis(NamedTuple):
    """Facts by section, as JSON values, and what is wrong."""

    facts: dict[str, dict[str, Any]]
    problems: list[Finding]
    """Something needed is missing or damaged."""
    notes: list[Finding]
    """Worth knowing; everything works."""


@stage()
def doctor(run: Run | str | Path | None = None, *, runs_dir: str | Path | None = None) -> Diagnosis:
    """The environment that tkit finds itself in; with a run, whether its files and its checkpoints are whole.

    Args:
        run: a run or its folder, to be checked too.
        runs_dir: where runs are, and a run's name is looked up; $TKIT_RUNS or ./runs by default.

    Example:
        >>> tkit.doctor().problems
        []
    """
    problems: list[Finding] = []
    notes: list[Finding] = []
    facts = {"system": _system(notes), "packages": _packages(problems), "extras": _extras()}
    facts["computation"] = _computation(problems)
    facts["folders"] = _folders(problems, runs_folder(runs_dir))
    if run is not None:
        run = as_run(run, runs_dir)
        facts["run"] = _run(run, problems, notes)
        facts["checkpoints"] = _checkpoints(run, problems)
    return Diagnosis(facts, problems, notes)


def _system(notes: list[Finding]) -> dict[str, Any]:
    found = machine.describe()
    if found["governor"] == "powersave":
        notes.append(Finding("The CPU governor is powersave: latencies come out high.", "Set it to performance."))
    if warning := machine.busy(found):
        notes.append(Finding(warning, "Measure when nothing else runs."))
    return {
        "tkit": versions.own(),
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": f"{platform.platform()}",
        "cpu": f"{found['cpu']}, {found['cores']} cores usable",
        "memory": size_text(int(found["memory"] or 0)),
    }


def _packages(problems: list[Finding]) -> dict[str, str]:
    facts = {}
    for distribution, module in NEEDED.items():
        try:
            facts[distribution] = version(distribution)
            importlib.import_module(module)
        except PackageNotFoundError:
            facts[distribution] = "missing"
            problems.append(Finding(f"{distribution} is not installed.", f"pip install {distribution}"))
        except Exception as error:  # a broken package raises anything when it is imported
            facts[distribution] += " (broken)"
            remedy = f"pip install --force-reinstall {distribution}"
            problems.append(Finding(f"{distribution} cannot be imported: {type(error).__name__}: {error}", remedy))
    return facts


def _extras() -> dict[str, str]:
    """The optional packages of each extra: their versions, or the command that installs them."""
    facts: dict[str, str] = {}
    for requirement in requires("keras-tkit") or []:
        name, _, marker = requirement.partition(";")
        if "extra ==" not in marker:
            continue
        extra = marker.rpartition("==")[2].strip(" '\"()")
        facts[f"{extra}: {name.strip()}"] = _installed(name) or f"not installed: pip install 'keras-tkit[{extra}]'"
    return facts


def _installed(requirement: str) -> str | None:
    """The version of a requirement's distribution; None where it, or what its own extra asks for, is missing."""
    bare, _, inner = re.split(r"[<>=!~ ]", requirement.strip())[0].partition("[")
    try:
        if inner:
            for line in requires(bare) or []:
                if inner.rstrip("]") in line.partition(";")[2]:
                    version(re.split(r"[<>=!~ ;\[]", line)[0])
        return version(bare)
    except PackageNotFoundError:
        return None


def _computation(problems: list[Finding]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    try:
        import tensorflow as tf

        from tkit.training.precision import choose

        precision = choose("auto")
        devices = [device for kind in ("GPU", "TPU") for device in tf.config.list_physical_devices(kind)]
        facts["precision"] = f"{precision.policy} ({precision.reason})"
        facts["accelerators"] = ", ".join(_device(tf, device) for device in devices) or "none"
    except Exception as error:  # already among the packages' problems, or a driver's fault
        facts["precision"] = f"unknown: {type(error).__name__}: {error}"
        problems.append(Finding("TensorFlow cannot list its devices.", "Look at the packages above."))
    from tkit_edge import runtime

    try:
        found = runtime.find()
        facts["runtime"] = f"{found.name} {found.version}"
    except InputError as error:
        facts["runtime"] = "missing"
        problems.append(Finding(str(error), "pip install ai-edge-litert"))
    return facts


def _device(tf: Any, device: Any) -> str:
    return tf.config.experimental.get_device_details(device).get("device_name", device.name)


def _folders(problems: list[Finding], runs: Path) -> dict[str, Any]:
    facts = {}
    datasets = Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets")
    for name, path in (("cache", cache_dir()), ("datasets", datasets), ("runs", runs.resolve())):
        there = next(parent for parent in (path, *path.parents) if parent.exists())
        used = size_text(bytes_below(path)) if path.exists() else "not made yet"
        facts[name] = f"{path} ({used}; {size_text(shutil.disk_usage(there).free)} free)"
        if not os.access(there, os.W_OK):
            variable = {"cache": "TKIT_CACHE", "datasets": "TFDS_DATA_DIR", "runs": "TKIT_RUNS"}[name]
            problems.append(Finding(f"{there} cannot be written to.", f"Choose another folder with {variable}."))
    return facts


def _run(run: Run, problems: list[Finding], notes: list[Finding]) -> dict[str, Any]:
    """Compares every output that the manifest lists with the file that is there."""
    listed = {name for entry in run.manifest["stages"].values() for name in entry["outputs"]}
    bad = [(path, what, key) for key in run.manifest["stages"] for path, what in run.damage(key)]
    missing = sum(what == "missing" for _, what, _ in bad)
    for path, what, key in sorted(bad, key=lambda item: item[1] != "missing"):
        problems.append(Finding(f"{path} is {what}.", run.remedy(key)))
    known = {path for path, _, _ in bad}
    for key in run.manifest["stages"]:
        for path in [path for path in run.outdated(key) if path not in known][:1]:
            problems.append(
                Finding(f"{run.folder / key} was made of another {path} than there is now.", run.remedy(key))
            )
    left = [name for name in _below(run.folder) if name not in listed and name.split("/")[0] not in _KEPT]
    if left:
        shown = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
        what = f"{counted(len(left), 'file')} of no finished stage in {run.folder}: {shown}."
        notes.append(Finding(what, "A stage that was interrupted leaves such files; they may be deleted."))
    return {
        "folder": str(run.folder),
        "stages": ", ".join(run.manifest["stages"]) or "none finished",
        "outputs": f"{len(listed)} listed, {missing} missing, {len(bad) - missing} damaged, {len(left)} left over",
    }


def _checkpoints(run: Run, problems: list[Finding]) -> dict[str, str]:
    """Each checkpoint, oldest first, and what `--resume` would do with them."""
    checkpoints = Checkpoints(run.folder / CHECKPOINTS, run.recipe.fit.checkpoint.keep)
    stages = run.manifest["stages"]
    facts: dict[str, str] = {}
    damaged: list[Path] = []
    resume = f"tkit fit --resume {run.folder} trains from the beginning"
    for path in checkpoints.paths():
        try:
            made = checkpoints.read(path)
        except ValueError as error:
            facts[path.name] = f"damaged: {error}"
            damaged.append(path)
            continue
        after = f"after {made.done()}"
        facts[path.name] = f"whole, {after}"
        resume = f"tkit fit --resume {run.folder} goes on {after}, of {counted(run.recipe.fit.epochs, 'epoch')}"
    if "float/adopt" in stages:
        resume = "nothing: the model was adopted, not trained"
    elif "float/fit" in stages:
        left = [stage for stage in ("export", "bench") if not run.counts(f"float/{stage}")]
        facts = {name: f"{state}; left over of the finished training, may be deleted" for name, state in facts.items()}
        resume = f"tkit run --resume {run.folder} does {' and '.join(left)}" if left else "nothing is left to do"
    else:
        problems += [Finding(f"{path} is damaged.", f"{resume}.") for path in damaged]
    return {**facts, "resume": resume}


def _below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
