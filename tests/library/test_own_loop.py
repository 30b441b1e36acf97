"""Compression in a person's own training loop: what the models promise, and that it holds in the file."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tkit
from tkit.kernels.exported import kernels
from tkit.training.twin import FusedBatchNormalization
from tkit_edge import anatomy, flatbuffer
from tkit_edge.graph import values
from tkit_edge.runtime import Model

KERNELS = ("first", "second", "hidden", "scores")


def zeros(model):
    return {name: float(np.mean(model.get_layer(name).kernel.numpy() == 0)) for name in KERNELS}


def test_half_of_each_kernel_becomes_zero_and_stays_so_in_the_file(script, trained, pruned):
    assert script.accuracy(pruned) > script.accuracy(trained) - 0.05 > 0.8
    stock = tkit.strip(pruned)
    assert {type(layer).__module__.split(".")[0] for layer in stock.layers} == {"keras"}
    assert all(0.5 <= share < 0.6 for share in zeros(stock).values())
    np.testing.assert_allclose(
        stock.predict(script.x[:20], verbose=0), pruned.predict(script.x[:20], verbose=0), atol=1e-5
    )
    found = kernels(flatbuffer.read(tkit.to_tflite(pruned)), stock)
    assert all(np.mean(values(found[name][0].tensor) == 0) >= 0.5 for name in KERNELS)


def test_the_model_that_is_given_stays_as_it_is(script, trained):
    before, optimizer = trained.get_weights(), trained.optimizer
    script.fit(tkit.prunable(trained, 0.5, schedule="constant"), 1, callbacks=[tkit.Schedule()])
    tkit.quantize_aware(trained, calibration=script.calibration)
    assert trained.optimizer is optimizer and trained.compiled
    assert all(np.array_equal(*pair) for pair in zip(before, trained.get_weights(), strict=True))


def test_training_has_fused_kernels_and_stripping_takes_them_out(pruned):
    assert any(isinstance(layer, FusedBatchNormalization) for layer in pruned.layers)
    assert type(tkit.strip(pruned).get_layer("norm")) is keras.layers.BatchNormalization


def test_a_second_training_keeps_the_zeros(script, pruned):
    again = tkit.prunable(pruned, 0.5)
    script.fit(again, 1, callbacks=[tkit.Schedule()])
    before = tkit.strip(again).get_layer("hidden").kernel.numpy() == 0
    script.fit(again, 4, callbacks=[tkit.Schedule()])
    assert np.array_equal(before, tkit.strip(again).get_layer("hidden").kernel.numpy() == 0)


def test_zeros_shared_values_and_codes_are_in_one_file_of_integers(script, trained, aware):
    data = tkit.to_tflite(aware, "int8")
    assert anatomy.dissect(data).arithmetic == "int8"
    found = kernels(flatbuffer.read(data), tkit.strip(aware))
    for name in KERNELS:
        codes = found[name][0].matrix
        assert np.mean(codes == 0) >= 0.5 and len(np.unique(codes)) <= 16
    scores = Model(data).predict(script.test[0])
    assert np.mean(scores.argmax(1) == script.test[1]) > script.accuracy(trained) - 0.05
    assert (
        anatomy.dissect(data).zip_bytes
        < 0.7 * anatomy.dissect(tkit.to_tflite(trained, "int8", calibration=script.calibration)).zip_bytes
    )


def test_the_file_gives_what_the_model_in_training_gives(script, aware):
    scores = Model(tkit.to_tflite(aware, "int8", io="float32")).predict(script.test[0])
    ours = aware.predict(script.test[0], verbose=0)
    assert np.mean(scores.argmax(1) == ours.argmax(1)) > 0.98
    assert np.abs(scores - ours).mean() < 0.01


def test_a_model_saved_in_mid_training_is_that_model_again(script, pruned, aware, tmp_path):
    for number, model in enumerate((pruned, aware)):
        model.save(tmp_path / f"{number}.keras")
        again = tkit.load_model(tmp_path / f"{number}.keras")
        assert np.array_equal(model.predict(script.x[:50], verbose=0), again.predict(script.x[:50], verbose=0))
        assert int(again.optimizer.iterations) == int(model.optimizer.iterations) > 0
        fmt = "int8" if model is aware else "float32"
        assert tkit.to_tflite(model, fmt) == tkit.to_tflite(again, fmt)


def test_keras_itself_loads_it_once_the_layers_are_imported(aware, tmp_path):
    aware.save(tmp_path / "aware.keras")
    program = (
        "import keras, tkit.layers; model = keras.saving.load_model('aware.keras'); import tkit; "
        "print(len(tkit.to_tflite(model, 'int8')))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.stdout.strip() == str(len(tkit.to_tflite(aware, "int8"))), done.stderr


def test_a_training_that_was_saved_and_loaded_goes_on_with_its_schedule(script, trained, tmp_path):
    config = trained.get_config()
    next(layer for layer in config["layers"] if layer["class_name"] == "Dropout")["config"]["rate"] = 0.0
    plain = keras.Sequential.from_config(config)  # Keras doesn't save the state of Dropout's random numbers
    plain.set_weights(trained.get_weights())

    def model():
        made = tkit.prunable(plain, 0.8)
        script.compile(made)
        return made

    def fit(model, *callbacks, first=0):
        data = tf.data.Dataset.from_tensor_slices((script.x[:640], script.y[:640])).batch(64)
        model.fit(
            data, epochs=6, initial_epoch=first, shuffle=False, verbose=0, callbacks=[tkit.Schedule(), *callbacks]
        )

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    whole, half = model(), model()
    fit(whole)
    fit(half, Stop())
    half.save(tmp_path / "half.keras")
    half = tkit.load_model(tmp_path / "half.keras")
    fit(half, first=2)
    assert all(np.array_equal(*pair) for pair in zip(whole.get_weights(), half.get_weights(), strict=True))


def test_a_loop_of_ones_own_trains_it_too(script, trained):
    model = tkit.prunable(trained, 0.5)
    optimizer, loss = keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy()
    batches = tf.data.Dataset.from_tensor_slices((script.x[:640], script.y[:640])).batch(64)
    callbacks = keras.callbacks.CallbackList([tkit.Schedule()], model=model, epochs=2, steps=10)

    @tf.function
    def train(images, labels):
        with tf.GradientTape() as tape:
            value = loss(labels, model(images, training=True))
        optimizer.apply(tape.gradient(value, [v.value for v in model.trainable_variables]), model.trainable_variables)

    callbacks.on_train_begin()
    for epoch in range(2):
        callbacks.on_epoch_begin(epoch)
        for step, (images, labels) in enumerate(batches):
            callbacks.on_train_batch_begin(step)
            train(images, labels)
            callbacks.on_train_batch_end(step)
        callbacks.on_epoch_end(epoch)
    assert all(share >= 0.5 for share in zeros(tkit.strip(model)).values())


class Distiller(keras.Model):
    """A person's own model around the student."""

    def __init__(self, student, teacher):
        super().__init__()
        self.student, self.teacher = student, teacher

    def call(self, images, training=None):
        return self.student(images, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean(keras.losses.kl_divergence(self.teacher(x, training=False), y_pred))


def test_another_model_that_contains_it_trains_it(script, trained):
    student = tkit.prunable(trained, 0.5)
    script.fit(Distiller(student, trained), 1, callbacks=[tkit.Schedule(student)])
    assert all(share >= 0.5 for share in zeros(tkit.strip(student)).values())


def test_a_distribution_strategy_trains_it(script, trained):
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = tkit.quantize_aware(trained, calibration=script.calibration)
        script.compile(model, 1e-4)
    model.fit(script.x[:640], script.y[:640], batch_size=64, epochs=1, verbose=0, callbacks=[tkit.Schedule()])
    assert script.accuracy(model) > script.accuracy(trained) - 0.05


def test_half_precision_stays_in_training_and_leaves_with_the_strip(script, trained):
    config = trained.get_config()
    for layer in config["layers"][1:]:
        layer["config"]["dtype"] = "mixed_bfloat16"
    half = keras.Sequential.from_config(config)
    half.set_weights(trained.get_weights())
    model = script.fit(tkit.prunable(half, 0.5), 1, callbacks=[tkit.Schedule()])
    assert model.get_layer("second").compute_dtype == "bfloat16"
    stock = tkit.strip(model)
    assert {layer.compute_dtype for layer in stock.layers} == {"float32"}
    assert script.accuracy(stock) > 0.8


def test_several_inputs_and_outputs_keep_their_structure():
    first, second = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    hidden = keras.layers.Dense(8, activation="relu", name="hidden")(
        keras.layers.Concatenate(name="joined")([first, second])
    )
    outputs = {"left": keras.layers.Dense(2, name="l")(hidden), "right": keras.layers.Dense(1, name="r")(hidden)}
    model = keras.Model({"a": first, "b": second}, outputs, name="two")
    random = np.random.default_rng(0)
    x = {"a": random.normal(size=(64, 4)).astype("float32"), "b": random.normal(size=(64, 3)).astype("float32")}
    y = {"left": x["a"][:, :2], "right": x["b"][:, :1]}
    model = tkit.quantize_aware(model, calibration=x)
    model.compile("adam", {"left": "mse", "right": "mse"})
    model.fit(x, y, epochs=1, verbose=0, callbacks=[tkit.Schedule()])
    assert set(model.predict(x, verbose=0)) == set(tkit.strip(model).predict(x, verbose=0)) == {"left", "right"}
    found = anatomy.dissect(tkit.to_tflite(model, "int8"))
    assert found.arithmetic == "int8" and len(found.inputs) == len(found.outputs) == 2


def test_a_nested_model_is_flattened_and_its_names_stay(script, trained):
    inputs = keras.Input((8, 8, 1))
    nested = keras.Model(inputs, keras.layers.Rescaling(1.0, name="same")(trained(inputs)), name="outer")
    model = tkit.prunable(nested, 0.5, schedule="constant")
    script.fit(model, 1, callbacks=[tkit.Schedule()])
    assert all(share >= 0.5 for share in zeros(tkit.strip(model)).values())


def test_four_bits_and_float_layers(script, trained):
    model = tkit.quantize_aware(trained, calibration=script.calibration, int4=["second"], float_layers=["scores"])
    found = kernels(flatbuffer.read(tkit.to_tflite(model, "int8")), tkit.strip(model))
    assert found["second"][0].tensor.dtype == "int4"
    assert found["scores"][0].tensor.dtype == "float32"


@pytest.mark.parametrize("fmt", ["float32", "float16", "dynamic", "int8", "int16x8"])
def test_a_model_of_ones_own_in_every_format(script, trained, fmt):
    data = tkit.to_tflite(trained, fmt, calibration=script.calibration if "int" in fmt else None, io="float32")
    scores = Model(data).predict(script.test[0])
    assert np.mean(scores.argmax(1) == trained.predict(script.test[0], verbose=0).argmax(1)) > 0.97


def test_narrowed_layers_have_the_widths_that_were_asked_for(script, trained):
    loss = keras.losses.SparseCategoricalCrossentropy()
    model = tkit.narrow(trained, widths={"first": 4}, data=(script.x[:500], script.y[:500]), loss=loss)
    assert model.get_layer("first").filters == 4 and model.get_layer("second").kernel.shape == (3, 3, 4, 16)
    script.fit(model, 3)
    assert script.accuracy(model) > 0.8
    report = tkit.report_on(model)
    assert report.holds and any("weights" in proof.promise for proof in report.proofs)
