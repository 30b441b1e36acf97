"""The training of one DCGAN as each side of `dcgan.py` does it: 32x32x3, batches of 128, the networks of `DCGAN()`.

All take the same random images as uint8 and bring them to -1 to 1; all train with Adam at 2e-4 and beta_1 0.5. Keras's
side is the `train_step` of its tutorial, which makes new images for the generator's update; PyTorch's is the loop of
its own, which makes them once, as tkit does, without the discriminator's gradients in the generator's update.
"""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from _sides import Side, Turns, epoch_a_turn

if TYPE_CHECKING:
    import keras

    from tkit.contract import Contract

BATCH, STEPS = 128, 8
"""Of an epoch, which is a turn."""
LATENT, RATE, BETA_1 = 128, 2e-4, 0.5


def images() -> np.ndarray:
    """uint8 [STEPS * BATCH, 32, 32, 3]."""
    return np.random.default_rng(0).integers(0, 256, (STEPS * BATCH, 32, 32, 3), dtype=np.uint8)


def networks() -> tuple[keras.Model, keras.Model, Contract]:
    """Generator and discriminator, and what the generator learns."""
    from tkit.contract import Contract
    from tkit.models import Spec
    from tkit.models.dcgan import DCGAN
    from tkit.tasks.generation import Generation
    from tkit_edge.inputs.noise import Noise
    from tkit_edge.outputs.image import Image

    contract = Contract(Generation(latent=LATENT), Noise(LATENT), Image(32, 32, 3))
    spec, model = Spec(contract.input.tensors, contract.output.tensors, {}), DCGAN()
    return model.build(spec), model.companion(spec), contract


def tkit_engine(turns: Turns) -> None:
    """tkit's engine with its default precision and steps per execution, deterministic as in a run."""
    import keras
    import tensorflow as tf

    from tkit.training.config import Fit
    from tkit.training.engine import train
    from tkit.training.optimizers.adamw import AdamW
    from tkit_pipelines.batches import Batches
    from tkit_pipelines.data.images import Images
    from tkit_pipelines.dataset import Examples, shareable

    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(0)
    generator, discriminator, contract = networks()
    data = Images(source="synthetic", labels="none", image_size=(32, 32), batch_size=BATCH)
    batches = Batches(Examples({"image": shareable(images())}), data, contract.encoded, seed=0)
    optimizer = AdamW(learning_rate=RATE, weight_decay=0.0, beta_1=BETA_1)
    train(
        generator,
        batches,
        None,
        Fit(epochs=1000, optimizer=optimizer),
        contract,
        callbacks=[epoch_a_turn(keras, turns, STEPS, BATCH)],
        companion=discriminator,
    )


