"""What is done with a mutant: the readers of .tflite files and of a run's JSON, and the judgement of what they do."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import _mutate
import numpy as np

from tkit_edge import anatomy, flatbuffer
from tkit_edge.bench import bench
from tkit_edge.errors import TkitError
from tkit_edge.worker import peak_memory

MEMORY, GROWTH = 2**30, 2**28
"""Bytes that a reading process may have resident, with TensorFlow where it needs that; a larger one may grow."""
LIMITS = {"read": 10.0, "bench": 60.0}
"""Seconds that one mutant may take to be read, and to be benched."""


@dataclass(frozen=True)
class Outcome:
    """What became of one mutant."""

    file: str
    mutation: str
    result: str
    """"read", "benched" or "refused"."""
    seconds: float
    memory: int = 0
    """The process's most so far, in bytes."""
    violation: str = ""


class Watch:
    """Notes which files are opened or listed outside of where a mutant may lead."""

    def __init__(self, forbidden: Path) -> None:
        self.forbidden = (str(forbidden), "/etc/passwd", "/dev/zero", "/proc/self/mem")
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("open", "os.listdir", "os.scandir", "shutil.rmtree") and isinstance(arguments[0], str | bytes):
            path = os.path.abspath(os.fsdecode(arguments[0]))
            if path.startswith(self.forbidden):
                self.seen.append(path)


class Tflite:
    """Mutants of a run's exported files."""

    def __init__(self, run: Path, scratch: Path) -> None:
        self.files = sorted((run / "float" / "export").glob("*.tflite"))
        self.mutant = scratch / "mutant.tflite"

    def case(self, chance: random.Random, run: bool = True) -> Outcome:
        """One mutant: inspected, and benched where it passes and `run` says so."""
        file = chance.choice(self.files)
        mutation, data = _mutate.tflite(file.read_bytes(), chance)
        self.mutant.write_bytes(data)
        outcome = _judged(file.name, mutation, "read", lambda: read_tflite(self.mutant))
        if outcome.violation or outcome.result == "refused" or not run:
            return outcome
        return _judged(file.name, mutation, "bench", lambda: bench_tflite(self.mutant))


