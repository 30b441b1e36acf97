"""The training engine: what it learns, stops at and keeps, on tiny real models."""

import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tkit.contract import Contract
from tkit.models import Spec, Statistics
from tkit.models.cnn import CNN
from tkit.tasks.classification import Classification
from tkit.training import engine
from tkit.training.checkpoint import Checkpoints
from tkit.training.config import Fit
from tkit.training.optimizers.adamw import AdamW
from tkit.training.optimizers.muon import Muon
from tkit.training.saving import Saving
from tkit.training.twin import FusedBatchNormalization, training_twin
from tkit_edge.errors import DivergedError, StoppedError
from tkit_edge.inputs.image import Image
from tkit_edge.outputs.classes import Classes
from tkit_pipelines.batches import Batches, in_order
from tkit_pipelines.data.images import Images

STATISTICS = Statistics(128.0, 4000.0)
CONTRACT = Contract(Classification(), Image(8, 8, 1), Classes(("a", "b", "c")))


def problem(batch_size=32, seed=0):
    data = Images(source="synthetic:3", image_size=(8, 8), channels=1, batch_size=batch_size)
    splits = data.load(seed)
    return (
        splits,
        Batches(splits.train, data, CONTRACT.encoded, seed),
        in_order(splits.validation, data, CONTRACT.encoded, 32),
    )


def small_model():
    keras.utils.set_random_seed(1)
    return CNN(depth=1, width=4).build(Spec.of_images((8, 8, 1), 3, STATISTICS))


def test_training_teaches_the_stock_model_itself():
    splits, batches, validation = problem()
    model = small_model()
    outcome = engine.train(model, batches, validation, Fit(epochs=4, optimizer=AdamW(learning_rate=0.02)), CONTRACT)
    logits = model.predict(splits.test.images.astype(np.float32), verbose=0)
    assert np.mean(logits.argmax(1) == splits.test.labels) > 0.9
    assert len(outcome.history) == 4
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    assert not any(isinstance(layer, FusedBatchNormalization) for layer in model.layers)


def test_the_same_seed_gives_the_same_weights_whatever_the_steps_per_execution():
    def trained(steps_per_execution):
        _, batches, validation = problem()
        model = small_model()
        engine.train(model, batches, validation, Fit(epochs=2, steps_per_execution=steps_per_execution), CONTRACT)
        return model.get_weights()

    for one, other in zip(trained(1), trained(7), strict=True):
        np.testing.assert_array_equal(one, other)


def test_fused_batch_normalization_equals_kerass_own():
    inputs = np.random.default_rng(0).normal(3, 2, (16, 5, 5, 4)).astype(np.float32)
    stock, fused = keras.layers.BatchNormalization(), FusedBatchNormalization()
    np.testing.assert_allclose(fused(inputs, training=True), stock(inputs, training=True), atol=1e-4)
    np.testing.assert_allclose(fused.moving_variance, stock.moving_variance, rtol=1e-5)
    np.testing.assert_allclose(fused.moving_mean, stock.moving_mean, rtol=1e-5)


def test_muon_trains_under_the_engine_whatever_the_steps_per_execution():
    def trained(steps_per_execution):
        splits, batches, validation = problem()
        model = small_model()
        settings = Fit(
            epochs=3,
            optimizer=Muon(learning_rate=0.2),
            steps_per_execution=steps_per_execution,
            ema=0.9,
            lookahead=0.5,
        )
        engine.train(model, batches, validation, settings, CONTRACT)
        logits = model.predict(splits.test.images.astype(np.float32), verbose=0)
        return np.mean(logits.argmax(1) == splits.test.labels), model.get_weights()

    (accuracy, one), (_, other) = trained(1), trained(7)
    assert accuracy > 0.9
    for weight, same in zip(one, other, strict=True):
        np.testing.assert_array_equal(weight, same)


def test_the_twin_penalizes_kernels_and_keeps_outputs_and_normalization_in_float32():
    twin = training_twin(small_model(), "mixed_bfloat16", l2=0.1)
    policies = {layer.name: layer.dtype_policy.name for layer in twin.layers}
    assert policies["stage1_1_conv"] == "mixed_bfloat16"
    assert policies["normalize"] == policies["logits"] == "float32"
    kernels = [layer.kernel for layer in twin.layers if hasattr(layer, "kernel")]
    expected = 0.1 * sum(float(tf.reduce_sum(tf.square(kernel))) for kernel in kernels)
    assert float(sum(twin.losses)) == pytest.approx(expected, rel=1e-5)


