"""A small student alone, and the same one taught by a larger network: as many epochs, the same images.

    TKIT_TEST_DATA=DIR python benchmarks/distil.py         # DIR holds cifar10-jpeg.tar.gz

The student is cifar10_resnet8 with half of the filters, trained alone for `EPOCHS` epochs, or alone for the first
`FIRST` and then with the logits (and features) of cifar10_resnet8 as it stands, which benchmarks/accuracy.py's run
serves as. Its float32 file is measured once on all test images; the gain is paired, with its 95 % interval. What is
measured stays in benchmarks/results/distil.jsonl.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from _report import publish
from _sides import RESULTS, append, read
from compress import BASES, RUNS, bases

EPOCHS, FIRST = 20, 4
STUDENT = ("name=student", "model.width=8")
LESSONS: dict[str, dict[str, float] | None] = {
    "alone": None,
    "taught, logits": {},
    "taught, logits and features": {"features": 20.0},
}


def main() -> None:
    if "TKIT_TEST_DATA" not in os.environ:
        print("distil.py is left out: TKIT_TEST_DATA doesn't say where cifar10-jpeg.tar.gz is.")
        return
    import tkit
    from tkit.compression.steps.distil import Distil
    from tkit.conversion.statistics import paired_drop
    from tkit.training.optimizers.muon import Muon

    path = RESULTS / "distil.jsonl"
    data = json.dumps(str(Path(os.environ["TKIT_TEST_DATA"]) / "cifar10-jpeg.tar.gz"))
    right: dict[str, np.ndarray] = {}
    rows = {row["lesson"]: row for row in read(path, anywhere=True)}
    if set(rows) != set(LESSONS):
        teacher = next(bases(BASES[:1]))[0]
        for lesson, settings in LESSONS.items():
            print(f"the student, {lesson} ...", file=sys.stderr, flush=True)
            began = time.perf_counter()
            epochs = EPOCHS if settings is None else FIRST
            recipe = tkit.load_recipe("cifar10_resnet8", [f"data.source={data}", *STUDENT, f"fit.epochs={epochs}"])
            run = tkit.fit(recipe, runs_dir=RUNS)
            variant = "float"
            if settings is not None:
                step = Distil(teacher=teacher, epochs=EPOCHS - FIRST, optimizer=Muon(), **settings)
                variant = tkit.compress(run, [step])["variant"]
            right[lesson] = answers(run, variant)
            drop, interval = paired_drop(right["alone"], right[lesson])
            row: dict[str, Any] = {
                "lesson": lesson,
                "epochs": EPOCHS,
                "accuracy": float(np.mean(right[lesson])),
                "gain": -drop,
                "gain_interval": [-interval[1], -interval[0]],
                "images": len(right[lesson]),
                "minutes": round((time.perf_counter() - began) / 60, 1),
            }
            append(path, row)
        rows = {row["lesson"]: row for row in read(path, anywhere=True)}
    report([rows[lesson] for lesson in LESSONS])


def answers(run: Any, variant: str) -> np.ndarray:
    """Which test images the variant's float32 file gets right."""
    import tkit
    from tkit_edge.runtime import Model

    tkit.export(run, variant=variant, overrides=["export.formats=float32"])
    test = run.recipe.data.load(seed=run.recipe.seed).test
    path = run.folder / variant / "export" / "model-float32.tflite"
    return np.asarray(Model(path).predict(test.images).argmax(axis=1) == test.labels)


def report(rows: list[dict[str, Any]]) -> None:
    """The table, and the README's row."""
    lines = ["| the student | epochs | accuracy | gain in points (95 %) | minutes |", "| --- | --- | --- | --- | --- |"]
    gains = {}
    for row in rows:
        low, high = row["gain_interval"]
        gains[row["lesson"]] = f"{100 * row['gain']:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"
        lines.append(
            f"| {row['lesson']} | {row['epochs']} | {row['accuracy']:.2%} | {gains[row['lesson']]} | {row['minutes']} |"
        )
    body = (
        f"cifar10_resnet8 with half of the filters, {rows[0]['images']:,} test images, one seed; the teacher is\n"
        f"cifar10_resnet8. The taught ones learn alone for the first {FIRST} epochs.\n\n" + "\n".join(lines)
    )
    best = max(rows, key=lambda row: float(row["gain"]))
    main_rows = [(f"Distilled small student, {best['lesson']}: gain in points (95 %)", gains[best["lesson"]])]
    publish("distil", "A student, alone and taught", body, main_rows, {"all": rows}, page="compress.md")


if __name__ == "__main__":
    main()
