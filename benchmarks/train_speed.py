"""Training rate of ResNet-20 (32x32x3, batch 128) from a constant batch: tkit against Keras 3, tf_keras and PyTorch.

    make bench, or: pip install -e ".[bench]"; python benchmarks/train_speed.py

Every side has the same network (He et al. 2016 with 1x1 shortcuts), Nesterov SGD and L2 (weight decay in PyTorch).
Each peer is measured in float32 and bfloat16, PyTorch eager and compiled; what is fastest on this machine is what tkit
is compared with, and its name stands in the row. GFLOP/s counts 0.245 GFLOP an image trained (3 x 2 x 40.8 M
multiply-accumulates), against the rate of one 2048-cubed bfloat16 product measured in the same run.
"""

from __future__ import annotations

import importlib
import os
import time
from statistics import median
from typing import Any

from _constant import Constant, contract, originals
from _report import publish
from _sides import Side, Turns, compare, epoch_a_turn, machine, ratios, table

BATCH, STEPS, REPEATS = 128, 60, 5
GFLOP_AN_IMAGE = 0.245


def rate(seconds: float) -> dict[str, float]:
    """Images a second of one measured piece."""
    return {"images_per_second": STEPS * BATCH / seconds}


def tkit_default(turns: Turns) -> None:
    """tkit's own engine with its default precision, twin and steps per execution."""
    import keras

    from tkit.models import Spec, Statistics
    from tkit.models.resnet import ResNet
    from tkit.training.config import Fit
    from tkit.training.engine import train

    model = ResNet(depth=20).build(Spec.of_images((32, 32, 3), 10, Statistics(120.0, 4000.0)))
    batches = Constant(BATCH, STEPS)
    validation = batches.dataset().take(1)
    callbacks = [epoch_a_turn(keras, turns, STEPS, BATCH)]
    train(model, batches, validation, Fit(epochs=1000, l2=1e-4), contract(), callbacks=callbacks)


def _keras(turns: Turns, module: str, policy: str) -> None:
    """`compile` and `fit` as the guides show them."""
    keras = importlib.import_module(module)
    import tensorflow as tf

    keras.mixed_precision.set_global_policy(policy)
    layers = keras.layers

    def conv_bn(x: Any, filters: int, strides: int = 1) -> Any:
        x = layers.Conv2D(filters, 3, strides, "same", use_bias=False, kernel_regularizer=keras.regularizers.L2(1e-4))(
            x
        )
        return layers.BatchNormalization()(x)

    inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(conv_bn(layers.Rescaling(1 / 63, -2)(inputs), 16))
    for stage in range(3):
        for block in range(3):
            strides = 2 if stage and not block else 1
            shortcut = layers.Conv2D(16 * 2**stage, 1, strides)(x) if strides > 1 else x
            y = layers.ReLU()(conv_bn(x, 16 * 2**stage, strides))
            x = layers.ReLU()(layers.Add()([conv_bn(y, 16 * 2**stage), shortcut]))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(10, dtype="float32")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, 0.9, nesterov=True), loss, metrics=["accuracy"])
    batches = tf.data.Dataset.from_tensors(originals(BATCH)).repeat()

    callbacks = [epoch_a_turn(keras, turns, STEPS, BATCH)]
    model.fit(batches, epochs=1000, steps_per_epoch=STEPS, verbose=0, callbacks=callbacks)


def tf_keras(policy: str) -> Side:
    """Keras 2, whose batch normalization is fused."""

    def side(turns: Turns) -> None:
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
        _keras(turns, "tf_keras", policy)

    return side


def keras_3(policy: str) -> Side:
    """Plain Keras 3 on TensorFlow."""
    return lambda turns: _keras(turns, "keras", policy)


def torch_side(half: bool, compiled: bool) -> Side:
    """PyTorch, channels last."""
    return lambda turns: _torch(turns, half, compiled)


