"""What compression costs and buys on CIFAR-10 as JPEGs: each case's int8 file against the float model it came from.

    TKIT_TEST_DATA=DIR python benchmarks/compress.py              # DIR holds cifar10-jpeg.tar.gz
    TKIT_TEST_DATA=DIR python benchmarks/compress.py PART         # only the case PART, or those whose names contain it
    python benchmarks/compress.py --run RUN [PART]                # on a run that is there, of one seed

Accuracy is on all test images, measured once a case; drops are paired, with their 95 % intervals. Sizes and latency
are ratios to the int8 file that plain export makes of the same model. What is measured stays in
benchmarks/results/compress.jsonl, known by the model's and the case's digest, and isn't measured again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from _latency import speedup
from _report import publish
from _sides import RESULTS, append, machine, read

RUNS = RESULTS / "runs"
CASES: dict[str, tuple[str, ...]] = {
    "int8, calibrated by the converter": (),
    "int8, calibrated": ("quantize",),
    "int8, trained (QAT)": ("quantize:aware=true",),
    "50 % pruned": ("prune:sparsity=0.5",),
    "75 % pruned": ("prune:sparsity=0.75",),
    "75 % pruned, taught": ("prune:sparsity=0.75,scope=global,teacher=self,epochs=24",),
    "2:4 pruned": ("prune:pattern=2:4",),
    "16 clusters, QAT (CQAT)": ("cluster:clusters=16", "quantize:aware=true"),
    "50 % pruned, 16 clusters, QAT (PCQAT)": ("prune:sparsity=0.5", "cluster:clusters=16", "quantize:aware=true"),
    "75 % pruned, 12 clusters, QAT (PCQAT)": ("prune:sparsity=0.75", "cluster:clusters=12", "quantize:aware=true"),
    "65.5 % pruned, 12 clusters for all layers, QAT, taught (PCQAT)": (
        "prune:sparsity=0.655,scope=global,teacher=self,epochs=24",
        "cluster:clusters=12,scope=global,teacher=self,epochs=6",
        "quantize:aware=true,epochs=4,teacher=self",
    ),
    "channels, 1.5 times as fast": ("channels:speedup=1.5",),
    "channels, 1.5 times as fast, taught": (
        "channels:speedup=1.5,epochs=1",
        "distil:epochs=30,as_run=true",
    ),
    "4-bit weights, trained (QAT)": ("quantize:aware=true,int4=conv2d+dense",),
    "50 % pruned, TFMOT": ("tfmot_prune:sparsity=0.5",),
    "16 clusters, QAT (CQAT), TFMOT": ("tfmot_cluster:clusters=16", "tfmot_quantize"),
    "int8, trained (QAT), TFMOT": ("tfmot_quantize",),
}
"""Name to steps; the int8 file of a case without a quantize step is what plain export makes."""
INT8 = ("int8, calibrated by the converter", "int8, calibrated", "int8, trained (QAT)")
SHOWN = (
    "int8, trained (QAT)",
    "50 % pruned",
    "75 % pruned, taught",
    "65.5 % pruned, 12 clusters for all layers, QAT, taught (PCQAT)",
    "channels, 1.5 times as fast, taught",
)
"""Cases in the README's table, of each model that was trained longest: the mean of the seeds that were measured."""


class Base(NamedTuple):
    """A model that is compressed: a recipe with overrides, how many seeds, and the cases, all by default."""

    recipe: str
    overrides: tuple[str, ...] = ()
    seeds: int = 1
    cases: tuple[str, ...] = tuple(CASES)


TRANSFORMER = RESULTS / "transformer.keras"
BASES = (
    Base("cifar10_resnet8", seeds=3),
    Base("cifar10_resnet20", cases=(*INT8, "channels, 1.5 times as fast", "channels, 1.5 times as fast, taught")),
    Base(
        "cifar10_mobilenet",
        ("name=mobilenet", "model.width=0.35", "model.depth=0.34", "fit.epochs=10"),
        cases=INT8,
    ),
    Base(
        "cifar10_resnet8",
        (
            "name=transformer",
            f"model=keras_file:path={TRANSFORMER}",
            "fit.epochs=15",
            "fit.optimizer=adamw",
            "fit.l2=0",
        ),
        cases=INT8,
    ),
)
FORMATS = ("export.formats=float32,int8", "export.parity.drop=1", "export.parity.agreement=0")


