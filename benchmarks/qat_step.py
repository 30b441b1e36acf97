"""What quantization-aware training costs a step of one's own `model.fit`: ResNet-8, float32, beside TFMOT.

make bench, or: python benchmarks/qat_step.py
"""

from __future__ import annotations

from typing import Any

import numpy as np
from _report import publish
from _sides import Turns, compare, epoch_a_turn, ratios, table

BATCH, STEPS, REPEATS = 128, 20, 9
TARGET = 1.3


def _fit(turns: Turns, keras: Any, model: Any, callbacks: tuple[Any, ...] = ()) -> None:
    """Keras's own `fit` on one batch over and over, an epoch a turn."""
    import tensorflow as tf

    images, labels = _examples()
    batch = tf.data.Dataset.from_tensors((tf.constant(images), tf.constant(labels))).repeat()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-4), loss, metrics=["accuracy"])
    turn = epoch_a_turn(keras, turns, STEPS, BATCH)
    model.fit(batch, epochs=1000, steps_per_epoch=STEPS, callbacks=[turn, *callbacks], verbose=0)


def _examples() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (BATCH, 32, 32, 3)).astype(np.float32)
    return images, random.integers(0, 10, BATCH).astype(np.int32)


def _resnet8() -> Any:
    import keras

    from tkit.models import Spec, Statistics
    from tkit.models.resnet import ResNet

    keras.utils.set_random_seed(0)
    return ResNet(depth=8).build(Spec.of_images((32, 32, 3), 10, Statistics(120.0, 4000.0)))


def plain(turns: Turns) -> None:
    import keras

    _fit(turns, keras, _resnet8())


def aware(turns: Turns) -> None:
    import keras

    import tkit

    images, _ = _examples()
    model = tkit.quantize_aware(_resnet8(), calibration=images, input_range=(0, 255))
    _fit(turns, keras, model, (tkit.Schedule(),))


def plain_keras_2(turns: Turns) -> None:
    from tkit.compression.tfmot.fine_tuning import tfmot

    tfmot()
    import tf_keras

    from tkit.compression.tfmot.keras2 import twin

    _fit(turns, tf_keras, twin(_resnet8()))


def tfmot_aware(turns: Turns) -> None:
    from tkit.compression.tfmot.fine_tuning import tfmot

    tfmot()
    import tf_keras

    from tkit.compression.tfmot import int8
    from tkit.compression.tfmot.keras2 import twin

    _fit(turns, tf_keras, int8.aware(twin(_resnet8()), pruned=False, clustered=False))


PLAIN, AWARE = "Keras 3, the plain model", "Keras 3, tkit.quantize_aware"
PLAIN_2, TFMOT = "Keras 2, the plain model", "Keras 2, TFMOT's quantize_apply"
SIDES = {PLAIN: plain, AWARE: aware, PLAIN_2: plain_keras_2, TFMOT: tfmot_aware}
FIGURE = "images_per_second"


def main() -> None:
    measured = compare("qat_step", SIDES, REPEATS)
    pairs = {"tkit": (PLAIN, AWARE), "TFMOT": (PLAIN_2, TFMOT)}
    costs = {name: ratios(measured, FIGURE, *pair) for name, pair in pairs.items()}
    between = ratios(measured, FIGURE, TFMOT, AWARE)
    body = (
        f"Images a second of ResNet-8 in `model.fit`, float32, a constant batch of {BATCH}, {STEPS} steps a round.\n\n"
        f"{table(measured, FIGURE, against=PLAIN)}"
    )
    rows = [
        (
            f"ResNet-8, QAT in one's own `fit`: step time / the plain model's (at most {TARGET:g} is wanted; "
            "TFMOT / its plain model)",
            f"{costs['tkit']:.2f} x ({costs['TFMOT']:.2f} x)",
        ),
        ("the same, step time, tkit / TFMOT", f"{between:.2f} x"),
    ]
    publish("qat_step", "QAT in one's own `fit`", body, rows, measured)


if __name__ == "__main__":
    main()
