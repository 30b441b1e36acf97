"""Compression for its stage: the steps in turn, their checkpoints, the ledger, and the run's manifest entry."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tkit import console, files, model_files
from tkit.compression.cost import applied
from tkit.compression.device import Device
from tkit.compression.distillation import SELF
from tkit.compression.ledger import Ledger
from tkit.compression.step import Step
from tkit.compression.workbench import Workbench
from tkit.devices import targets
from tkit.graph import of_size
from tkit.passes.decomposition import decomposed
from tkit.promises import Kept, State
from tkit.results.compress import CompressResult
from tkit.run_folder import Run
from tkit.stages import _companion
from tkit.stages import _setup as setup
from tkit.stages._common import DRY_RUN_STEPS, data_of
from tkit.stages._withdraw import withdraw_export
from tkit.training.checkpoint import Checkpoints
from tkit.training.precision import choose
from tkit.training.progress import TrainingProgress
from tkit.training.saving import Saving
from tkit.training.tensorboard import TensorBoardLog
from tkit_edge.errors import InputError
from tkit_edge.inputs import Input
from tkit_edge.json_file import read_json
from tkit_edge.outputs.classes import Classes
from tkit_pipelines import notebook
from tkit_pipelines.batches import Batches
from tkit_pipelines.splits import Splits

MAX_NOTE_BYTES = 2**20


def compressed(run: Run, chosen: Sequence[Step], variant: str, again: str, device: str | None = None) -> CompressResult:
    """Takes a variant's model through the steps, or finds that done; gives what `tkit.compress` returns.

    Args:
        run: the run.
        chosen: the steps.
        variant: the model that is compressed.
        again: the command that goes on after an interruption.
        device: where the int8 files cost something too.
    """
    began = time.perf_counter()
    source = run.model_folder(variant)
    described = [step.model_dump(mode="json") for step in chosen]
    with run.lock():
        name, done = _place(run, variant, chosen, described)
        if done:
            console.say(f"{run.folder / name}: these steps are done.{_not_measured(run, name, device)}")
            return CompressResult(run.summary("compress", name))
        setup.use_threads(run.recipe.fit.threads)
        keras.utils.set_random_seed(run.recipe.seed)
        tf.config.experimental.enable_op_determinism()
        splits = data_of(run)
        state = _state(source, run.input)
        settings = settings_of(run, splits)
        work = Workbench(**settings)
        for step in chosen:
            step.check(state.model, work)
        ledger = Ledger(work, _device(run, device))
        folder = run.folder / name
        console.progress(f"{folder}: {' -> '.join([variant, *(step.label for step in chosen)])}")
        inputs = [source / "architecture.json", source / "weights.npz"]
        identity = _identity(described, [files.sha256(path) for path in inputs])
        progress = TrainingProgress(len(splits.validation), run.output.measure, splits.input.example)
        try:
            policy = choose(run.recipe.fit.precision, state.model).policy
            state = _Steps(run, settings, folder, identity, policy, progress, again).all(state, chosen, variant, ledger)
        finally:
            progress.stop()
        outputs = [*model_files.save(state.model, folder), state.kept.write(folder)]
        files.write_json(folder / "ledger.json", ledger.rows)
        files.write_bytes(folder / "ledger.txt", (ledger.text() + "\n").encode())
        run.finish(
            "compress",
            name,
            inputs=inputs,
            outputs=[*outputs, folder / "ledger.json", folder / "ledger.txt"],
            metrics=ledger.as_json(),
            seconds=time.perf_counter() - began,
            source=variant,
            steps=described,
            parameters=state.model.count_params(),
            threads=setup.threads(),
        )
        _withdraw_outdated(run, name)
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    _say(ledger)
    if not run.recipe.compress:
        console.say(f"Its files: tkit export {run.folder}")
    return CompressResult(run.summary("compress", name))


def _withdraw_outdated(run: Run, variant: str) -> None:
    """Takes away the export of an earlier model."""
    if f"{variant}/export" in run.manifest["stages"] and not run.counts(f"{variant}/export"):
        withdraw_export(run, variant)
        console.say(f"{run.folder / variant / 'export'} was taken away: it was made of an earlier model.")


def _say(ledger: Ledger) -> None:
    """Prints the ledger; in a notebook, which shows what is returned, its warnings alone."""
    for text in ledger.warnings() if notebook.running() else [ledger.text(console.width())]:
        console.say(text)


def _device(run: Run, name: str | None) -> Device | None:
    if name is None:
        return None
    return Device(name, targets([name])[name], run.recipe.bench)


def _not_measured(run: Run, name: str, device: str | None) -> str:
    """What to do for the figures of a device that the finished ledger doesn't have, or ""."""
    known = run.manifest["stages"][f"{name}/compress"]["metrics"].get("device", {}).get("name")
    if device in (None, known):
        return ""
    return (
        f" Their ledger has no figures of {device}, and the steps' own files are gone: tkit bench {run.folder} "
        f"--variant {name} --device {device} has those of the last."
    )


