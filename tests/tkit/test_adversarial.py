"""A generator and its discriminator, trained against each other by the engine."""

import keras
import numpy as np
import pytest

from tkit.contract import Contract
from tkit.models import Spec
from tkit.models.dcgan import DCGAN
from tkit.tasks.generation import Generation
from tkit.training.config import Fit
from tkit.training.engine import train
from tkit.training.optimizers.adamw import AdamW
from tkit_edge.errors import InputError
from tkit_edge.inputs.noise import Noise
from tkit_edge.outputs.image import Image
from tkit_pipelines.batches import Batches
from tkit_pipelines.data.images import Images

FIT = Fit(epochs=2, optimizer=AdamW(learning_rate=1e-3, weight_decay=0.0, beta_1=0.5), precision="float32")


def parts(labels="none", task=None, model=None, seed=0):
    """What a training takes: contract, batches, generator and discriminator."""
    keras.utils.set_random_seed(seed)
    data = Images(source="digits", image_size=(8, 8), channels=1, batch_size=64, labels=labels)
    task, model = task or Generation(latent=8), model or DCGAN(width=8)
    splits = task.prepared(data.load(seed), seed)
    contract = Contract.of(task, splits)
    spec = Spec(contract.input.tensors, contract.output.tensors, {}, contract.input.sizes)
    batches = Batches(splits.train, data, contract.encoded, seed)
    return contract, batches, model.build(spec), model.companion(spec)


def trained(fit=FIT, seed=0, max_steps=None, look=None, **settings):
    contract, batches, generator, discriminator = parts(seed=seed, **settings)
    before = [np.concatenate([w.ravel() for w in item.get_weights()]) for item in (generator, discriminator)]
    outcome = train(generator, batches, None, fit, contract, companion=discriminator, max_steps=max_steps, look=look)
    after = [np.concatenate([w.ravel() for w in item.get_weights()]) for item in (generator, discriminator)]
    return outcome, before, after


@pytest.mark.parametrize(
    ("labels", "task", "model"),
    [
        ("none", Generation(latent=8, label_smoothing=0.1), DCGAN(width=8)),
        ("none", Generation(latent=8, adversary="hinge", r1=0.1), DCGAN(width=8, spectral_norm=True)),
        ("classes", Generation(latent=8, discriminator_rate=2.0), DCGAN(width=8, dropout=0.2)),
    ],
)
def test_both_networks_learn(labels, task, model):
    outcome, before, after = trained(labels=labels, task=task, model=model)
    first, last = outcome.history
    assert {"loss", "discriminator_loss", "real_recognized", "generated_recognized"} <= last.keys()
    assert last["discriminator_loss"] < first["discriminator_loss"]  # noise is soon told from digits
    assert all((one != other).mean() > 0.9 for one, other in zip(before, after, strict=True))


def test_the_same_seed_gives_the_same_networks_whatever_the_steps_per_execution():
    one, other, another = (
        trained(FIT.model_copy(update={"steps_per_execution": steps}), seed=seed)[2]
        for steps, seed in ((1, 3), (5, 3), (5, 4))
    )
    assert all(np.array_equal(*pair) for pair in zip(one, other, strict=True))
    assert not any(np.array_equal(*pair) for pair in zip(one, another, strict=True))


def test_what_is_looked_at_is_the_average_and_its_figures_are_in_the_history():
    seen = []

    def look(model, epoch):
        seen.append((epoch, [w.copy() for w in model.get_weights()]))
        return {"distance": 7.0}

    contract, batches, generator, discriminator = parts()
    fit = FIT.model_copy(update={"ema": 0.9})
    outcome = train(generator, batches, None, fit, contract, companion=discriminator, look=look)
    assert [epoch for epoch, _ in seen] == [0, 1]
    assert [row["distance"] for row in outcome.history] == [7.0, 7.0]
    assert all(np.array_equal(*pair) for pair in zip(seen[-1][1], generator.get_weights(), strict=True))


def test_r1_holds_the_gradients_at_real_images_small():
    import tensorflow as tf

    def slope(weight):
        task = Generation(latent=8, r1=weight)
        contract, batches, generator, discriminator = parts(task=task)
        train(generator, batches, None, FIT.model_copy(update={"epochs": 5}), contract, companion=discriminator)
        images = tf.cast(batches.batch(0, 0)[0], tf.float32) / 127.5 - 1
        with tf.GradientTape() as tape:
            tape.watch(images)
            scores = discriminator(images, training=True)
        return float(tf.norm(tape.gradient(scores, images)))

    assert slope(10.0) < 0.5 * slope(0.0)


def test_half_precision_with_loss_scaling_trains_both_networks():
    _, before, after = trained(FIT.model_copy(update={"precision": "mixed_float16"}), max_steps=8)
    assert all(np.isfinite(weights).all() for weights in after)
    assert all((one != other).mean() > 0.9 for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize(("size", "first"), [(8, 2), (16, 4), (28, 7), (32, 4), (64, 4)])
def test_images_of_usual_sizes_are_made(size, first):
    for channels in (1, 3):
        spec = Spec(Noise(8).tensors, Image(size, size, channels).tensors, {})
        generator, discriminator = DCGAN(width=4).build(spec), DCGAN(width=4).companion(spec)
        assert generator.get_layer("maps").output.shape[1:3] == (first, first)
        images = generator(np.zeros((2, 8), np.float32))
        assert images.shape == (2, size, size, channels)
        assert discriminator(images).shape == (2, 1)


@pytest.mark.parametrize("size", [(4, 4), (8, 6), (10, 10), (30, 30)])
def test_a_size_that_stages_do_not_make_is_refused(size):
    with pytest.raises(InputError, match="divisible by 4"):
        DCGAN().build(Spec(Noise(8).tensors, Image(*size, 1).tensors, {}))
