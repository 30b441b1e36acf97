"""Digits as a person has them, floats from 0 to 1, and a Keras script's model, trained."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

TRAINED = 1400


class Script:
    """What stands in a person's training script."""

    def __init__(self):
        x, y = load_digits(return_X_y=True)
        self.x, self.y = (x.reshape(-1, 8, 8, 1) / 16).astype(np.float32), y

    @property
    def test(self):
        return self.x[TRAINED:], self.y[TRAINED:]

    @property
    def calibration(self):
        return self.x[:200]

    def compile(self, model, rate=1e-3):
        loss = keras.losses.SparseCategoricalCrossentropy()
        model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])

    def fit(self, model, epochs, rate=1e-3, **keywords):
        self.compile(model, rate)
        model.fit(self.x[:TRAINED], self.y[:TRAINED], batch_size=64, epochs=epochs, verbose=0, **keywords)
        return model

    def accuracy(self, model):
        return float(np.mean(model.predict(self.test[0], verbose=0).argmax(1) == self.test[1]))


def network():
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="pixels"),
            layers.Conv2D(8, 3, padding="same", use_bias=False, name="first"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu", name="second"),
            layers.Flatten(name="flatten"),
            layers.Dense(32, activation="swish", name="hidden"),
            layers.Dropout(0.1, name="dropout"),
            layers.Dense(10, activation="softmax", name="scores"),
        ],
        name="digits",
    )


@pytest.fixture(scope="session")
def script():
    return Script()


@pytest.fixture(scope="session")
def trained(script):
    keras.utils.set_random_seed(0)
    return script.fit(network(), 10)


@pytest.fixture(scope="session")
def pruned(script, trained):
    import tkit

    return script.fit(tkit.prunable(trained, 0.5), 3, callbacks=[tkit.Schedule()])


@pytest.fixture(scope="session")
def aware(script, pruned):
    """Pruned, clustered, and in int8: PCQAT, in training."""
    import tkit

    clustered = script.fit(tkit.clusterable(pruned, 16), 2, callbacks=[tkit.Schedule()])
    model = tkit.quantize_aware(clustered, calibration=script.calibration)
    return script.fit(model, 2, 3e-4, callbacks=[tkit.Schedule()])