def settings_of(run: Run, splits: Splits) -> dict[str, Any]:
    """The arguments of a `Workbench` that a run determines."""
    recipe = run.recipe
    return {
        "data": recipe.data,
        "fit": recipe.fit,
        "export": recipe.export,
        "seed": recipe.seed,
        "splits": splits,
        "contract": run.contract(splits),
        "companion": _companion.load(run),
        "teacher": lambda name: _teacher(run, name),
    }


def _teacher(student: Run, name: str) -> Path:
    """The folder of a teacher's model: the student's as it was trained, or another run's."""
    if name == SELF:
        return student.model_folder("float")
    run = Run.open(name)
    if isinstance(run.output, Classes) and isinstance(student.output, Classes):
        if run.output.names != student.output.names:
            raise InputError(
                f"{name} tells {len(run.output.names)} classes apart ({', '.join(run.output.names[:3])} ...), the "
                "student other ones. A teacher needs the same classes in the same order."
            )
        if run.output.saturated:
            raise InputError(f"Teacher and student must give logits; {name} ends in a softmax.")
    elif run.output != student.output:
        raise InputError(f"{name} gives {run.output.line()}, the student {student.output.line()}.")
    return run.model_folder("float")


def _state(folder: Path, input: Input) -> State:
    return State(decomposed(of_size(model_files.load(folder), input.tensors)), Kept.read(folder))


def _place(run: Run, variant: str, steps: Sequence[Step], described: list[dict[str, Any]]) -> tuple[str, bool]:
    """The variant's name, and whether these very steps are done; other settings get a number."""
    base = "+".join([*([] if variant == "float" else [variant]), *(step.label for step in steps)])
    name, number = base, 1
    while (entry := run.manifest["stages"].get(f"{name}/compress")) is not None:
        if entry["steps"] == described:
            return name, not list(run.damage(f"{name}/compress"))
        number += 1
        name = f"{base}-{number}"
    return name, False


def _identity(steps: list[dict[str, Any]], digests: list[str]) -> str:
    return hashlib.sha256(json.dumps([steps, digests]).encode()).hexdigest()[:16]


class _Steps:
    """One compression, step by step."""

    def __init__(
        self,
        run: Run,
        settings: dict[str, Any],
        folder: Path,
        identity: str,
        policy: str,
        progress: TrainingProgress,
        again: str,
    ) -> None:
        self.run, self.settings, self.folder = run, settings, folder
        self.progress, self.again = progress, again
        # Those of other steps, or of another model, lie elsewhere.
        self.checkpoints = folder / "checkpoints" / identity
        self.setup = setup.of(run.recipe, settings["splits"], policy)

    def all(self, state: State, steps: Sequence[Step], name: str, ledger: Ledger) -> State:
        """The compressed model; the ledger gets its rows."""
        if name != "float":
            ledger.add("float", _state(self.run.model_folder("float"), self.run.input))
        ledger.add(name, state)
        for number, step in enumerate(steps, 1):
            console.progress(f"step {number} of {len(steps)}: {step.label}")
            state, cost = applied(step, state, partial(self._work, f"{number}-{step.label}"))
            ledger.add(step.label, state, cost)
        ledger.measure()
        return state

    def _work(self, step: str, attempt: int = 0, rate: float = 1.0) -> Workbench:
        """What an attempt at a step works with; what one attempt remembers the next ones know."""
        place = f"{step}-{attempt + 1}" if attempt else step
        return Workbench(
            **self.settings,
            saving=lambda: self._saving(self.checkpoints / place),
            remember=lambda name, find: self._remember(self.checkpoints / step / f"{name}.json", find),
            callbacks=lambda batches: self._callbacks(place, batches),
            rate=rate,
            max_steps=DRY_RUN_STEPS if self.run.dry_run else None,
        )

    def _saving(self, folder: Path) -> Saving:
        keep = self.run.recipe.fit.checkpoint
        checkpoints = Checkpoints(folder, keep.keep)
        start = checkpoints.newest()
        if start is not None:
            setup.compare(start.facts["setup"], self.setup, self.run.recipe)
            console.say(f"going on after {start.done()}")
        return Saving(
            checkpoints,
            steps=keep.steps,
            minutes=keep.minutes,
            facts={"setup": self.setup},
            start=start,
            go_on=self.again,
        )

    def _remember(self, path: Path, find: Callable[[], Any]) -> Any:
        if path.exists():
            return read_json(path, MAX_NOTE_BYTES)
        value = find()
        files.write_json(path, value)
        return value

    def _callbacks(self, place: str, batches: Batches) -> list[keras.callbacks.Callback]:
        folder = self.run.folder / "logs" / self.folder.name / place
        log = TensorBoardLog(folder, batches, self.settings["splits"].validation, self.settings["contract"])
        return [log, self.progress]
