"""Compression of a model that somebody trained on a few hundred images."""

import contextlib
import importlib
import io

import keras
import numpy as np
import pytest
from keras import layers

import tkit
from tkit import model_files
from tkit.compression.batch_statistics import estimate
from tkit.compression.workbench import Workbench
from tkit.stages._compress import settings_of
from tkit.training.engine import train

CLASSES = 4
COSTLY = ["prune:sparsity=0.97,epochs=2"]


@pytest.fixture(scope="module")
def adopt(tmp_path_factory):
    """Makes a run of a network with Keras's own batch normalization, trained on 216 images of digits."""
    folder = tmp_path_factory.mktemp("small")
    images, labels = digits()
    x, y = images[:240], labels[:240]
    np.savez(folder / "digits.npz", x_train=x, y_train=y, x_test=images[240:], y_test=labels[240:])
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Rescaling(1 / 255)])
    for filters in (8, 16, 16):
        model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(CLASSES))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(x, y, epochs=60, batch_size=24, verbose=0)
    model.save(folder / "model.keras")

    def make(name):
        data = str(folder / "digits.npz")
        return tkit.adopt(folder / "model.keras", data=data, runs_dir=folder / name, pixels="0-255")

    return make


def digits():
    from sklearn.datasets import load_digits

    found = load_digits()
    some = found.target < CLASSES
    return (found.images[some] * 15.9).astype(np.uint8)[..., None], found.target[some]


@pytest.fixture(scope="module")
def small(adopt):
    return adopt("runs")


def compressed(run, steps):
    """What the stage gives, and what it printed."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        made = tkit.compress(run, steps)
    return made, said.getvalue()


def accuracy(folder):
    images, labels = digits()
    outputs = model_files.load(folder).predict(images[240:].astype(np.float32), verbose=0)
    return np.mean(outputs.argmax(axis=1) == labels[240:])


def test_a_step_keeps_accuracy_and_says_what_it_trains(small):
    made, said = compressed(small, ["prune"])
    before, after = (accuracy(small.folder / name) for name in ("float", made["variant"]))
    assert before > 0.9
    assert after > before - 0.05
    assert "prune: 16 epochs of 13 steps, batches of 16, as there are 216 training images" in said
    assert "statistics estimated anew on 216 training images" in said
    assert "tried again" not in said
    assert any("24 validation examples can't exclude" in line for line in made["metrics"]["verdicts"])


def test_epochs_asked_for_and_large_enough_sets_stay(small, run):
    def work(run):
        return Workbench(**settings_of(run, run.recipe.data.load(run.recipe.seed)))

    few, enough = work(small), work(run)
    assert few.epochs("prune", 2, 10) == 2
    assert enough.epochs("prune", None, 10) == 10
    assert enough.batches.batch_size == 64


def test_a_step_that_costs_much_is_tried_in_smaller_ones_and_warned_of(small):
    made, said = compressed(small, COSTLY)
    assert "at 0.3 times its learning rate" in said
    assert "at 0.1 times its learning rate" in said
    warning = next(line for line in made["metrics"]["verdicts"] if line.startswith("Warning: prune-0.97 costs"))
    assert f"{100 * made['metrics']['ledger'][-1]['cost']:.1f} points" in warning


def test_a_step_that_died_in_its_second_attempt_goes_on_as_if_it_had_not(small, adopt, monkeypatch):
    whole, _ = compressed(small, COSTLY)
    cut = adopt("cut")
    trainings = []

    class Dies(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if len(trainings) == 2 and int(self.model.optimizer.iterations.numpy()) > 13:
                raise RuntimeError("killed")

    def dying(*arguments, callbacks, **options):
        trainings.append(None)
        return train(*arguments, callbacks=(*callbacks, Dies()), **options)

    with monkeypatch.context() as patch:
        patch.setattr(importlib.import_module("tkit.compression.workbench"), "train", dying)
        with pytest.raises(RuntimeError, match="killed"):
            tkit.compress(cut, COSTLY)
    made, said = compressed(cut, COSTLY)
    assert said.count("going on after") == 2
    assert made["metrics"]["ledger"][-1]["cost"] == whole["metrics"]["ledger"][-1]["cost"]
    ours, theirs = (model_files.load(run.folder / whole["variant"]).get_weights() for run in (small, cut))
    assert all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_statistics_are_those_of_all_images_and_frozen_layers_keep_theirs():
    inputs = keras.Input((4, 4, 1))
    first = layers.BatchNormalization(name="first")(layers.Conv2D(3, 2, name="conv")(inputs))
    frozen = layers.BatchNormalization(name="frozen", trainable=False)(first)
    model = keras.Model(inputs, layers.BatchNormalization(name="last")(layers.Flatten()(frozen)))
    images = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 1), np.uint8)
    estimate(model, {"image": images}, seed=0)
    conv = model.get_layer("conv")(images.astype(np.float32)).numpy()
    norm = model.get_layer("first")
    assert np.allclose(norm.moving_mean, conv.mean(axis=(0, 1, 2)), rtol=1e-4)
    assert np.allclose(norm.moving_variance, conv.var(axis=(0, 1, 2)), rtol=1e-4)
    outputs = model(images.astype(np.float32)).numpy()
    assert np.allclose(outputs.mean(axis=0), 0, atol=1e-3)
    assert np.allclose(outputs.std(axis=0), 1, atol=1e-2)
    assert not model.get_layer("frozen").moving_mean.numpy().any()
