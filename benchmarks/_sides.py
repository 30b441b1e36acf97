"""Side-by-side measurement: each side in a process of its own, all alive at once, measured in turns.

A script's sides are functions `side(turns)`: each prepares itself, then does one measured piece of work whenever it is
its turn (`turns.measure(once)`, or `turns.wait()` and `turns.answer(figures)` where the work sits in somebody else's
loop). The parent says whose turn it is; while one works the others wait on a pipe, so that both sides of a ratio see
the same machine. Results are JSON lines in benchmarks/results/; what was measured there by the same versions on the
same processor is not measured again: an interrupted benchmark goes on with the next round. `make bench FRESH=1` begins
anew.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("keras-tkit", "tensorflow", "keras", "tf_keras", "torch", "ai-edge-litert", "onnxruntime", "numpy")


class Turns:
    """A side's end of the pipe: when to work, and what came of it."""

    def __init__(self) -> None:
        self.answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # whatever libraries print goes to standard error

    def wait(self) -> None:
        """Until it is this side's turn; ends the process when there are no more."""
        if not sys.stdin.readline():
            sys.stdout.flush()
            os._exit(0)

    def answer(self, figures: dict[str, float]) -> None:
        """Ends the turn."""
        print(json.dumps(figures), file=self.answers, flush=True)

    def measure(self, once: Callable[[], dict[str, float]]) -> None:
        """`once()` at every turn."""
        while True:
            self.wait()
            self.answer(once())


Side = Callable[[Turns], None]


def epoch_a_turn(keras: Any, turns: Turns, steps: int, batch: int, figure: str = "images_per_second") -> Any:
    """A callback that gives each epoch of a long training a turn, from its begin to the end of its last step."""

    class EpochATurn(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
            turns.wait()
            self.began = time.perf_counter()

        def on_train_batch_end(self, index: int, logs: dict | None = None) -> None:
            if index == steps - 1:
                self.seconds = time.perf_counter() - self.began

        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            turns.answer({figure: steps * batch / self.seconds})

    return EpochATurn()


def compare(
    name: str, sides: Mapping[str, Side], repeats: int, folder: Path | None = None
) -> dict[str, list[dict[str, float]]]:
    """Every side's figures of every repeat, measured in turns, or read from the results where they are whole.

    Args:
        name: names the results file.
        sides: the sides, by name; this script is started again with a side's name for each of them.
        repeats: measured rounds, after one that only warms up.
        folder: where the results file is; `RESULTS` by default.
    """
    if len(sys.argv) == 3 and sys.argv[1] == "--side" and sys.argv[2] in sides:
        sides[sys.argv[2]](Turns())
    path = (folder or RESULTS) / f"{name}.jsonl"
    rows = read(path)
    # A round counts when every side has it: a ratio is of one round.
    done = min(sum(row["side"] == side for row in rows) for side in sides)
    if done < repeats:
        path.unlink(missing_ok=True)
        for row in rows:
            if row["repeat"] <= done:
                append(path, row)
        workers = {side: _start(side) for side in sides}
        for number in range(done, repeats + 1):
            # Each other round in reverse: who comes second in a round is a little faster on some machines.
            for side, worker in list(workers.items())[:: -1 if number % 2 else 1]:
                figures = _turn(side, worker)
                if number > done:  # the first round warms up
                    append(path, {"side": side, "repeat": number, **figures})
        for worker in workers.values():
            assert worker.stdin is not None
            worker.stdin.close()
            worker.wait()
        rows = read(path)
    return {side: [row for row in rows if row["side"] == side] for side in sides}


def table(measured: Mapping[str, list[dict[str, float]]], figure: str, against: str, digits: int = 0) -> str:
    """A Markdown table: each side's median of `figure`, its range, and the median ratio of `against` to it."""
    lines = [
        f"| side | {figure.replace('_', ' ')}, median (range) | {against} / side, pair by pair |",
        "| --- | --- | --- |",
    ]
    base = [row[figure] for row in measured[against]]
    for side, rows in measured.items():
        values = [row[figure] for row in rows]
        shares = [one / other for one, other in zip(base, values, strict=True)]
        middle, low, high = (f"{value:,.{digits}f}" for value in (median(values), min(values), max(values)))
        lines.append(f"| {side} | {middle} ({low} to {high}) | {median(shares):.2f} |")
    return "\n".join(lines)


def ratios(measured: Mapping[str, list[dict[str, float]]], figure: str, one: str, other: str) -> float:
    """The median over the rounds of `one`'s figure divided by `other`'s."""
    pairs = zip(measured[one], measured[other], strict=True)
    return median(row[figure] / against[figure] for row, against in pairs)


def setup(packages: Sequence[str] | None = None) -> str:
    """One line that tells what a figure depends on: cores, processor, Python and the packages' versions.

    Args:
        packages: which; `PACKAGES` by default.

    Raises:
        SystemExit: a package isn't there.
    """
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.processor())
    try:
        versions = ", ".join(f"{name} {version(name)}" for name in packages or PACKAGES)
    except PackageNotFoundError as error:
        raise SystemExit(
            f"The benchmarks need {error.name}: pip install -e '.[bench]', as `make bench` does."
        ) from error
    return f"{os.cpu_count()} cores, {cpu}; Python {platform.python_version()}, {versions}"


def read(path: Path, anywhere: bool = False, packages: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """The rows of a results file that this setup measured; with `anywhere` all: accuracies compare across machines."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    here = setup(packages)
    return [row for row in rows if anywhere or row["setup"] == here]


def machine(row: dict[str, Any]) -> str:
    """Where a row was measured: cores and processor."""
    return str(row["setup"]).partition(";")[0]


def append(path: Path, row: dict[str, Any], packages: Sequence[str] | None = None) -> None:
    """Adds a row with its setup, see `setup`, and date."""
    path.parent.mkdir(exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        print(json.dumps({**row, "setup": setup(packages), "date": str(datetime.date.today())}), file=file)


def _start(side: str) -> subprocess.Popen[str]:
    command = [sys.executable, sys.argv[0], "--side", side]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def _turn(side: str, worker: subprocess.Popen[str]) -> dict[str, Any]:
    assert worker.stdin is not None and worker.stdout is not None
    print("go", file=worker.stdin, flush=True)
    line = worker.stdout.readline()
    if not line:
        raise SystemExit(f"{side} ended with exit code {worker.wait()}")
    figures = json.loads(line)
    print(f"{side}: {figures}", file=sys.stderr)
    return figures
