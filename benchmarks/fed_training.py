"""Training ResNet-8 fed by the whole pipeline (flip, translate, cutout) against the same fed from a constant batch.

make bench, or: python benchmarks/fed_training.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from _constant import Constant, contract
from _report import publish
from _sides import Turns, compare, epoch_a_turn, ratios, table

BATCH, STEPS, IMAGES, REPEATS = 128, 200, 50_000, 5


def _trained(turns: Turns, make: Callable[[], Any]) -> None:
    import keras

    from tkit.models import Spec, Statistics
    from tkit.models.resnet import ResNet
    from tkit.training.config import Fit
    from tkit.training.engine import train

    batches = make()
    model = ResNet(depth=8).build(Spec.of_images((32, 32, 3), 10, Statistics(120.0, 4000.0)))
    validation = batches.dataset().take(1)

    settings, callbacks = Fit(epochs=1000, l2=1e-4), [epoch_a_turn(keras, turns, STEPS, BATCH)]
    train(model, batches, validation, settings, contract(), callbacks=callbacks, max_steps=STEPS)


def fed(turns: Turns) -> None:
    """The pipeline as recipes use it."""

    def make() -> Any:
        from tkit_pipelines.batches import Batches
        from tkit_pipelines.data.images import Images
        from tkit_pipelines.dataset import labelled
        from tkit_pipelines.ops.cutout import Cutout
        from tkit_pipelines.ops.flip import Flip
        from tkit_pipelines.ops.translate import Translate

        random = np.random.default_rng(0)
        images = random.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
        examples = labelled(images, random.integers(0, 10, IMAGES).astype(np.int32))
        ops = (Flip(), Translate(pixels=3), Cutout(size=8))
        data = Images(source="digits", image_size=(32, 32), batch_size=BATCH, augment=ops)
        return Batches(examples, data, contract().encoded, seed=0)

    _trained(turns, make)


def constant(turns: Turns) -> None:
    """One batch over and over."""
    _trained(turns, lambda: Constant(BATCH, STEPS))


FED, CONSTANT = "fed by the pipeline", "fed from a constant batch"
SIDES = {FED: fed, CONSTANT: constant}


def main() -> None:
    measured = compare("fed_training", SIDES, REPEATS)
    ratio = ratios(measured, "images_per_second", FED, CONSTANT)
    body = f"""Images a second of ResNet-8, batches of 128, tkit's default precision.

{table(measured, "images_per_second", against=FED)}"""
    rows = [("ResNet-8 trained with flip + translate + cutout / from a constant batch, images/s", f"{ratio:.2f} x")]
    publish("fed_training", "ResNet-8 training: fed by the pipeline, or from a constant batch", body, rows, measured)


if __name__ == "__main__":
    main()
