"""DCGAN: training speed against its peers, how far made images are from real ones, and what int8 costs and buys.

    python benchmarks/dcgan.py                       # the embedded digits
    TKIT_TEST_DATA=DIR python benchmarks/dcgan.py    # CIFAR-10 too: DIR holds cifar10-jpeg.tar.gz
    python benchmarks/dcgan.py PART                  # speed, and only the runs whose names contain PART
    python benchmarks/dcgan.py --quick               # all of it, as little as possible: nothing is kept

Speed: `_dcgan_sides.py`. Runs are whole commands, `tkit run` and `tkit evaluate`: the distance to the test images in
the feature space of the run's judge, beside the floor that as many real training images get; int8 files by the figures
of their gate, which lets all pass here, and by `tkit bench`, one thread. `dcgan_cifar10` gets as many epochs as this
machine makes in `--minutes`. Beside it `--steps` of its networks and of those of Keras's DCGAN tutorial
(`_tutorial_dcgan.py`; one step of them takes about five seconds): the same engine, batches and judge, each with its own
optimizer. What is measured stays in benchmarks/results/dcgan.jsonl, and a run that is there is not made again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from _dcgan_page import CIFAR10, DIGITS, OWN, TUTORIAL, Row, page
from _dcgan_sides import BATCH, SIDES, TKIT
from _report import publish
from _sides import RESULTS, Turns, append, compare, read
from accuracy import called, identity

SEEDS, REPEATS = range(3), 5
CIFAR10_IMAGES = 45_000
"""That train: a tenth is for validation."""
AVERAGED = 0.07
"""Share of the steps that the recipe's average of weights is over: 1,000 of 14,040."""
EXPORTED = (
    "export.formats=float32,int8",
    *(f"export.parity.{bound}" for bound in ("psnr=0", "distance=100", "agreement=0", "difference=2")),
    "bench.threads=1",
    "bench.kernels=xnnpack",
)


def main() -> None:
    if sys.argv[1:2] == ["--side"]:
        SIDES[sys.argv[2]](Turns())  # ends the process when there are no more turns
    if sys.argv[1:2] == ["--networks"]:
        print(json.dumps(trained(sys.argv[2], sys.argv[3], int(sys.argv[4]))))
        return
    parser = argparse.ArgumentParser(description="DCGAN: training speed, distance to real images, int8.")
    parser.add_argument("part", nargs="?", default="", metavar="PART", help="only runs whose names contain it")
    parser.add_argument("--minutes", type=float, default=30, help=f"training of {CIFAR10}")
    parser.add_argument("--steps", type=int, default=400, help="of the recipe's and the tutorial's networks")
    parser.add_argument("--quick", action="store_true", help="as little as possible of all, on made-up images")
    arguments = parser.parse_args()
    if arguments.quick:
        with tempfile.TemporaryDirectory(prefix="tkit-dcgan-") as scratch:
            folder = Path(scratch)
            speeds = compare("dcgan_speed", SIDES, 1, folder)
            digits(folder, arguments.part, (f"{DIGITS}, 1 epoch",), "fit.epochs=1")
            cifar10(folder, arguments.part, f"{CIFAR10}, 1 epoch", 2, "data.source=synthetic:10", "fit.epochs=1")
            print(page(speeds, read(folder / "dcgan.jsonl"))[0])
        return
    speeds = compare("dcgan_speed", SIDES, REPEATS)
    digits(RESULTS, arguments.part, tuple(f"{DIGITS}, seed {seed}" for seed in SEEDS))
    if data := os.environ.get("TKIT_TEST_DATA"):
        rate = median(row["images_per_second"] for row in speeds[TKIT])
        epochs = max(1, round(60 * arguments.minutes * rate / CIFAR10_IMAGES))
        source = f"data.source={json.dumps(str(Path(data) / 'cifar10-jpeg.tar.gz'))}"
        name = f"{CIFAR10}, {arguments.minutes:g} minutes"
        cifar10(RESULTS, arguments.part, name, arguments.steps, source, f"fit.epochs={epochs}")
    else:
        print(f"{CIFAR10} is left out: TKIT_TEST_DATA doesn't say where cifar10-jpeg.tar.gz is.")
    rows = current(read(RESULTS / "dcgan.jsonl", anywhere=True))
    body, goals = page(speeds, rows)
    measured = {**speeds, **{row["run"]: [row] for row in rows}}
    publish("dcgan", "DCGAN: speed, distance to real images, int8", body, [goal[:2] for goal in goals], measured)


def digits(folder: Path, part: str, names: tuple[str, ...], *overrides: str) -> None:
    """The runs of the embedded digits, one a seed."""
    for seed, name in enumerate(names):
        if part in name and not found(folder, name):
            keep(folder, name, partial(run_figures, folder, DIGITS, f"seed={seed}", *overrides))