class Json:
    """Mutants of a run's JSON documents; the run's folder is copied, and its copy changed."""

    def __init__(self, run: Path, scratch: Path) -> None:
        self.run = scratch / "runs" / run.name
        shutil.copytree(run, self.run)
        outside = scratch / "outside"
        outside.mkdir()
        (outside / "secret.json").write_text("{}")
        self.watch = Watch(outside)
        ups = [f"{'../' * number}outside/secret.json" for number in range(1, 6)]
        self.paths = (*_mutate.PATHS, *ups, str(outside / "secret.json"), str(outside))
        [self.checkpoint] = sorted((self.run / "checkpoints").iterdir())[-1:]
        self.readers: dict[str, tuple[Path, Callable[[], object]]] = {
            "recipe.json": (self.run / "recipe.json", self._recipe),
            "manifest.json": (self.run / "manifest.json", self._manifest),
            "bundle.json": (self.run / "float" / "export" / "bundle.json", self._bundle),
            "architecture.json": (self.run / "float" / "architecture.json", self._architecture),
            "checkpoint": (self.checkpoint, self._checkpoint),
        }
        for _, reader in self.readers.values():
            reader()  # the whole ones pass; and no mutant's time is that of importing TensorFlow

    def case(self, chance: random.Random) -> Outcome:
        """One mutant through what reads such a file."""
        name = chance.choice(list(self.readers))
        path, reader = self.readers[name]
        whole = path.read_bytes()
        mutate = self._checkpoint_mutant if name == "checkpoint" else self._mutant
        mutation, mutant = mutate(whole, chance)
        self.watch.seen.clear()
        try:
            path.write_bytes(mutant)
            outcome = _judged(name, mutation, "read", reader)
        finally:
            path.write_bytes(whole)
        if self.watch.seen and not outcome.violation:
            outcome = replace(outcome, violation=f"opened {self.watch.seen[0]}")
        return outcome

    def _mutant(self, whole: bytes, chance: random.Random) -> tuple[str, bytes]:
        return _mutate.document(whole, chance, self.paths)

    def _checkpoint_mutant(self, whole: bytes, chance: random.Random) -> tuple[str, bytes]:
        """Other facts or another archive, with the digest that they need to be looked at."""
        from tkit.training.checkpoint import Checkpoint

        if chance.random() < 0.3:
            mutant = bytearray(whole[32:])
            for _ in range(chance.choice((1, 4, 64))):
                mutant[chance.randrange(len(mutant))] = chance.randrange(256)
            return "byte flips", hashlib.sha256(mutant).digest() + mutant
        made = Checkpoint.from_bytes(whole)
        mutation, facts = self._mutant(json.dumps(made.facts).encode(), chance)
        buffer = io.BytesIO()
        np.savez(buffer, **made.arrays, facts=np.frombuffer(facts, np.uint8))  # type: ignore[arg-type]
        return mutation, hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue()

    def _recipe(self) -> None:
        import tkit

        tkit.load_recipe(self.run / "recipe.json")

    def _manifest(self) -> None:
        import tkit

        run = tkit.Run.open(self.run)
        for question in (lambda: run.variant, lambda: run.output, run.model_folder):
            with suppress(TkitError):
                question()
        for stage in ("fit", "export", "bench", "evaluate"):
            with suppress(TkitError):
                run.summary(stage)
        tkit.doctor(run)

    def _bundle(self) -> None:
        from tkit_edge.bundle import Bundle
        from tkit_edge.check import check_inputs

        bundle = Bundle.read(self.run / "float" / "export")
        check_inputs(bundle)
        for fmt in bundle.models:
            bundle.path(fmt)

    def _architecture(self) -> None:
        import keras

        from tkit import model_files

        model_files.load(self.run / "float")
        keras.utils.clear_session()  # Keras keeps what it made

    def _checkpoint(self) -> None:
        from tkit.training.checkpoint import Checkpoints

        try:
            Checkpoints.read(self.checkpoint)
        except ValueError as error:
            raise TkitError(str(error)) from error  # `newest` says so and takes the one before


KINDS: dict[str, type[Tflite] | type[Json]] = {"tflite": Tflite, "json": Json}


def read_tflite(path: Path) -> None:
    """What looks at a file without running it."""
    data = path.read_bytes()
    anatomy.dissect(data, str(path))
    graph = flatbuffer.read(data, str(path))
    anatomy.output_of(graph)
    anatomy.pixels_of(graph)


def bench_tflite(path: Path) -> None:
    """What runs it."""
    bench(path, threads=[1], kernels=["xnnpack"], seconds=0.2, timeout=LIMITS["bench"] / 2)


def case(kind: str, number: int, seed: int, mutants: Tflite | Json) -> Outcome:
    """The mutant of that number; it depends on nothing else."""
    return mutants.case(random.Random(f"{seed}-{kind}-{number}"))


def _judged(file: str, mutation: str, step: str, work: Callable[[], object]) -> Outcome:
    before, began = peak_memory(), time.perf_counter()
    result, violation = "benched" if step == "bench" else "read", ""
    try:
        work()
    except TkitError as error:
        result = "refused"
        violation = "" if str(error) else "an error without a message"
    except Exception:
        result, violation = "refused", traceback.format_exc()
    seconds, memory = time.perf_counter() - began, peak_memory()
    if seconds > LIMITS[step]:
        violation = violation or f"took {seconds:.1f} s to {step}"
    if memory > max(MEMORY, before + GROWTH):  # the process may have been larger already, with tests before this one
        violation = violation or f"the process has had {memory / 2**20:.0f} MiB"
    return Outcome(file, mutation, result, seconds, memory, violation)
