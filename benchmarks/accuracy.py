"""Accuracy of the CIFAR-10 recipes as they stand, and of MLPerf Tiny's own training recipe on the same images.

    TKIT_TEST_DATA=DIR python benchmarks/accuracy.py          # DIR holds cifar10-jpeg.tar.gz
    TKIT_TEST_DATA=DIR python benchmarks/accuracy.py PART     # only the runs whose names contain PART

Each run is whole commands, `tkit run` and then `tkit evaluate --mirror`: trained, exported, and the int8 file
measured once on all 10,000 test images. MLPerf Tiny's side (mlcommons/tiny,
benchmark/training/image_classification: its ResNet-8, batches of 32, Adam at 1e-3 x 0.99 an epoch, turns by up to 15
degrees, shifts by up to a tenth, flips) runs in tf_keras, which it was written for, on the same training images for
as many epochs as cifar10_resnet8 had before lookahead. Hours on two cores: what is measured stays in
benchmarks/results/accuracy.jsonl, and a run that is there is not made again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean
from typing import Any

from _report import publish
from _sides import RESULTS, append, machine, read

MLPERF = "mlperf_tiny"
SHORT, BEFORE = 15, 45
_IRRELEVANT = {"bench": True, "compress": True, "fit": {"checkpoint": True}, "export": {"sparse": True}}
RUNS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{f"cifar10_resnet8, seed {seed}": ("cifar10_resnet8", (f"seed={seed}",)) for seed in range(3)},
    f"cifar10_resnet8, {SHORT} epochs": (
        "cifar10_resnet8",
        (f"fit.epochs={SHORT}", "fit.lookahead=0"),
    ),
    f"cifar10_resnet8, before lookahead, {BEFORE} epochs": (
        "cifar10_resnet8",
        (
            f"fit.epochs={BEFORE}",
            "fit.optimizer=muon",
            "fit.schedule=one_cycle",
            "fit.lookahead=0",
            "fit.l2=2.5e-4",
            "data.augment=flip,translate:pixels=2",
        ),
    ),
    "MLPerf Tiny's recipe": (MLPERF, ()),
    "cifar10_resnet20": ("cifar10_resnet20", ()),
}


def main() -> None:
    if sys.argv[1:2] == ["--mlperf"]:
        print(json.dumps(mlperf_tiny(sys.argv[2])))
        return
    folder = os.environ.get("TKIT_TEST_DATA")
    if not folder:
        print("accuracy.py is left out: TKIT_TEST_DATA doesn't say where cifar10-jpeg.tar.gz is.")
        return
    data = str(Path(folder) / "cifar10-jpeg.tar.gz")
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    path = RESULTS / "accuracy.jsonl"
    made = {name: identity(*run) for name, run in RUNS.items()}
    for name, (recipe, overrides) in RUNS.items():
        if part in name and all((row["run"], row["recipe"]) != (name, made[name]) for row in read(path, anywhere=True)):
            print(f"{name} ...", file=sys.stderr, flush=True)
            began = time.perf_counter()
            figures = once(recipe, data, overrides)
            minutes = round((time.perf_counter() - began) / 60, 1)
            append(path, {"run": name, "recipe": made[name], **figures, "minutes": minutes})
    rows = read(path, anywhere=True)
    report([row for name in RUNS for row in rows if (row["run"], row["recipe"]) == (name, made[name])])


def identity(recipe: str, overrides: tuple[str, ...]) -> str:
    """Tells a recipe from what it was before somebody changed it."""
    import tkit

    if recipe == MLPERF:
        what = f"{MLPERF} {BEFORE}"
    else:
        what = tkit.load_recipe(recipe, overrides).recipe.model_dump_json(exclude=_IRRELEVANT)
    return hashlib.sha256(what.encode()).hexdigest()[:16]


def once(recipe: str, data: str, overrides: tuple[str, ...]) -> dict[str, Any]:
    """One run's figures; accuracies are shares of the test images."""
    if recipe == MLPERF:
        return called(sys.executable, __file__, "--mlperf", data)
    tkit = str(Path(sys.executable).with_name("tkit"))
    runs = ("--runs-dir", str(RESULTS / "runs"))
    made = called(tkit, "run", "--recipe", recipe, "--data", data, *runs, *overrides, "--json")
    mirrored = called(tkit, "evaluate", made["fit"]["run"], "--mirror", "--json")
    files = {item["format"]: item for item in made["bench"]["metrics"]["results"] if item["score"]}
    return {
        "epochs": made["fit"]["metrics"]["epochs"],
        "float": files["float32"]["score"]["value"],
        "int8": files["int8"]["score"]["value"],
        "int8_bytes": files["int8"]["bytes"],
        "mirrored": mirrored["accuracy"],
        "images": files["int8"]["score"]["samples"],
    }