def _torch(turns: Turns, half: bool, compiled: bool) -> None:
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, before: int, after: int, stride: int) -> None:
            super().__init__()
            self.first = nn.Sequential(
                nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()
            )
            self.second = nn.Sequential(nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after))
            self.shortcut = nn.Conv2d(before, after, 1, stride) if stride > 1 else nn.Identity()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.second(self.first(x)) + self.shortcut(x))

    stem = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    widths = [16] * 3 + [32] * 3 + [64] * 3
    blocks = [Block(before, after, 1 + (after > before)) for before, after in zip([16, *widths], widths, strict=False)]
    model = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    model = model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=1e-4, nesterov=True)
    images, labels = originals(BATCH)
    batch = torch.from_numpy(images).permute(0, 3, 1, 2)
    target = torch.from_numpy(labels)

    def scores(pixels: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            return model(pixels.float().div(63).sub(2).to(memory_format=torch.channels_last))

    forward = torch.compile(scores) if compiled else scores

    def once() -> dict[str, float]:
        began = time.perf_counter()
        for _ in range(STEPS):
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(forward(batch).float(), target).backward()
            optimizer.step()
        return rate(time.perf_counter() - began)

    turns.measure(once)


def matmul_bfloat16(turns: Turns) -> None:
    """This machine's bfloat16 rate: one 2048-cubed product, TensorFlow."""
    import tensorflow as tf

    size, times = 2048, 20
    one = tf.cast(tf.random.normal((size, size)), tf.bfloat16)
    product = tf.function(lambda: tf.reduce_sum(tf.linalg.matmul(one, one)))

    def once() -> dict[str, float]:
        product()
        began = time.perf_counter()
        for _ in range(times):
            product().numpy()
        # In the table's unit: images a second, if images trained at the matrix rate.
        gflops = 2 * size**3 * times / (time.perf_counter() - began) / 1e9
        return {"images_per_second": gflops / GFLOP_AN_IMAGE, "gflops": gflops}

    turns.measure(once)


TKIT, MATRIX = "tkit", "bfloat16 matrix rate / 0.245 GFLOP"
PEERS: dict[str, dict[str, Side]] = {
    "plain Keras 3 `fit`": {
        "Keras 3 fit, float32": keras_3("float32"),
        "Keras 3 fit, mixed bfloat16": keras_3("mixed_bfloat16"),
    },
    "tf_keras `fit`": {
        "tf_keras fit, float32": tf_keras("float32"),
        "tf_keras fit, mixed bfloat16": tf_keras("mixed_bfloat16"),
    },
    "PyTorch": {
        f"PyTorch, {'bfloat16' if half else 'float32'}, {'compiled' if compiled else 'eager'}": torch_side(
            half, compiled
        )
        for half in (False, True)
        for compiled in (False, True)
    },
}
SIDES = {
    TKIT: tkit_default,
    **{name: side for ways in PEERS.values() for name, side in ways.items()},
    MATRIX: matmul_bfloat16,
}


def _ratio(value: float) -> str:
    return f"{value:.2f} x" + (" (tkit doesn't lead)" if value < 1 else "")


def main() -> None:
    measured = compare("train_speed", SIDES, REPEATS)
    against = {side: ratios(measured, "images_per_second", TKIT, side) for side in SIDES}
    peak = median(row["gflops"] for row in measured[MATRIX])
    body = f"""Images a second, constant batch of 128, the same network, Nesterov SGD and L2 everywhere; each peer in
every precision and mode that its users have on a CPU. The README compares with the fastest of each.

{table(measured, "images_per_second", against=TKIT)}

The last side is the rate of one 2048-cubed bfloat16 product ({peak:,.0f} GFLOP/s), in the images that it would train
at 0.245 GFLOP each: tkit reaches {against[MATRIX]:.2f} of it."""
    # Which precision is the faster one depends on the processor: each has a section and rows of its own.
    where = machine(measured[TKIT][0])
    best = {peer: min(ways, key=against.__getitem__) for peer, ways in PEERS.items()}
    rows = [
        (f"ResNet-20 training on {where}, images/s: tkit / {peer} at its fastest ({side})", _ratio(against[side]))
        for peer, side in best.items()
    ]
    publish(f"train_speed, {where}", f"Training speed: ResNet-20, 32x32, on {where}", body, rows, measured)


if __name__ == "__main__":
    main()