def keras_fit(turns: Turns, policy: str) -> None:
    """A `keras.Model` with the `train_step` of Keras's DCGAN tutorial, `compile` and `fit`."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    keras.mixed_precision.set_global_policy(policy)
    generator, discriminator, _ = networks()

    class GAN(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.generator, self.discriminator = generator, discriminator
            self.seed_generator = keras.random.SeedGenerator(0)
            self.d_loss_metric, self.g_loss_metric = keras.metrics.Mean("d_loss"), keras.metrics.Mean("g_loss")

        def compile(self, d_optimizer: Any, g_optimizer: Any, loss_fn: Any) -> None:
            super().compile()
            self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

        @property
        def metrics(self) -> list[Any]:
            return [self.d_loss_metric, self.g_loss_metric]

        def made(self, count: tf.Tensor) -> tf.Tensor:
            return self.generator(keras.random.normal((count, LATENT), seed=self.seed_generator), training=True)

        def train_step(self, real: tf.Tensor) -> dict[str, Any]:
            count = tf.shape(real)[0]
            fake = self.made(count)
            with tf.GradientTape() as tape:
                of_real = self.loss_fn(tf.ones((count, 1)), self.discriminator(real, training=True))
                d_loss = of_real + self.loss_fn(tf.zeros((count, 1)), self.discriminator(fake, training=True))
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
            with tf.GradientTape() as tape:
                scores = self.discriminator(self.made(count), training=True)
                g_loss = self.loss_fn(tf.ones((count, 1)), scores)
            weights = self.generator.trainable_weights
            self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
            self.d_loss_metric.update_state(d_loss)
            self.g_loss_metric.update_state(g_loss)
            return {"d_loss": self.d_loss_metric.result(), "g_loss": self.g_loss_metric.result()}

    def scaled(pixels: tf.Tensor) -> tf.Tensor:
        return tf.cast(pixels, tf.float32) / 127.5 - 1

    # Repeated: at the end of an iterator its autotuning thread may sleep for longer than such a short epoch takes.
    fed = tf.data.Dataset.from_tensor_slices(images()).shuffle(STEPS * BATCH).repeat().batch(BATCH)
    optimizers = [keras.optimizers.Adam(RATE, BETA_1) for _ in range(2)]
    gan = GAN()
    gan.compile(*optimizers, keras.losses.BinaryCrossentropy(from_logits=True))
    callbacks = [epoch_a_turn(keras, turns, STEPS, BATCH)]
    fed = fed.map(scaled, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
    gan.fit(fed, epochs=1000, steps_per_epoch=STEPS, verbose=0, callbacks=callbacks)


def pytorch(turns: Turns, half: bool, compiled: bool) -> None:
    """PyTorch, channels last, on as many threads as there are cores."""
    import torch
    from torch import nn

    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    generator, discriminator = _torch_networks()
    optimizers = [
        torch.optim.Adam(network.parameters(), RATE, (BETA_1, 0.999)) for network in (generator, discriminator)
    ]
    make, judge = (torch.compile(net) if compiled else net for net in (generator, discriminator))
    pixels = torch.from_numpy(images()).permute(0, 3, 1, 2)
    loss = nn.functional.binary_cross_entropy_with_logits
    ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    def step(rows: torch.Tensor) -> None:
        real = pixels[rows].float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            fake = make(torch.randn(BATCH, LATENT))
            of_real, of_fake = judge(real), judge(fake.detach())
        (loss(of_real.float(), ones) + loss(of_fake.float(), zeros)).backward()
        optimizers[1].step()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            scores = judge(fake)
        loss(scores.float(), ones).backward(inputs=list(generator.parameters()))
        optimizers[0].step()

    def once() -> dict[str, float]:
        began = time.perf_counter()
        for rows in torch.randperm(STEPS * BATCH).split(BATCH):
            step(rows)
        return {"images_per_second": STEPS * BATCH / (time.perf_counter() - began)}

    turns.measure(once)


def _torch_networks() -> tuple[Any, Any]:
    """Generator and discriminator of `DCGAN()`, and their weights' first values, as PyTorch users write them."""
    import torch
    from torch import nn

    def up(before: int, after: int, last: bool = False) -> list[nn.Module]:
        grown = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=last)
        return [grown, nn.Tanh()] if last else [grown, nn.BatchNorm2d(after, 1e-5), nn.ReLU()]

    def down(before: int, after: int) -> list[nn.Module]:
        return [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after, 1e-5), nn.LeakyReLU(0.2)]

    project = [nn.Linear(LATENT, 256 * 16, bias=False), nn.Unflatten(1, (256, 4, 4)), nn.BatchNorm2d(256), nn.ReLU()]
    generator = nn.Sequential(*project, *up(256, 128), *up(128, 64), *up(64, 3, last=True))
    first = [nn.Conv2d(3, 64, 4, 2, 1), nn.LeakyReLU(0.2)]
    discriminator = nn.Sequential(*first, *down(64, 128), *down(128, 256), nn.Flatten(), nn.Linear(256 * 16, 1))
    for module in (*generator, *discriminator):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
    return tuple(net.to(memory_format=torch.channels_last).train() for net in (generator, discriminator))


TKIT, KERAS, PYTORCH = "tkit's engine", "Keras 3 train_step, float32", "PyTorch, bfloat16, eager"
SIDES: dict[str, Side] = {
    TKIT: tkit_engine,
    KERAS: partial(keras_fit, policy="float32"),
    "Keras 3 train_step, mixed bfloat16": partial(keras_fit, policy="mixed_bfloat16"),
    PYTORCH: partial(pytorch, half=True, compiled=False),
    "PyTorch, bfloat16, compiled": partial(pytorch, half=True, compiled=True),
    "PyTorch, float32, eager": partial(pytorch, half=False, compiled=False),
}
