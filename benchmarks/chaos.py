"""Kills runs at random moments and shows that what comes out is the run that was not killed.

    python benchmarks/chaos.py --kills 100

`tkit run` of a small CNN on scikit-learn's digits, with dropout, augmentation, a moving average of the weights and
early stopping, is ended by SIGKILL at a random moment, then `tkit run --resume` is, and so on until it completes; then
the next one is begun, until there were so many kills. Final weights, the last checkpoint (optimizer's slots and
iterations, moving averages, metric accumulators, seeds of dropout), history rows less their times, the
compressed model's weights and the exported files' bytes must equal those of a run that was left alone. The table goes
into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from _report import publish
from _sides import setup

from tkit.training.checkpoint import Checkpoints

TKIT = [sys.executable, "-m", "tkit"]
OVERRIDES = (
    *("model.width=8", "model.dropout=0.3", "fit.epochs=6", "fit.ema=0.9", "fit.early_stopping=5"),
    "compress=prune:sparsity=0.5,epochs=2,cluster:clusters=16,epochs=1,quantize:aware=true,epochs=1",
    *("fit.steps_per_execution=3", "fit.checkpoint.steps=5", "export.formats=float32,int8", "bench.seconds=0.05"),
    # The parity gate isn't the matter here, and the model is hardly trained.
    *("export.parity.drop=1", "export.parity.agreement=0"),
)
COMPRESSED = "prune-0.5+cluster-16+int8-qat"
ORDER = {
    "float/fit": "training",
    f"{COMPRESSED}/compress": "compression",
    "float/export": "export",
    "float/bench": "bench",
    f"{COMPRESSED}/export": "export of the compressed model",
    f"{COMPRESSED}/bench": "bench of the compressed model",
}
"""The stages of the run, and what a kill before the end of each meets."""
PATIENCE = 300
"""Seconds that any one process may take."""


def start(runs: Path, run: Path | None) -> subprocess.Popen[bytes]:
    """`tkit run`, or `tkit run --resume` where there is a run, in a process group of its own."""
    if run is None:
        command = [*TKIT, "run", "--recipe", "digits_cnn", "--runs-dir", str(runs), *OVERRIDES]
    else:
        command = [*TKIT, "run", "--resume", str(run)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def outcome(run: Path) -> dict[str, Any]:
    """What must be equal: digests of arrays, rows and bytes."""
    weights = {name: _digest(array) for name, array in np.load(run / "float" / "weights.npz").items()}
    last = Checkpoints(run / "checkpoints", keep=1).newest()
    assert last is not None
    arrays = {name: _digest(array) for name, array in last.arrays.items()}
    with open(run / "history.csv", encoding="utf-8", newline="") as file:
        rows = [
            {key: value for key, value in row.items() if key not in ("seconds", "images_per_second")}
            for row in csv.DictReader(file)
        ]
    files = {path.relative_to(run).as_posix(): _digest(path.read_bytes()) for path in run.glob("*/export/*.tflite")}
    compressed = {name: _digest(array) for name, array in np.load(run / COMPRESSED / "weights.npz").items()}
    kept = {key: last.facts[key] for key in ("epoch", "step", "stopped", "kept_epoch", "kept_loss")}
    return {"weights": weights, "compressed": compressed, "state": arrays, "kept": kept, "rows": rows, "files": files}


def survive(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kills runs `kills` times in all.

    Returns:
        runs: how many completed; unequal: what differed in each that differed; moments: kills by what they met.

    Raises:
        SystemExit: a run that can't go on, with what it said.
    """
    chance = random.Random(seed)
    began = time.monotonic()
    process = start(folder / "whole", None)
    _, said = process.communicate(timeout=PATIENCE)
    if process.returncode:
        raise SystemExit(f"the run that nobody kills fails: {said.decode()}")
    whole = time.monotonic() - began
    expected = outcome(next((folder / "whole").iterdir()))
    moments: Counter[str] = Counter()
    unequal: list[str] = []
    runs = 0
    while moments.total() < kills:
        place = folder / f"killed-{runs}"
        run: Path | None = None
        while True:
            began = time.monotonic()
            process = start(place, run)
            try:
                _, said = process.communicate(
                    timeout=chance.uniform(0.2, 1.1) * whole if moments.total() < kills else PATIENCE
                )
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                found = sorted(place.glob("*/recipe.json"))
                run = found[0].parent if (place.exists() and found) else None
                moments[_moment(run)] += 1
                continue
            if process.returncode:
                raise SystemExit(f"{run} can't go on: {said.decode()}")
            if run is None:  # on a machine that is less busy now
                whole = min(whole, time.monotonic() - began)
            break
        runs += 1
        got = outcome(next(place.iterdir()))
        unequal += [f"run {runs}: {part}" for part in expected if expected[part] != got[part]]
    return {"kills": moments.total(), "runs": runs, "unequal": unequal, "moments": dict(moments)}


def _moment(run: Path | None) -> str:
    """What a kill met, told by what is there."""
    if run is None or not (run / "manifest.json").exists():
        return "before training"
    stages = json.loads((run / "manifest.json").read_text())["stages"]
    if "float/fit" not in stages and not (run / "checkpoints").exists():
        return "before the first checkpoint"
    return next((what for stage, what in ORDER.items() if stage not in stages), "the very end")


def _digest(value: np.ndarray | bytes) -> str:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    return hashlib.sha256(f"{value.dtype}{value.shape}".encode() + value.tobytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    where = setup()
    with tempfile.TemporaryDirectory(prefix="tkit-chaos-") as folder:
        result = survive(Path(folder), arguments.kills, arguments.seed)
    row = {**result, "setup": where, "date": str(datetime.date.today())}
    lines = ["| a kill met | kills |", "| --- | --- |"]
    lines += [f"| {moment} | {count} |" for moment, count in sorted(result["moments"].items())]
    verdict = "\n".join(result["unequal"]) or "All of them equal the run that was left alone."
    body = f"{result['kills']} kills in {result['runs']} runs. {verdict}\n\n" + "\n".join(lines)
    publish("chaos", "Killed at random moments", body, [], {"all": [row]}, page="reliability.md")
    sys.exit(1 if result["unequal"] else 0)


if __name__ == "__main__":
    main()
