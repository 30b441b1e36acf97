"""How exactly tkit's integer arithmetic foretells an int8 file: ResNet-8 on real images, against LiteRT's kernels.

    TKIT_TEST_DATA=DIR python benchmarks/integer_exact.py          # DIR holds cifar10-jpeg.tar.gz

Weights are drawn at random, batch-norm statistics are those of the training images: whether bytes agree doesn't
depend on what was learned. Half a minute.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _report import publish
from _sides import RESULTS, append, read

if TYPE_CHECKING:
    from tkit_edge.tensors import Arrays

IMAGES, CALIBRATION = 1_000, 500
# Whose arithmetic, and against which of the runtime's kernels; builtin's has none of its own.
PAIRS = (("reference", "reference"), ("xnnpack", "xnnpack"), ("reference", "builtin"), ("reference", "xnnpack"))


def main() -> None:
    folder = os.environ.get("TKIT_TEST_DATA")
    if not folder:
        print("integer_exact.py is left out: TKIT_TEST_DATA doesn't say where cifar10-jpeg.tar.gz is.")
        return
    path = RESULTS / "integer_exact.jsonl"
    if len(read(path)) < len(PAIRS):
        path.unlink(missing_ok=True)
        for row in measured(str(Path(folder) / "cifar10-jpeg.tar.gz")):
            append(path, row)
    report(read(path))


def int8_file(train: np.ndarray, calibration: Arrays) -> bytes:
    """ResNet-8's int8 file."""
    import keras

    from tkit.conversion.converter import Converter
    from tkit.models import Spec, Statistics
    from tkit.models.resnet import ResNet

    keras.utils.set_random_seed(0)
    pixels = train[:1000].astype(np.float32)
    statistics = Statistics(float(pixels.mean()), float(pixels.var()))
    model = ResNet(depth=8).build(Spec.of_images(train.shape[1:], 10, statistics))
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.gamma.shape[0]
            layer.set_weights([random.uniform(0.5, 1.5, count), random.normal(0, 0.3, count), *layer.get_weights()[2:]])
    for _ in range(30):  # the moving averages forget nine tenths of their start in 22 steps
        model(pixels[random.integers(0, len(pixels), 128)], training=True)
    with Converter(model, calibration, io="int8") as convert:
        return convert("int8")


def measured(archive: str) -> list[dict[str, Any]]:
    """A row for each of the pairs."""
    import tkit
    from tkit.conversion.calibration import stratified
    from tkit.integer.differences import compare
    from tkit.integer.model import IntegerModel
    from tkit_edge.runtime import Model

    splits = tkit.load_recipe("cifar10_resnet8", [f"data.source={archive}"]).recipe.data.load(seed=0)
    inputs = splits.input.tensors
    images = stratified(splits.test, IMAGES, 0, inputs)["image"]
    data = int8_file(np.asarray(splits.train.images[:5000]), stratified(splits.train, CALIBRATION, 0, inputs))
    rows = []
    for arithmetic, kernels in PAIRS:
        ours, theirs = IntegerModel(data, kernels=arithmetic), Model(data, kernels=kernels)
        began = time.process_time()
        logits = ours.predict(images)
        middle = time.process_time()
        expected = theirs.predict(images)
        ended = time.process_time()
        rows.append(
            {
                "arithmetic": arithmetic,
                "kernels": kernels,
                "logits": float(np.mean(logits == expected)),
                "images": float(np.mean((logits == expected).all(axis=1))),
                "top1": float(np.mean(logits.argmax(axis=1) == expected.argmax(axis=1))),
                "operators": [item._asdict() for item in compare(data, images, kernels, arithmetic=arithmetic)],
                "seconds": middle - began,
                "their_seconds": ended - middle,
            }
        )
    return rows


def report(rows: list[dict[str, Any]]) -> None:
    """The page's section."""
    whole = [
        "| arithmetic | LiteRT's kernels | logits equal | all ten equal | same top-1 class | CPU s | LiteRT's CPU s |"
    ]
    whole.append("| --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        shares = (f"{100 * row[key]:.2f} %" for key in ("logits", "images", "top1"))
        seconds = f"{row['seconds']:.2f} | {row['their_seconds']:.2f}"
        whole.append(f"| {row['arithmetic']} | {row['kernels']} | {' | '.join(shares)} | {seconds} |")
    names = (f"{row['arithmetic']}, {row['kernels']}" for row in rows)
    alone = [f"| | operator | {' | '.join(names)} |", f"| --- | --- |{' --- |' * len(rows)}"]
    for items in zip(*(row["operators"] for row in rows), strict=True):
        cells = (
            f"{100 * item['differing']:.3f} % (by {item['largest']})" if item["differing"] else "0" for item in items
        )
        alone.append(f"| {items[0]['operator']} | {items[0]['name']} | {' | '.join(cells)} |")
    body = "\n".join(
        [
            f"ResNet-8's int8 file on {IMAGES:,} test images of CIFAR-10 as JPEGs: `tkit.integer.model` in the",
            "arithmetic of the reference kernels or of XNNPACK, and LiteRT, image by image. Seconds are those of",
            "the processor, for all images.",
            "",
            *whole,
            "",
            "Each operator alone, on the runtime's own inputs of it (`tkit.integer.differences`): the share of its",
            "output's codes that differ, and by how many codes at most. The reference kernels multiply by an integer",
            "of 31 bits and a power of two, and round after each; XNNPACK multiplies by a float32, halves to even.",
            "",
            *alone,
        ]
    )
    publish("integer_exact", "What the device answers, computed", body, [], {"all": rows}, page="compress.md")


if __name__ == "__main__":
    main()
