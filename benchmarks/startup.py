"""What starting costs: the light commands, the way to the first training step, and memory.

    make bench, or: python benchmarks/startup.py

The light commands' times are wall time less a bare `python -c pass`, measured in turns. `tkit fit` of ResNet-8 is
started on 50,000 made-up images for one epoch; its manifest says when the first steps were done, and what the start
was made of. Peak memory is the operating system's figure of the whole process, over the whole command.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _report import publish
from _sides import RESULTS, append, read

LIGHT_RUNS, FIT_RUNS = 20, 3
IMAGES = 60_000
PARTS = {
    "tensorflow_import": "TensorFlow's import",
    "data": "reading the images from the cache",
    "model": "building the model",
    "setup": "digest of the images, optimizer, training twin, callbacks",
    "tracing": "tracing the train function",
    "second_call": "the first 20 steps themselves",
}
TKIT = str(Path(sys.executable).with_name("tkit"))


def wall(*command: str) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return 1000 * (time.perf_counter() - began)


def light(argument: str) -> dict[str, Any]:
    """What `tkit ARGUMENT` costs over bare Python, milliseconds."""
    wall(TKIT, argument)  # byte code is compiled, files are in the cache
    pairs = [(wall(sys.executable, "-c", "pass"), wall(TKIT, argument)) for _ in range(LIGHT_RUNS)]
    bare, command = (median(times) for times in zip(*pairs, strict=True))
    return {"milliseconds": round(command - bare, 1)}


def fit(data: Path, runs: Path) -> dict[str, Any]:
    """One `tkit fit`: seconds to the first steps by part, and peak memory in GiB."""
    command = [TKIT, "fit", "--recipe", "cifar10_resnet8", "--data", str(data), "--runs-dir", str(runs)]
    command += ["fit.epochs=1", "--json"]
    began = time.time()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    made = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"tkit fit ended with {os.waitstatus_to_exitcode(status)}")
    start = made["start"]
    return {
        "first_step": round(start["first_step_at"] - began, 2),
        **{f"{name}_seconds": start[name] for name in PARTS},
        "peak_gib": round(usage.ru_maxrss / 2**20, 2),
    }


def main() -> None:
    path = RESULTS / "startup.jsonl"
    for argument in ("--help", "list"):
        if all(row["run"] != argument for row in read(path)):
            append(path, {"run": argument, **light(argument)})
    with tempfile.TemporaryDirectory(prefix="tkit-startup-") as scratch:
        data = Path(scratch) / "images.npz"
        done = sum(row["run"] == "fit" for row in read(path))
        if done < FIT_RUNS:
            random = np.random.default_rng(0)
            images = random.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
            labels = random.integers(0, 10, IMAGES)
            cut = IMAGES * 5 // 6
            np.savez(data, x_train=images[:cut], y_train=labels[:cut], x_test=images[cut:], y_test=labels[cut:])
            fit(data, Path(scratch) / "warm")  # the cache of decoded images is made
        for _ in range(done, FIT_RUNS):
            append(path, {"run": "fit", **fit(data, Path(scratch) / "runs")})
    rows = read(path)
    report({name: [row for row in rows if row["run"] == name] for name in ("--help", "list", "fit")})


def report(measured: dict[str, list[dict[str, Any]]]) -> None:
    """The page's section and the README's rows."""

    def middle(name: str) -> float:
        return median(row[name] for row in measured["fit"])

    parts = [(label, middle(f"{name}_seconds")) for name, label in PARTS.items()]
    other = middle("first_step") - sum(seconds for _, seconds in parts)
    lines = ["| part | seconds |", "| --- | --- |"]
    lines += [f"| {name} | {seconds:.1f} |" for name, seconds in (*parts, ("Python, Keras, the rest", other))]
    lines.append(f"| from the command to the first steps done | {middle('first_step'):.1f} |")
    help_, list_ = (measured[name][0]["milliseconds"] for name in ("--help", "list"))
    body = "\n".join(
        [
            f"`tkit --help` takes {help_:.0f} ms and `tkit list` {list_:.0f} ms more than bare Python (medians of",
            f"{LIGHT_RUNS} pairs).",
            f"`tkit fit --recipe cifar10_resnet8` on {IMAGES:,} images, median of {FIT_RUNS} runs:",
            "",
            *lines,
            "",
            f"Peak memory of the command, one epoch: {middle('peak_gib'):.2f} GiB.",
        ]
    )
    rows = [
        ("`tkit --help` / `tkit list`, over bare Python", f"{help_:.0f} / {list_:.0f} ms"),
        (
            "`tkit fit --recipe cifar10_resnet8`, from the command to the first 20 steps",
            f"{middle('first_step'):.1f} s",
        ),
        ("the same, peak memory", f"{middle('peak_gib'):.2f} GiB"),
    ]
    publish("startup", "Starting, and memory", body, rows, measured)


if __name__ == "__main__":
    main()