def called(*command: str) -> Any:
    """What a command prints as JSON; what it says meanwhile goes through."""
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout)


def mlperf_tiny(data: str, limit: float = math.inf) -> dict[str, Any]:
    """MLPerf Tiny's ResNet-8 trained in its own way, float accuracy; images and splits are tkit's.

    The first epoch that ends `limit` seconds after the start is the last.
    """
    began = time.perf_counter()
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    import numpy as np
    import tf_keras
    from tf_keras import layers, regularizers

    import tkit

    recipe = tkit.load_recipe("cifar10_resnet8", [f"data.source={data}"]).recipe
    splits = recipe.data.load(seed=0)

    def conv(x: Any, filters: int, size: int, strides: int) -> Any:
        return layers.Conv2D(
            filters, size, strides, "same", kernel_initializer="he_normal", kernel_regularizer=regularizers.L2(1e-4)
        )(x)

    tf_keras.utils.set_random_seed(0)
    inputs = layers.Input((32, 32, 3))
    x = layers.ReLU()(layers.BatchNormalization()(conv(inputs, 16, 3, 1)))
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        y = layers.ReLU()(layers.BatchNormalization()(conv(x, filters, 3, strides)))
        y = layers.BatchNormalization()(conv(y, filters, 3, 1))
        shortcut = x if strides == 1 else conv(x, filters, 1, strides)
        x = layers.ReLU()(layers.Add()([shortcut, y]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    model = tf_keras.Model(inputs, layers.Dense(10, activation="softmax", kernel_initializer="he_normal")(x))
    model.compile(tf_keras.optimizers.Adam(), "categorical_crossentropy", ["accuracy"])
    generator = tf_keras.preprocessing.image.ImageDataGenerator(
        rotation_range=15, width_shift_range=0.1, height_shift_range=0.1, horizontal_flip=True
    )
    one_hot = np.eye(10, dtype=np.float32)
    batches = generator.flow(np.asarray(splits.train.images), one_hot[splits.train.labels], batch_size=32)
    decay = tf_keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 * 0.99**epoch)

    class Limit(tf_keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            self.model.stop_training = time.perf_counter() - began > limit

    done = model.fit(batches, epochs=BEFORE, callbacks=[decay, Limit()], verbose=0, workers=2)
    guesses = model.predict(np.asarray(splits.test.images).astype(np.float32), verbose=0).argmax(1)
    right = float(np.mean(guesses == splits.test.labels))
    return {"epochs": len(done.epoch), "float": right, "images": len(guesses)}


def report(rows: list[dict[str, Any]]) -> None:
    """The page's section and the README's rows."""

    if not rows:
        return

    def percent(row: dict[str, Any], key: str) -> str:
        return f"{100 * row[key]:.2f} %" if key in row else ""

    lines = ["| run | epochs | float | int8 | int8 bytes | float, with the mirror image | minutes | on |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        cells = (percent(row, "float"), percent(row, "int8"), f"{row.get('int8_bytes', ''):,}" if "int8" in row else "")
        cells += (percent(row, "mirrored"), f"{row['minutes']:.0f}", machine(row))
        lines.append(f"| {row['run']} | {row['epochs']} | {' | '.join(cells)} |")
    body = "\n".join(
        [
            f"Test accuracy on all {rows[0]['images']:,} images of CIFAR-10 as JPEGs, which are lossy: lower than",
            "on the originals. MLPerf Tiny's recipe trains on the very same training images.",
            "",
            *lines,
        ]
    )
    main_rows = []
    seeds = [row for row in rows if "seed" in row["run"]]
    if seeds:
        int8 = [100 * row["int8"] for row in seeds]
        main_rows.append(
            (
                f"`cifar10_resnet8`, {seeds[0]['epochs']} epochs, int8 file of {seeds[0]['int8_bytes']:,} bytes, "
                f"10,000 test images, mean of {len(seeds)} seeds (range)",
                f"{mean(int8):.2f} % ({min(int8):.2f} to {max(int8):.2f})",
            )
        )
    for row in rows:
        if row not in seeds:
            key = "int8" if "resnet8" in row["run"] else "float"
            name = row["run"].removesuffix(f", {row['epochs']} epochs")
            main_rows.append((f"{name}, {row['epochs']} epochs, {key}, 10,000 test images", percent(row, key)))
    publish("accuracy", "Accuracy of the CIFAR-10 recipes", body, main_rows, {"all": rows})


if __name__ == "__main__":
    main()
