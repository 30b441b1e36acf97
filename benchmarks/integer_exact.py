"""How exactly tkit's integer arithmetic foretells an int8 file: ResNet-8 on real pictures, against LiteRT's kernels.

    TKIT_TEST_DATA=DIR python benchmarks/integer_exact.py          # DIR holds cifar10-jpeg.tar.gz

Weights are drawn at random, batch-norm statistics are those of the training pictures: whether bytes agree doesn't
depend on what was learned. Half a minute.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from _report import publish
from _sides import RESULTS, append, read

PICTURES, CALIBRATION = 1_000, 500
KERNELS = ("reference", "builtin", "xnnpack")


def main() -> None:
    folder = os.environ.get("TKIT_TEST_DATA")
    if not folder:
        print("integer_exact.py is left out: TKIT_TEST_DATA doesn't say where cifar10-jpeg.tar.gz is.")
        return
    path = RESULTS / "integer_exact.jsonl"
    if len(read(path)) < len(KERNELS):
        path.unlink(missing_ok=True)
        for row in measured(str(Path(folder) / "cifar10-jpeg.tar.gz")):
            append(path, row)
    report(read(path))


def int8_file(train: np.ndarray, calibration: np.ndarray) -> bytes:
    """ResNet-8's int8 file."""
    import keras

    from tkit.export.convert import Converter
    from tkit.models import PixelStatistics
    from tkit.models.resnet import ResNet

    keras.utils.set_random_seed(0)
    pixels = train[:1000].astype(np.float32)
    statistics = PixelStatistics(float(pixels.mean()), float(pixels.var()))
    model = ResNet(depth=8).build(train.shape[1:], 10, statistics)
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
    """A row for each of the kernels."""
    import tkit
    from tkit.compress.differences import compare
    from tkit.compress.integer import IntegerModel
    from tkit.export.calibration import stratified
    from tkit_edge.runtime import Model

    splits = tkit.load_recipe("cifar10_resnet8", [f"data.source={archive}"]).recipe.data.load(seed=0)
    images = stratified(splits.test, PICTURES, seed=0)
    data = int8_file(np.asarray(splits.train.images[:5000]), stratified(splits.train, CALIBRATION, seed=0))
    ours = IntegerModel(data)
    ours.predict(images[:50])
    began = time.perf_counter()
    logits = ours.predict(images)
    seconds = time.perf_counter() - began
    rows = []
    for kernels in KERNELS:
        model = Model(data, kernels=kernels)
        began = time.perf_counter()
        theirs = model.predict(images)
        took = time.perf_counter() - began
        rows.append(
            {
                "kernels": kernels,
                "logits": float(np.mean(logits == theirs)),
                "pictures": float(np.mean((logits == theirs).all(axis=1))),
                "top1": float(np.mean(logits.argmax(axis=1) == theirs.argmax(axis=1))),
                "operators": [item._asdict() for item in compare(data, images, kernels)],
                "our_seconds": seconds,
                "seconds": took,
            }
        )
    return rows


def report(rows: list[dict[str, Any]]) -> None:
    """The page's section."""
    whole = ["| LiteRT's kernels | logits equal | pictures with all ten equal | same top-1 class | seconds |"]
    whole.append("| --- | --- | --- | --- | --- |")
    for row in rows:
        shares = (f"{100 * row[key]:.2f} %" for key in ("logits", "pictures", "top1"))
        whole.append(f"| {row['kernels']} | {' | '.join(shares)} | {row['seconds']:.2f} |")
    alone = [f"| | operator | {' | '.join(row['kernels'] for row in rows)} |", f"| --- | --- |{' --- |' * len(rows)}"]
    for items in zip(*(row["operators"] for row in rows), strict=True):
        cells = (
            f"{100 * item['differing']:.3f} % (by {item['largest']})" if item["differing"] else "0" for item in items
        )
        alone.append(f"| {items[0]['operator']} | {items[0]['name']} | {' | '.join(cells)} |")
    body = "\n".join(
        [
            f"ResNet-8's int8 file on {PICTURES:,} test pictures of CIFAR-10 as JPEGs, by `tkit.compress.integer` and",
            f"by LiteRT. Integer arithmetic took {rows[0]['our_seconds']:.1f} s for all of them; the runtime's seconds",
            "are those of one thread, picture by picture.",
            "",
            *whole,
            "",
            "Each operator alone, on the runtime's own inputs of it (`tkit.compress.differences`): the share of its",
            "output's codes that differ, and by how many codes at most.",
            "",
            *alone,
        ]
    )
    publish("integer_exact", "What the device answers, computed", body, [], {"all": rows}, page="compress.md")


if __name__ == "__main__":
    main()