def cifar10(folder: Path, part: str, name: str, steps: int, *overrides: str) -> None:
    """The recipe's run, and both networks after so many steps, measured by the run's judge."""
    if part in name and not found(folder, name):
        keep(folder, name, partial(run_figures, folder, CIFAR10, *overrides))
    made = found(folder, name)
    for networks in (OWN, TUTORIAL) if made else ():
        short = f"{CIFAR10}, {steps} steps of {networks}"
        there = found(folder, short)
        if part in short and (not there or there["judge"] != made["judge"]):
            run = str(folder / "runs" / made["folder"])
            keep(folder, short, partial(called, sys.executable, __file__, "--networks", networks, run, str(steps)))


def current(rows: list[Row]) -> list[Row]:
    """The newest row of each run of the recipes as they are now."""
    newest = {row["run"]: row for row in rows if row["recipe"] == identity(row["run"].partition(",")[0], ())}
    return [newest[name] for name in sorted(newest)]


def found(folder: Path, name: str) -> Row | None:
    """A run's newest row, if it is there."""
    return next((row for row in current(read(folder / "dcgan.jsonl", anywhere=True)) if row["run"] == name), None)


def keep(folder: Path, name: str, measure: Callable[[], Row]) -> None:
    """Measures a run and keeps its row."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    began = time.perf_counter()
    figures = measure()
    minutes = round((time.perf_counter() - began) / 60, 1)
    recipe = identity(name.partition(",")[0], ())
    append(folder / "dcgan.jsonl", {"run": name, "recipe": recipe, **figures, "minutes": minutes})


def run_figures(folder: Path, recipe: str, *overrides: str) -> Row:
    """One run's figures: of its Keras model on the test images, and of its int8 file."""
    tkit = str(Path(sys.executable).with_name("tkit"))
    runs = ("--runs-dir", str(folder / "runs"))
    made = called(tkit, "run", "--recipe", recipe, *runs, *EXPORTED, *overrides, "--json")
    latencies = {row["format"]: row["p50_ms"] for row in made["bench"]["metrics"]["results"]}
    int8 = made["export"]["metrics"]["int8"]
    return {
        "folder": Path(made["fit"]["run"]).name,
        **distances(called(tkit, "evaluate", made["fit"]["run"], "--json")),
        "epochs": made["fit"]["metrics"]["epochs"],
        "training": made["fit"]["seconds"],
        "int8": {
            **{key: int8[key] for key in ("psnr", "ratio", "ratio_interval", "bytes")},
            "speedup": latencies["float32"] / latencies["int8"],
        },
    }


def distances(figures: Row) -> Row:
    """What is kept of `Reference.figures`."""
    names = ("samples", "distance", "interval", "floor", "distance_to_floor")
    shares = ("precision", "recall", "real_precision", "real_recall")
    modes = {key: figures["modes"][key] for key in ("covered", "of")}
    return {key: figures[key] for key in (*names, *shares)} | modes | {"judge": figures["judge"]["sha256"]}


def trained(networks: str, run: str, steps: int) -> Row:
    """The figures of networks that were trained for so many steps on a run's images, by its judge."""
    import keras
    import tensorflow as tf
    from _tutorial_dcgan import TutorialDCGAN

    import tkit
    from tkit.arrays import predicted
    from tkit.compression.batch_statistics import estimate
    from tkit.compression.workbench import ESTIMATED
    from tkit.contract import Contract
    from tkit.conversion.calibration import stratified
    from tkit.evaluation.judge import FOLDER, Judge
    from tkit.evaluation.reference import Reference
    from tkit.models import Spec
    from tkit.training.config import Fit
    from tkit.training.engine import train
    from tkit.training.optimizers import REFERENCE_BATCH
    from tkit.training.optimizers.adamw import AdamW
    from tkit.training.schedules.step import Step
    from tkit_pipelines.batches import Batches

    opened = tkit.Run.open(run)
    recipe, seed = opened.recipe, opened.recipe.seed
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    splits = recipe.task.prepared(recipe.data.load(seed), seed)
    contract = Contract.of(recipe.task, splits)
    batches = Batches(splits.train, recipe.data, contract.encoded, seed)
    epochs = math.ceil(steps / batches.steps_per_epoch)
    if networks == TUTORIAL:
        model = TutorialDCGAN()
        adam = AdamW(learning_rate=1e-4 * math.sqrt(REFERENCE_BATCH / batches.batch_size), weight_decay=0.0)
        fit = Fit(epochs=epochs, optimizer=adam, schedule=Step(milestones=()))
    else:
        model = recipe.model
        fit = recipe.fit.model_copy(update={"epochs": epochs, "ema": max(0.0, 1 - 1 / (AVERAGED * steps))})
    spec = Spec(contract.input.tensors, contract.output.tensors, {})
    generator = model.build(spec)
    train(generator, batches, None, fit, contract, max_steps=math.ceil(steps / epochs), companion=model.companion(spec))
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in generator.layers):
        estimate(generator, stratified(splits.train, ESTIMATED, seed, contract.input.tensors), seed)
    made = predicted(generator, {"noise": splits.test.columns["noise"]}, contract.output.tensors, BATCH)
    judge = Judge.read(opened.folder / FOLDER)
    reference = Reference(judge, splits.test.images, splits.train.images, seed)
    return distances(reference.figures(contract.output.pixels(made)))


if __name__ == "__main__":
    main()