def main() -> None:
    parser = argparse.ArgumentParser(description="What compression costs and buys.")
    parser.add_argument(
        "part", nargs="?", default="", metavar="PART", help="only that case, or those that it is part of"
    )
    parser.add_argument("--run", help="a run that is there, in the place of the recipes'")
    arguments = parser.parse_args()
    if arguments.run is None and "TKIT_TEST_DATA" not in os.environ:
        print("compress.py is left out: TKIT_TEST_DATA doesn't say where cifar10-jpeg.tar.gz is.")
        return
    path = RESULTS / "compress.jsonl"
    for run, cases in [(arguments.run, tuple(CASES))] if arguments.run else bases():
        for name in cases:
            key = identity(run, steps := CASES[name])
            wanted = name == arguments.part if arguments.part in CASES else arguments.part in name
            if wanted and all(row["key"] != key for row in read(path, anywhere=True)):
                print(f"{name} of {run} ...", file=sys.stderr, flush=True)
                append(path, {"key": key, "case": name, **measured(run, steps)})
    rows = read(path, anywhere=True)
    if rows:
        report(rows)


def bases(chosen: Sequence[Base] = BASES) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The bases' runs with their cases, trained where they aren't there (benchmarks/accuracy.py's serve)."""
    import tkit

    data = json.dumps(str(Path(os.environ["TKIT_TEST_DATA"]) / "cifar10-jpeg.tar.gz"))
    for base in chosen:
        if any(str(TRANSFORMER) in override for override in base.overrides) and not TRANSFORMER.exists():
            transformer().save(TRANSFORMER)
        for seed in range(base.seeds):
            overrides = [f"data.source={data}", f"seed={seed}", *base.overrides]
            wanted = tkit.load_recipe(base.recipe, overrides).recipe
            there = [item.parent for item in sorted(RUNS.glob(f"{wanted.name}-*/manifest.json"))]
            runs = [run for run in map(tkit.Run.open, there) if run.recipe == wanted]
            trained = [run for run in runs if "float/fit" in run.manifest["stages"]]
            yield str((trained or [tkit.fit(wanted, runs_dir=RUNS)])[0].folder), base.cases


def transformer() -> Any:
    """Two pre-LN Transformer blocks on 64 patches of 4x4 pixels, untrained."""
    import keras
    from keras import layers

    features, heads = 64, 2
    keras.utils.set_random_seed(0)
    inputs = keras.Input((32, 32, 3), name="image")
    x = layers.Rescaling(1 / 63, -1.9, name="normalize")(inputs)
    x = layers.Conv2D(32, 3, strides=2, padding="same", activation="relu", name="stem")(x)
    x = layers.Conv2D(features, 3, strides=2, padding="same", name="patches")(x)  # the padding says where a patch is
    x = layers.Reshape((64, features), name="tokens")(x)
    for block in ("first", "second"):
        y = layers.LayerNormalization(name=f"{block}_norm_1")(x)
        y = layers.MultiHeadAttention(heads, features // heads, name=f"{block}_attention")(y, y)
        x = layers.Add(name=f"{block}_add_1")([x, y])
        y = layers.LayerNormalization(name=f"{block}_norm_2")(x)
        y = layers.Dense(2 * features, activation="gelu", name=f"{block}_up")(y)
        x = layers.Add(name=f"{block}_add_2")([x, layers.Dense(features, name=f"{block}_down")(y)])
    x = layers.GlobalAveragePooling1D(name="pool")(layers.LayerNormalization(name="norm")(x))
    return keras.Model(inputs, layers.Dense(10, name="logits")(x), name="transformer")


def identity(run: str, steps: tuple[str, ...]) -> str:
    """Of the model that is compressed, and of all settings of the steps."""
    from tkit.run_folder import Run
    from tkit.stages.compress import parse

    opened = Run.open(run)
    weights = opened.entry("fit", "float")["outputs"]["float/weights.npz"]
    resolved = [_resolved(step).model_dump_json() for step in parse(list(steps), opened.recipe)] if steps else []
    return hashlib.sha256(json.dumps([weights, resolved]).encode()).hexdigest()[:16]


def _resolved(step: Any) -> Any:
    """The step with the number of epochs that it has on a set as large as CIFAR-10."""
    epochs = getattr(step, "epochs", None) or getattr(step, "usual_epochs", None)
    return step.model_copy(update={"epochs": epochs}) if epochs else step


def measured(run: str, steps: tuple[str, ...]) -> dict[str, Any]:
    """One case's figures."""
    import tkit
    from tkit.conversion.statistics import paired_drop
    from tkit_edge import anatomy
    from tkit_edge.accuracy import wilson
    from tkit_edge.runtime import Model

    began = time.perf_counter()
    opened = tkit.Run.open(run)
    resumed = any(opened.folder.glob("*/checkpoints/*"))  # by a compression: those of the run itself lie higher
    entry = tkit.compress(opened, list(steps)) if steps else None
    minutes = None if resumed else round((time.perf_counter() - began) / 60, 1)
    variant = entry["variant"] if entry else "float"
    files = {}
    for name in ("float", variant):
        # The gate isn't the matter here: the drop is what is measured.
        tkit.export(opened, variant=name, overrides=FORMATS)
        folder = opened.folder / name / "export"
        files[name] = {fmt: (folder / f"model-{fmt}.tflite").read_bytes() for fmt in ("float32", "int8")}
    test = opened.recipe.data.load(seed=opened.recipe.seed).test
    right = [
        Model(data).predict(test.images).argmax(axis=1) == test.labels
        for data in (files["float"]["float32"], files[variant]["int8"])
    ]
    drop, interval = paired_drop(*right)
    zips = [anatomy.dissect(files[name]["int8"]).zip_bytes for name in ("float", variant)]
    return {
        "run": opened.recipe.name,
        "seed": opened.recipe.seed,
        "epochs": len((opened.folder / "history.csv").read_text().splitlines()) - 1,
        "float": float(np.mean(right[0])),
        "int8": float(np.mean(right[1])),
        "interval": list(wilson(int(right[1].sum()), len(test.labels))),
        "drop": drop,
        "drop_interval": list(interval),
        "images": len(test.labels),
        "bytes": len(files[variant]["int8"]),
        "zip_bytes": zips[1],
        "zip_ratio": zips[0] / zips[1],
        "speedup": speedup(files["float"]["int8"], files[variant]["int8"]),
        "minutes": minutes,
    }


def dropped(row: dict[str, Any]) -> str:
    """Points of accuracy, and their interval."""
    low, high = row["drop_interval"]
    return f"{100 * row['drop']:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"


def drops(seeds: list[dict[str, Any]]) -> str:
    """One seed's drop and its interval, or the mean of several and their range."""
    if len(seeds) == 1:
        return dropped(seeds[0])
    points = [100 * row["drop"] for row in seeds]
    return f"{fmean(points):+.2f} ({min(points):+.2f} to {max(points):+.2f}, {len(points)} seeds)"


def report(rows: list[dict[str, Any]]) -> None:
    """The table, by model and case, seeds side by side."""
    order = {name: place for place, name in enumerate(CASES)}
    lines = [
        "| model | case | seed | int8 | drop in points (95 %) | zip, times smaller | times as fast | minutes | on |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    rows = sorted(rows, key=lambda row: (row["run"], row["epochs"], order[row["case"]], row["seed"]))
    for row in rows:
        minutes = "" if row["minutes"] is None else row["minutes"]
        lines.append(
            f"| {row['run']}, {row['epochs']} epochs: {row['float']:.2%} | {row['case']} | {row['seed']} "
            f"| {row['int8']:.2%} | {dropped(row)} "
            f"| {row['zip_ratio']:.2f} | {row['speedup']:.2f} | {minutes} | {machine(row)} |"
        )
    images = sorted({row["images"] for row in rows})
    body = (
        f"{', '.join(f'{count:,}' for count in images)} test images. Drop: against the float32 file, paired. Zip "
        "and speed: against the int8 file that plain export makes of the same model. Minutes: none where the case was "
        "interrupted and went on.\n\n" + "\n".join(lines)
    )
    longest = {row["run"]: row["epochs"] for row in rows}  # sorted by epochs
    shown: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
    for row in rows:
        if row["case"] in SHOWN and row["epochs"] == longest[row["run"]]:
            shown.setdefault((row["run"], row["epochs"], row["case"]), []).append(row)
    main_rows = [
        (
            f"{run}, {epochs} epochs, {case}: int8 accuracy, drop (95 %, or range of seeds), zip, latency",
            f"{fmean(row['int8'] for row in seeds):.2%}, {drops(seeds)}, "
            f"{fmean(row['zip_ratio'] for row in seeds):.2f} times smaller, "
            f"{fmean(row['speedup'] for row in seeds):.2f} times as fast",
        )
        for (run, epochs, case), seeds in shown.items()
    ]
    publish("compress", "Accuracy, size and speed", body, main_rows, {"all": rows}, page="compress.md")


if __name__ == "__main__":
    main()
