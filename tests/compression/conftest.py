"""Training images, a small trained net and a run that the tests of compression share."""

import keras
import numpy as np
import pytest

import tkit
from tkit.compression.steps.prune import Prune
from tkit.contract import Contract
from tkit.conversion.calibration import stratified
from tkit.models import Spec, Statistics
from tkit.models.resnet import ResNet
from tkit.recipe_loading import load
from tkit.tasks.classification import Classification
from tkit.training import engine
from tkit.training.config import Fit
from tkit.training.optimizers.adamw import AdamW
from tkit_pipelines.batches import Batches, in_order
from tkit_pipelines.data.images import Images

CLASSES = 10


class Digits:
    """What a step gets to work with: scikit-learn's digits and the engine."""

    def __init__(self):
        data = Images(source="digits", image_size=(8, 8), channels=1, batch_size=64)
        self.splits = data.load(0)
        self.contract = Contract.of(Classification(), self.splits)
        self.batches = Batches(self.splits.train, data, self.contract.encoded, 0)
        self.validation = in_order(self.splits.validation, data, self.contract.encoded)
        self.steps_per_epoch = self.batches.steps_per_epoch

    def epochs(self, step, asked, usual):
        return asked or usual

    def optimizer(self, asked, default):
        return asked or default()

    def calibration(self, samples):
        return stratified(self.splits.train, samples, 0, self.contract.input.tensors)

    def train(self, model, *, epochs, optimizer, callbacks=(), **keywords):
        settings = Fit(epochs=epochs, optimizer=optimizer, precision="float32", steps_per_execution=5)
        contract, callbacks = self.contract, list(callbacks)
        return engine.train(model, self.batches, self.validation, settings, contract, callbacks=callbacks, **keywords)


@pytest.fixture(scope="session")
def quick():
    """Overrides for a run of seconds."""
    return ["fit.epochs=5", "fit.lookahead=0.5", "bench.seconds=0.05", "model.width=8", "export.formats=float32,int8"]


@pytest.fixture(scope="session")
def run(quick, tmp_path_factory):
    """A quick run on the digits, for the stage."""
    return tkit.fit(load("digits_cnn", quick), runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def pruned(run):
    """What the stage says of `run`, three quarters of it pruned."""
    return tkit.compress(run, [Prune(sparsity=0.75, epochs=2)])


@pytest.fixture(scope="session")
def work():
    return Digits()


@pytest.fixture(scope="session")
def trained(work):
    keras.utils.set_random_seed(0)
    model = ResNet(depth=8, width=8).build(Spec.of_images((8, 8, 1), CLASSES, Statistics(78.0, 9200.0)))
    work.train(model, epochs=12, optimizer=AdamW(learning_rate=0.01))
    return model


@pytest.fixture(scope="session")
def images(work):
    """Test images and their labels."""
    return work.splits.test.images, work.splits.test.labels


@pytest.fixture(scope="session")
def accuracy(images):
    def measure(logits):
        return float(np.mean(np.argmax(logits, axis=1) == images[1]))

    return measure
