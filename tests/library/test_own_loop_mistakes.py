"""What can't be compressed, or can't become a file, is one clear message."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tkit
from tkit_edge.errors import BoundError, InputError


class Subclass(keras.Model):
    def __init__(self):
        super().__init__(name="mine")
        self.dense = keras.layers.Dense(3)

    def call(self, inputs):
        return self.dense(inputs)


class Scale(keras.layers.Layer):
    def call(self, inputs):
        return 2 * inputs


def dense(*layers):
    return keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(3, name="last")], name="small")


def called(model):
    model(np.zeros((1, 4), np.float32))
    return model


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (lambda: keras.Sequential([keras.layers.Dense(3)], name="unbuilt"), "'unbuilt' isn't built.*keras.Input"),
        (lambda: called(Subclass()), "'mine' is a Subclass, a subclass whose call is Python code.*functional"),
        (lambda: "model.keras", "model is a str: expected a keras.Model"),
        (lambda: dense(keras.layers.Lambda(lambda x: x)), "can't recreate.*Lambda"),
        (lambda: dense(Scale()), "can't recreate.*register_keras_serializable"),
    ],
)
@pytest.mark.parametrize("take", [tkit.prunable, tkit.clusterable, tkit.to_tflite, tkit.narrow])
def test_a_model_without_a_known_graph(model, words, take):
    with pytest.raises(InputError, match=f"(?s){words}"):
        take(model())


def test_a_data_set_may_be_read_only_once(script, trained):
    rows = iter(script.x[:64])
    data = tf.data.Dataset.from_generator(lambda: rows, output_signature=tf.TensorSpec((8, 8, 1))).batch(16)
    file = tkit.to_tflite(trained, "int8", calibration=data)
    assert file == tkit.to_tflite(trained, "int8", calibration=script.x[:64])
    with pytest.raises(InputError, match="gave nothing.*could be read only once"):
        tkit.to_tflite(trained, "int8", calibration=data)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m, x: tkit.prunable(m, 1.5), "tkit.prunable: sparsity.*less than 1.*1.5"),
        (lambda m, x: tkit.prunable(m, skip=["frist"]), "'frist'.*first"),
        (lambda m, x: tkit.prunable(m, pattern="4:2"), "N:M"),
        (lambda m, x: tkit.clusterable(m, 1), "tkit.clusterable: clusters.*2.*received 1"),
        (lambda m, x: tkit.clusterable(m, start="middle"), "start.*kmeans"),
        (lambda m, x: tkit.quantize_aware(m, x, method="mean"), "mse"),
        (lambda m, x: tkit.quantize_aware(m, x[..., 0]), r"'pixels' takes float32 \[n, 8, 8, 1\], received.*8, 8\]"),
        (lambda m, x: tkit.quantize_aware(m, x[:0]), "at least one"),
        (lambda m, x: tkit.quantize_aware(m, {"a": x, "b": x}), "no array for pixels; received a, b"),
        (lambda m, x: tkit.quantize_aware(m, tf.data.Dataset.from_tensors(x).repeat()), "no end.*take"),
        (lambda m, x: tkit.quantize_aware(m, x, int4=["relu"]), "'relu' can't have weights of 4 bits"),
        (lambda m, x: tkit.to_tflite(m, "int4"), "float32, float16, dynamic, int8, int16x8, received 'int4'"),
        (lambda m, x: tkit.to_tflite(m, "int8"), "int8 needs examples.*calibration=.*quantize_aware"),
        (lambda m, x: tkit.to_tflite(m, "int16x8"), "int16x8 needs examples"),
        (lambda m, x: tkit.strip(m), "strip expected a model that tkit.prunable.*received Sequential"),
        (lambda m, x: tkit.narrow(m, widths={"frist": 4}), "'frist'.*first"),
        (lambda m, x: tkit.narrow(m, data=(x, x)), "data and loss"),
    ],
)
def test_settings_and_examples(script, trained, call, words):
    with pytest.raises(InputError, match=f"(?s){words}"):
        call(trained, script.calibration)


def test_a_model_is_stripped_once(aware):
    with pytest.raises(InputError, match="one that has been stripped: it has stock layers already"):
        tkit.strip(tkit.strip(aware))


def test_a_training_without_its_schedule_is_reported(script, trained):
    model = script.fit(tkit.prunable(trained, 0.5), 1)
    for take in (tkit.strip, tkit.to_tflite):
        with pytest.raises(InputError, match=r"has 0.0% zeros, 50.\d% are asked for.*callbacks=\[tkit.Schedule\(\)\]"):
            take(model)


def test_a_model_in_training_is_not_exported_by_keras(pruned, tmp_path):
    with pytest.raises(InputError, match="still the model in training.*tkit.to_tflite"):
        pruned.export(tmp_path / "saved", format="tf_saved_model")
    assert not (tmp_path / "saved").exists()


def test_a_file_of_a_model_in_training_is_no_file_of_a_model(pruned, tmp_path):
    pruned.save(tmp_path / "pruned.keras")
    with pytest.raises(InputError, match="in training.*tkit.load_model.'pruned.keras'.*tkit.strip"):
        tkit.adopt(tmp_path / "pruned.keras", data="digits", pixels="0-1")
    with pytest.raises(InputError, match="tkit.strip.model"):
        tkit.adopt(pruned, data=np.zeros((4, 8, 8, 1), np.float32))


def test_a_schedule_is_for_these_models(script, trained):
    with pytest.raises(InputError, match="expected the model that tkit.prunable.*received Sequential 'digits'"):
        script.fit(trained, 1, callbacks=[tkit.Schedule()])


def test_a_data_set_that_does_not_tell_its_size(script, trained):
    def endless():
        while True:
            yield script.x[:32], script.y[:32]

    shapes = (tf.TensorSpec((None, 8, 8, 1)), tf.TensorSpec((None,), tf.int64))

    def fit(model):
        script.compile(model)
        data = tf.data.Dataset.from_generator(endless, output_signature=shapes).take(20)
        model.fit(data, epochs=1, shuffle=False, verbose=0, callbacks=[tkit.Schedule()])
        return tkit.strip(model)

    with pytest.raises(InputError, match="isn't known.*steps_per_epoch in fit, or steps=N"):
        fit(tkit.prunable(trained))
    assert np.mean(fit(tkit.prunable(trained, steps=20)).get_layer("hidden").kernel.numpy() == 0) >= 0.5


def test_weights_that_were_changed_after_the_strip_are_found_out(script, pruned):
    stock = script.fit(tkit.strip(pruned), 1)
    with pytest.raises(BoundError, match="(?s)hidden: promised 50.*zeros, found.*before it is stripped"):
        tkit.to_tflite(stock)


def test_a_model_of_any_size_needs_examples():
    inputs = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(pooled), name="open")
    with pytest.raises(InputError, match="'open' takes tensors of any size.*calibration=x"):
        tkit.to_tflite(model)
    assert tkit.to_tflite(model, calibration=np.zeros((1, 8, 8, 3), np.float32))
