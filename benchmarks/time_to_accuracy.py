"""Wall time to an accuracy, ResNet-8 on CIFAR-10 as JPEGs: tkit, plain Keras 3 `fit`, and MLPerf Tiny's recipe.

    TKIT_TEST_DATA=DIR python benchmarks/time_to_accuracy.py          # DIR holds cifar10-jpeg.tar.gz

What a person waits for: from the start of the process to the trained model, data and TensorFlow's import included. The
goal is 83.65 % of the 10,000 test images in float. Each side trains once, with a schedule chosen beforehand, and is
measured on the test images once at its end: tkit's recipe in 15 epochs; the same network with Nesterov SGD, a one-cycle
schedule and Keras's own random layers in `fit`, 30 epochs; MLPerf Tiny's recipe for as long as the slower of the two
took, as it needs hundreds of epochs. All run in one call, one after the other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from _report import publish
from _sides import RESULTS, append, machine, read

GOAL = 0.8365
TKIT, KERAS, MLPERF = "tkit, 15 epochs", "Keras 3 fit, one-cycle SGD, 30 epochs", "MLPerf Tiny's recipe"


def main() -> None:
    if sys.argv[1:2] == ["--side"]:
        print(json.dumps(SIDES[sys.argv[2]](sys.argv[3], float(sys.argv[4]))))
        return
    folder = os.environ.get("TKIT_TEST_DATA")
    if not folder:
        print("time_to_accuracy.py is left out: TKIT_TEST_DATA doesn't say where cifar10-jpeg.tar.gz is.")
        return
    data, path = str(Path(folder) / "cifar10-jpeg.tar.gz"), RESULTS / "time_to_accuracy.jsonl"
    rows = {row["side"]: row for row in read(path)}
    if set(rows) != set(SIDES):  # a ratio is of one call
        path.unlink(missing_ok=True)
        rows, limit = {}, 0.0
        for side in SIDES:
            began = time.perf_counter()
            command = [sys.executable, __file__, "--side", side, data, str(limit)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
            seconds = time.perf_counter() - began
            limit = max(limit, seconds)
            append(path, {"side": side, "seconds": seconds, **json.loads(done.stdout.splitlines()[-1])})
        rows = {row["side"]: row for row in read(path)}
    report(rows)


def tkit_side(data: str, limit: float) -> dict[str, Any]:
    """tkit's recipe in 15 epochs; augmentation, Muon and schedule are its own."""
    import tempfile

    import tkit

    with tempfile.TemporaryDirectory() as folder:
        overrides = [f"data.source={data}", "fit.epochs=15", "fit.lookahead=0"]
        run = tkit.fit("cifar10_resnet8", overrides=overrides, runs_dir=folder)
        return {"accuracy": tkit.evaluate(run, format="keras")["accuracy"], "epochs": 15}


def keras_side(data: str, limit: float) -> dict[str, Any]:
    """The same network as Keras's guides train one."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import numpy as np
    import tensorflow as tf

    import tkit
    from tkit.models import Spec, Statistics
    from tkit.models.resnet import ResNet

    keras.utils.set_random_seed(0)
    splits = tkit.load_recipe("cifar10_resnet8", [f"data.source={data}"]).recipe.data.load(seed=0)
    epochs, batch = 30, 256
    steps = len(splits.train.labels) // batch
    augment = keras.Sequential([keras.layers.RandomFlip("horizontal"), keras.layers.RandomTranslation(0.1, 0.1)])
    pairs = (np.asarray(splits.train.images), np.eye(10, dtype=np.float32)[splits.train.labels])
    batches = tf.data.Dataset.from_tensor_slices(pairs).cache().shuffle(len(pairs[0])).batch(batch, True)
    batches = batches.map(lambda x, y: (augment(tf.cast(x, tf.float32), training=True), y), tf.data.AUTOTUNE)
    model = ResNet(depth=8).build(Spec.of_images((32, 32, 3), 10, Statistics(120.0, 4000.0)))
    up = epochs * steps // 4
    rate = keras.optimizers.schedules.CosineDecay(0.0, epochs * steps - up, warmup_target=0.4, warmup_steps=up)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.05)
    model.compile(keras.optimizers.SGD(rate, 0.9, nesterov=True, weight_decay=5e-4), loss, metrics=["accuracy"])
    model.fit(batches.prefetch(tf.data.AUTOTUNE), epochs=epochs, verbose=0)
    guesses = model.predict(np.asarray(splits.test.images, np.float32), batch_size=256, verbose=0).argmax(1)
    return {"accuracy": float(np.mean(guesses == splits.test.labels)), "epochs": epochs}


def mlperf_side(data: str, limit: float) -> dict[str, Any]:
    """MLPerf Tiny's recipe, ended after `limit` seconds."""
    from accuracy import mlperf_tiny

    found = mlperf_tiny(data, limit)
    return {"accuracy": found["float"], "epochs": found["epochs"]}


SIDES = {KERAS: keras_side, TKIT: tkit_side, MLPERF: mlperf_side}


def report(rows: dict[str, dict[str, Any]]) -> None:
    """The page's section and the README's row."""
    lines = ["| side | epochs | minutes | test accuracy, float | reached |", "| --- | --- | --- | --- | --- |"]
    for side, row in rows.items():
        reached = "yes" if row["accuracy"] >= GOAL else "no"
        cells = f"{row['epochs']} | {row['seconds'] / 60:.1f} | {row['accuracy']:.2%} | {reached}"
        lines.append(f"| {side} | {cells} |")
    goal, share = f"{GOAL:.2%}", rows[KERAS]["seconds"] / rows[TKIT]["seconds"]
    body = "\n".join(
        [
            f"From the start of the process to a ResNet-8 trained to {goal} of the 10,000 test images (CIFAR-10 as",
            "JPEGs), once per side, in one call. Keras's side has the same network; MLPerf Tiny's recipe ends when the",
            "slowest of the others had ended.",
            "",
            *lines,
        ]
    )
    reached = all(rows[side]["accuracy"] >= GOAL for side in (KERAS, TKIT))
    figure = f"{share:.1f} x" + ("" if reached else " (not reached by both: see the page)")
    what = f"ResNet-8 to {goal} on the test images, wall time on {machine(rows[TKIT])}: plain Keras 3 `fit` / tkit"
    publish("time_to_accuracy", f"Wall time to {goal}, ResNet-8", body, [(what, figure)], {"all": list(rows.values())})


if __name__ == "__main__":
    main()