def test_the_twin_of_a_model_with_bare_operations_calls_them_again():
    inputs = keras.Input((4, 4, 3))
    features = keras.layers.Conv2D(2, 3)(inputs)
    features = keras.ops.mean(keras.ops.gelu(features) + np.ones((1, 2, 2, 2), np.float32), axis=(1, 2))
    model = keras.Model(inputs, keras.layers.Dense(2)(features))
    images = np.random.default_rng(0).normal(size=(5, 4, 4, 3)).astype(np.float32)
    twin = training_twin(model, "mixed_bfloat16", l2=0.1)
    np.testing.assert_allclose(twin(images), model(images), atol=0.05)


def test_weights_in_the_batches_count_in_the_loss():
    class Weighted:
        """Batches in which one class has no weight."""

        def __init__(self, inner):
            self.inner, self.batch_size, self.steps_per_epoch = inner, inner.batch_size, inner.steps_per_epoch

        def dataset(self, epoch=0, step=0):
            weightless = self.inner.dataset(epoch=epoch, step=step)
            return weightless.map(lambda images, labels: (images, labels, 1.0 - labels[:, 1]))

    splits, batches, validation = problem()
    model = small_model()
    engine.train(model, Weighted(batches), validation, Fit(epochs=4, optimizer=AdamW(learning_rate=0.02)), CONTRACT)
    found = model.predict(splits.test.images.astype(np.float32), verbose=0).argmax(1)
    right = [np.mean(found[splits.test.labels == label] == label) for label in range(3)]
    assert right[0] > 0.9
    assert right[2] > 0.9
    assert right[1] < 0.1


@pytest.mark.parametrize("steps_per_execution", [1, 5])
def test_a_loss_that_is_not_finite_stops_training_and_names_the_step(steps_per_execution):
    class Poisoned:
        """Batches whose fourth batch is labelled NaN: the step to be named is known."""

        def __init__(self, inner):
            self.inner, self.batch_size, self.steps_per_epoch = inner, inner.batch_size, inner.steps_per_epoch

        def dataset(self, epoch=0, step=0):
            clean = self.inner.dataset(epoch=epoch, step=step).enumerate()
            return clean.map(lambda i, b: (b[0], tf.where(i == 3, float("nan"), b[1])))

    _, batches, validation = problem()
    settings = Fit(epochs=1, steps_per_execution=steps_per_execution)
    with pytest.raises(DivergedError, match=r"at step 4 \(epoch 1\)"):
        engine.train(small_model(), Poisoned(batches), validation, settings, CONTRACT)


