"""What checkpoints cost: ResNet-8 trained with one every 100 steps, against the same without any.

make bench, or: python benchmarks/checkpoint_cost.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from _constant import Constant, contract
from _report import publish
from _sides import Turns, compare, epoch_a_turn, ratios, table

BATCH, STEPS, EVERY, REPEATS = 128, 420, 100, 8


def trained(turns: Turns, every: int | None) -> None:
    """ResNet-8 from a constant batch; checkpoints go to the temporary folder's disk."""
    import keras

    from tkit.models import Spec, Statistics
    from tkit.models.resnet import ResNet
    from tkit.training.checkpoint import Checkpoints
    from tkit.training.config import Fit
    from tkit.training.engine import train
    from tkit.training.saving import Saving

    with tempfile.TemporaryDirectory(prefix="tkit-checkpoints-") as folder:
        kept = Checkpoints(Path(folder), keep=2) if every else None
        saving = Saving(kept, steps=every, minutes=None, facts={}, start=None, go_on="")
        model = ResNet(depth=8).build(Spec.of_images((32, 32, 3), 10, Statistics(120.0, 4000.0)))
        batches = Constant(BATCH, STEPS)
        callbacks = [epoch_a_turn(keras, turns, STEPS, BATCH)]
        settings = Fit(epochs=1000, l2=1e-4)
        validation = batches.dataset().take(1)
        train(model, batches, validation, settings, contract(), callbacks=callbacks, saving=saving)


WITH, WITHOUT = f"a checkpoint every {EVERY} steps", "none"
SIDES = {WITH: lambda turns: trained(turns, EVERY), WITHOUT: lambda turns: trained(turns, None)}


def main() -> None:
    measured = compare("checkpoint_cost", SIDES, REPEATS)
    cost = 100 * (1 - ratios(measured, "images_per_second", WITH, WITHOUT))
    body = f"""Images a second of ResNet-8, batches of {BATCH};
{STEPS} steps with {STEPS // EVERY} checkpoints among them.

{table(measured, "images_per_second", against=WITH)}

A checkpoint every {EVERY} steps costs {cost:.1f} % of the rate."""
    publish("checkpoint_cost", "What checkpoints cost", body, [], measured, page="reliability.md")


if __name__ == "__main__":
    main()
