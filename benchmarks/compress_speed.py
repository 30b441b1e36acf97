"""Wall time of compression's fine-tuning: each native step against TFMOT's, whole, on equal epochs and images.

make bench, or: python benchmarks/compress_speed.py
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from _report import publish
from _sides import Turns, compare, ratios, table

BATCH, STEPS, EPOCHS, REPEATS = 256, 50, 2, 3
PAIRS = {
    "50 % pruned": (f"prune:epochs={EPOCHS}", f"tfmot_prune:epochs={EPOCHS}"),
    "16 clusters": (f"cluster:epochs={EPOCHS}", f"tfmot_cluster:epochs={EPOCHS}"),
    "QAT": (f"quantize:aware=true,epochs={EPOCHS}", f"tfmot_quantize:epochs={EPOCHS}"),
}
"""What is made, and the steps that make it: native, TFMOT's."""


def whole(turns: Turns, step: str) -> None:
    """One step from a trained model to a compressed one, tracing and calibration included."""
    import keras

    from tkit import load_recipe
    from tkit.compression.workbench import Workbench
    from tkit.contract import Contract
    from tkit.models import Spec, Statistics
    from tkit.promises import Kept, State
    from tkit.stages.compress import parse
    from tkit_edge.inputs.image import Image
    from tkit_pipelines.dataset import labelled
    from tkit_pipelines.splits import Splits

    recipe = load_recipe("cifar10_resnet8").recipe
    random = np.random.default_rng(0)

    def examples(count: int) -> Any:
        images = random.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        return labelled(images, np.arange(count, dtype=np.int32) % 10)

    parts = examples(BATCH * STEPS), examples(BATCH), examples(BATCH)
    splits = Splits(*parts, tuple("0123456789"), Image(32, 32, 3), "random")
    (made,) = parse([step], recipe)

    def once() -> dict[str, float]:
        keras.backend.clear_session()
        keras.utils.set_random_seed(0)
        model = recipe.model.build(Spec.of_images((32, 32, 3), 10, Statistics(120.0, 4000.0)))
        work = Workbench(
            data=recipe.data,
            fit=recipe.fit,
            export=recipe.export,
            seed=recipe.seed,
            splits=splits,
            contract=Contract.of(recipe.task, splits),
        )
        began = time.perf_counter()
        made.apply(State(model, Kept()), work)
        return {"seconds": time.perf_counter() - began}

    turns.measure(once)


def _side(step: str) -> Any:
    return lambda turns: whole(turns, step)


SIDES = {
    f"{name}, {who}": _side(step)
    for name, steps in PAIRS.items()
    for who, step in zip(("native", "TFMOT"), steps, strict=True)
}


def main() -> None:
    measured = compare("compress_speed", SIDES, REPEATS)
    tables, rows = [], []
    for name in PAIRS:
        native, tfmot = f"{name}, native", f"{name}, TFMOT"
        tables.append(table({side: measured[side] for side in (native, tfmot)}, "seconds", against=native, digits=1))
        ratio = ratios(measured, "seconds", native, tfmot)
        rows.append((f"ResNet-8, {name}, {EPOCHS} epochs: wall time, native / TFMOT", f"{ratio:.2f} x"))
    heading = f"Seconds of a step on ResNet-8, tracing included, {EPOCHS} epochs of {STEPS} random batches of {BATCH}."
    body = "\n\n".join([heading, *tables])
    publish("compress_speed", "Wall time against TFMOT", body, rows, measured, page="compress.md")


if __name__ == "__main__":
    main()