def test_early_stopping_keeps_the_best_epochs_weights():
    class Recorder(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            weights.append(self.model.get_weights())

    weights: list = []
    _, batches, validation = problem()
    model = small_model()
    settings = Fit(epochs=12, early_stopping=2, optimizer="sgd:learning_rate=20")
    outcome = engine.train(model, batches, validation, settings, CONTRACT, callbacks=[Recorder()])
    losses = [row["val_loss"] for row in outcome.history]
    assert outcome.kept_epoch == int(np.argmin(losses))
    for kept, best in zip(model.get_weights(), weights[outcome.kept_epoch], strict=True):
        np.testing.assert_array_equal(kept, best)


def test_the_moving_average_is_what_is_validated_and_kept():
    class Raw(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raw[:] = self.model.get_weights()

    raw: list = []
    _, batches, validation = problem()
    model = small_model()
    outcome = engine.train(model, batches, validation, Fit(epochs=2, ema=0.9), CONTRACT, callbacks=[Raw()])
    kernel, kept = raw[0], model.get_weights()[0]
    assert not np.array_equal(kernel, kept)
    model.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    again = model.evaluate(validation, verbose=0)
    assert again == pytest.approx(outcome.history[-1]["val_loss"], rel=0.02)  # bfloat16 against float32


def test_a_signal_during_validation_is_the_state_before_it(tmp_path):
    settings = Fit(epochs=3, optimizer=AdamW(learning_rate=0.02), early_stopping=3, ema=0.9)
    checkpoints = Checkpoints(tmp_path, keep=5)

    def trained(start=None, killed=False):
        _, batches, validation = problem()
        setup = {"recipe": {}, "versions": {}, "threads": 1, "data": "", "precision": "", "machine": None}
        saving = Saving(checkpoints, steps=None, minutes=None, facts={"setup": setup}, start=start, go_on="the command")
        passes = []

        def validated():
            passes.append(1)
            for number, batch in enumerate(validation):
                if killed and len(passes) == 2 and number == 1:
                    os.kill(os.getpid(), signal.SIGINT)
                    while saving._signal is None:
                        time.sleep(0.001)
                yield batch

        source = tf.data.Dataset.from_generator(validated, output_signature=validation.element_spec)
        source = source.apply(tf.data.experimental.assert_cardinality(int(validation.cardinality())))
        model = small_model()
        outcome = engine.train(model, batches, source, settings, CONTRACT, saving=saving)
        rows = [{key: row[key] for key in row if "second" not in key} for row in outcome.history]
        return batches.steps_per_epoch, rows, model.get_weights()

    steps, rows, weights = trained()
    for path in checkpoints.paths():
        path.unlink()
    with pytest.raises(StoppedError, match="Go on with: the command") as stopped:
        trained(killed=True)
    assert stopped.value.exit_code == 130
    start = checkpoints.newest()
    assert (start.facts["epoch"], start.facts["step"], len(start.facts["history"])) == (1, steps, 1)
    _, resumed_rows, resumed = trained(start)
    assert resumed_rows == rows
    for one, other in zip(resumed, weights, strict=True):
        np.testing.assert_array_equal(one, other)


MIRRORED = """
import json, sys
from pathlib import Path
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tkit.contract import Contract
from tkit.tasks.classification import Classification
from tkit.training import engine
from tkit.training.checkpoint import Checkpoints
from tkit.training.config import Fit
from tkit.training.optimizers.adamw import AdamW
from tkit.training.saving import Saving
from tkit.models import Spec, Statistics
from tkit.models.cnn import CNN
from tkit_pipelines.batches import Batches, in_order
from tkit_pipelines.data.images import Images
tf.config.experimental.enable_op_determinism()
data = Images(source="synthetic:3", image_size=(8, 8), channels=1, batch_size=32)
splits = data.load(0)
contract = Contract.of(Classification(), splits)
strategy, checkpoints = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), Checkpoints(Path(sys.argv[1]), keep=2)
facts = {"setup": {"recipe": {}, "versions": {}, "threads": 1, "data": "", "precision": "", "machine": None}}

class Dies(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (2, 5):
            raise KeyError("dead")

def trained(start, callbacks=()):
    keras.utils.set_random_seed(1)
    model = CNN(depth=1, width=4, dropout=0.2).build(Spec.of_images((8, 8, 1), 3, Statistics(128.0, 4000.0)))
    saving = Saving(checkpoints, steps=3, minutes=None, facts=facts, start=start, go_on="")
    outcome = engine.train(
        model, Batches(splits.train, data, contract.encoded, 0), in_order(splits.validation, data, contract.encoded),
        Fit(epochs=4, optimizer=AdamW(learning_rate=0.02), ema=0.9, lookahead=0.5, l2=1e-4, clip_norm=1.0),
        contract, strategy=strategy, saving=saving, callbacks=callbacks,
    )
    return outcome, model

outcome, model = trained(None)
for path in checkpoints.paths():
    path.unlink()
try:
    trained(None, [Dies()])
except KeyError:
    pass
start = checkpoints.newest()
_, resumed = trained(start)
equal = all(np.array_equal(*pair) for pair in zip(model.get_weights(), resumed.get_weights()))
logits = model.predict(splits.test.images.astype("float32"), verbose=0)
accuracy = float(np.mean(logits.argmax(1) == splits.test.labels))
print(json.dumps([outcome.replicas, accuracy, start.facts["epoch"], start.facts["step"], equal]))
"""


def test_two_devices_share_each_batch_and_go_on_after_a_stop(tmp_path):
    # Logical devices must be set before TensorFlow starts: a process of its own.
    command = [sys.executable, "-c", MIRRORED, str(tmp_path / "checkpoints")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    replicas, accuracy, epoch, step, equal = json.loads(done.stdout.splitlines()[-1])
    assert replicas == 2
    assert accuracy > 0.9
    assert (epoch, step) == (2, 3)
    assert equal
