"""Damaged and hostile files, by the thousand: each ends in a result or in one error that names what is wrong.

    python benchmarks/fuzz.py --tflite 10000 --json 2000
    python benchmarks/fuzz.py --case tflite:123            # one of them again, with its traceback

A small run of digits_cnn is made, exported and evaluated. Mutants of its .tflite files go through the reader
(`tkit.inspect`'s), and what that lets pass is benched for 0.2 s, in a child process as always. Mutants of its recipe,
manifest, bundle, architecture and checkpoint go through what reads them, and through `tkit doctor`. A violation is:
any other exception than tkit's own, a process that dies, a case past its time, a process past 1 GiB, or a file
outside of the run folder that is opened because a mutant says so. The table goes into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import datetime
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path

from _mutants import KINDS, LIMITS, Outcome, case
from _report import publish
from _sides import setup

from tkit_pipelines.progress import progress

OVERRIDES = (
    *("model.width=4", "fit.epochs=2", "bench.seconds=0.05", "export.formats=float32,dynamic,int8"),
    *("export.parity.drop=1", "export.parity.agreement=0"),  # the model is hardly trained
)
PROCESSES = 2
_RULES = (
    "Every mutant must end in a result or in one named error, in its time (10 s to be read, 60 s to be benched), with "
    "at most 1 GiB in the process that reads it, and without opening a file outside of its folder."
)
_NAMES = {"tflite": ".tflite files", "json": "JSON files and checkpoints"}
GRACE = 60.0
"""Seconds until a process that doesn't answer is ended: it may be starting, and importing TensorFlow."""


def _serve(connection: Connection, kind: str, run: Path, seed: int) -> None:
    """Answers numbers with what became of that mutant, until the other end goes."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with tempfile.TemporaryDirectory(prefix="tkit-fuzz-") as scratch:
        mutants = KINDS[kind](run, Path(scratch))
        with suppress(EOFError):
            while True:
                connection.send(case(kind, connection.recv(), seed, mutants))


class _Side:
    """A process that reads mutants, and the one that it is at."""

    def __init__(self, kind: str, run: Path, seed: int) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would begin with this process's memory
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, kind, run, seed), daemon=True)
        self.process.start()
        theirs.close()
        self.number = -1

    def give(self, number: int) -> None:
        """Has it do a mutant."""
        self.number, self.began = number, time.monotonic()
        self.connection.send(number)

    def end(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def survey(kind: str, cases: int, run: Path, seed: int) -> dict[int, Outcome]:
    """What became of the mutants 0 to `cases` - 1, by their number."""
    found: dict[int, Outcome] = {}
    todo = iter(range(cases))
    sides = [_Side(kind, run, seed) for _ in range(min(PROCESSES, cases))]
    for side in sides:
        side.give(next(todo))
    with progress(f"{kind} mutants", cases) as advance:
        while sides:
            ready = wait([side.connection for side in sides], timeout=1.0)
            for side in list(sides):
                late = time.monotonic() - side.began > sum(LIMITS.values()) + GRACE
                if side.connection not in ready and not late:
                    continue
                try:
                    found[side.number] = _late() if late else side.connection.recv()
                    died = late
                except EOFError:
                    side.process.join()
                    found[side.number] = _died(side.process.exitcode)
                    died = True
                advance(1)
                number = next(todo, None)
                if died or number is None:
                    side.end()
                    sides.remove(side)
                if number is not None:
                    if died:
                        side = _Side(kind, run, seed)
                        sides.append(side)
                    side.give(number)
    return found


def _late() -> Outcome:
    return Outcome("?", "?", "refused", sum(LIMITS.values()), violation="gave no answer")


def _died(code: int | None) -> Outcome:
    return Outcome("?", "?", "refused", 0.0, violation=f"the reading process died with exit code {code}")


def make(folder: Path) -> Path:
    """A small run of digits_cnn: trained, exported, benched and evaluated."""
    tkit = [sys.executable, "-m", "tkit"]
    for command in (
        [*tkit, "run", "--recipe", "digits_cnn", "--runs-dir", str(folder), *OVERRIDES],
        [*tkit, "evaluate", str(folder / "digits_cnn-1")],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"the run to be damaged can't be made: {done.stderr}")
    return folder / "digits_cnn-1"


def table(found: dict[str, dict[int, Outcome]]) -> str:
    """A Markdown table: what became of the mutants of each kind of file and damage."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    for outcomes in found.values():
        for item in outcomes.values():
            counts.setdefault((item.file, item.mutation), Counter())[item.result] += 1
    lines = ["| file | damage | mutants | a result | a named error |", "| --- | --- | --- | --- | --- |"]
    for (file, mutation), count in sorted(counts.items()):
        refused = count["refused"]
        lines.append(f"| {file} | {mutation} | {count.total():,} | {count.total() - refused:,} | {refused:,} |")
    return "\n".join(lines)


def _figures(kind: str, outcomes: list[Outcome]) -> str:
    longest, most = max(item.seconds for item in outcomes), max(item.memory for item in outcomes)
    return (
        f"{len(outcomes):,} mutants of {_NAMES[kind]}: the longest took {longest:.1f} s, the reading process had at "
        f"most {most / 2**20:.0f} MiB."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tflite", type=int, default=10_000, metavar="N")
    parser.add_argument("--json", type=int, default=2000, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", metavar="KIND:NUMBER", help="that mutant alone")
    arguments = parser.parse_args()
    where = setup()
    with tempfile.TemporaryDirectory(prefix="tkit-fuzz-") as folder:
        run = make(Path(folder))
        if arguments.case:
            kind, _, number = arguments.case.partition(":")
            print(case(kind, int(number), arguments.seed, KINDS[kind](run, Path(folder))))
            return
        wanted = {"tflite": arguments.tflite, "json": arguments.json}
        found = {kind: survey(kind, cases, run, arguments.seed) for kind, cases in wanted.items() if cases}
    violations = [
        f"--case {kind}:{number} --seed {arguments.seed} ({item.file}, {item.mutation}): {item.violation}"
        for kind, outcomes in found.items()
        for number, item in sorted(outcomes.items())
        if item.violation
    ]
    print("\n".join(violations), file=sys.stderr)
    facts = [_figures(kind, list(outcomes.values())) for kind, outcomes in found.items()]
    verdict = f"{len(violations)} violations." if violations else "None of them violated any of this."
    body = f"{_RULES}\n\nSeed {arguments.seed}. {' '.join(facts)} {verdict}\n\n{table(found)}"
    row = {"setup": where, "date": str(datetime.date.today())}
    publish("fuzz", "Damaged and hostile files", body, [], {"all": [row]}, page="reliability.md")
    sys.exit(1 if violations else 0)


if __name__ == "__main__":
    main()
