"""Layers that the converter or the runtime takes only in another form: their files compute what the model does."""

import keras
import numpy as np
import pytest
from keras import layers
from keras.initializers import Constant, RandomNormal

from tkit.conversion import finite, parity, process
from tkit.conversion.converter import Converter
from tkit.conversion.explanation import float_operators
from tkit.graph import names
from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image
from tkit_edge.outputs.classes import Classes


def small(*middle, outputs=3, shape=(16, 16, 3)):
    """A functional classifier of raw pixels."""
    inputs = keras.Input(shape)
    x = layers.Rescaling(1 / 255)(inputs)
    for layer in middle:
        x = layer(x)
    return keras.Model(inputs, layers.Dense(outputs)(x))


def noise(count=24, shape=(16, 16, 3)):
    return np.random.default_rng(0).integers(0, 256, (count, *shape), dtype=np.uint8)


def figures_of(model, fmt, images, calibration=None):
    logits = model.predict(images.astype(np.float32), verbose=0)
    with Converter(model, {"image": images if calibration is None else calibration}, io="int8") as convert:
        data = convert(fmt)
    output = Classes(tuple(map(str, range(logits.shape[1]))))
    outputs = process.outputs(data, {"image": images}, Image(*images.shape[1:]), output)
    return parity.compare(output, outputs, {"logits": logits}, {"label": logits.argmax(1).astype(np.int32)}), data


RECURRENT = {
    "lstm": [layers.Reshape((16, 48)), layers.LSTM(4)],
    "stacked gru": [layers.Reshape((16, 48)), layers.GRU(4, return_sequences=True), layers.GRU(4)],
    "bidirectional": [layers.Reshape((16, 48)), layers.Bidirectional(layers.SimpleRNN(4))],
    "convlstm": [layers.Reshape((4, 4, 16, 3)), layers.ConvLSTM2D(2, 3), layers.GlobalAveragePooling2D()],
}


@pytest.mark.parametrize("kind", RECURRENT)
def test_recurrent_layers_become_int8_files_that_run(kind):
    keras.utils.set_random_seed(0)
    model = small(*RECURRENT[kind])
    figures, data = figures_of(model, "int8", noise())
    assert not float_operators(data, names(model))
    assert figures["max_difference"] < 0.08


@pytest.mark.parametrize(
    "layer",
    [
        layers.ELU(),
        layers.LayerNormalization(),
        layers.GroupNormalization(2),
        layers.RMSNormalization(),
        layers.UnitNormalization(),
        layers.Activation("gelu"),
    ],
    ids=lambda layer: layer.name,
)
def test_operators_without_an_int8_kernel_become_others(layer):
    keras.utils.set_random_seed(0)
    model = small(layers.Conv2D(4, 3), layer, layers.GlobalAveragePooling2D())
    figures, data = figures_of(model, "int8", noise())
    assert float_operators(data, names(model)) == {}
    assert figures["max_difference"] < 0.06


@pytest.mark.parametrize(
    "layer",
    [layers.ELU(0.25), layers.Activation("celu")],  # x > 0 selects; the larger and the smaller of x and 0
    ids=lambda layer: layer.name,
)
def test_what_a_choice_takes_is_not_clipped_to_what_it_gives(layer):
    keras.utils.set_random_seed(0)
    below = layers.Conv2D(4, 3, bias_initializer=Constant(-0.5))
    model = small(below, layer, layers.GlobalAveragePooling2D())
    figures, _ = figures_of(model, "int8", noise())
    assert figures["max_difference"] < 0.06


@pytest.mark.parametrize("fmt", ["int8", "int16x8"])
def test_a_convolution_that_is_called_twice_has_a_bias_for_each_of_its_inputs(fmt):
    keras.utils.set_random_seed(0)
    block = layers.Conv2D(8, 3, padding="same", activation="relu", bias_initializer="ones", name="block")
    front = layers.Conv2D(8, 3, padding="same", activation="relu", kernel_initializer=RandomNormal(0, 2.0))
    model = small(front, block, block, layers.GlobalAveragePooling2D())
    figures, _ = figures_of(model, fmt, noise())
    assert figures["max_difference"] < 0.03


def test_a_cap_far_above_what_a_layer_gives_does_not_make_a_file_that_the_runtime_refuses():
    dead = layers.Conv2D(4, 3, activation="relu6", kernel_initializer="zeros", bias_initializer=Constant(-1.0))
    branches = layers.Concatenate()
    inputs = keras.Input((16, 16, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.GlobalAveragePooling2D()(branches([dead(x), layers.Conv2D(4, 3)(x)]))
    model = keras.Model(inputs, layers.Dense(3)(x))
    figures, _ = figures_of(model, "int16x8", noise())
    assert figures["max_difference"] < 0.03


@pytest.mark.parametrize("fmt", ["float32", "int8"])
def test_a_number_added_behind_a_transposed_convolution_is_no_bias_of_one_element(fmt):
    keras.utils.set_random_seed(0)
    transposed = [layers.Conv2DTranspose(4, 3, strides=2), layers.Rescaling(0.3, 0.1), layers.Conv2DTranspose(4, 3)]
    model = small(*transposed, layers.Activation("hard_sigmoid"), layers.GlobalAveragePooling2D())
    figures, _ = figures_of(model, fmt, noise())
    assert figures["max_difference"] < (1e-5 if fmt == "float32" else 0.03)


def test_a_selection_of_indices_stays_one_of_indices():
    model = small(layers.Reshape((256, 3)), layers.AdaptiveMaxPooling1D(7), layers.Conv1D(4, 3), layers.Flatten())
    figures, _ = figures_of(model, "int8", noise())
    assert figures["max_difference"] < 0.06


class Loop(keras.layers.Layer):
    """A layer with a loop inside, where nothing unrolls it."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = layers.LSTM(4)

    def call(self, inputs):
        return self.inner(inputs)


def test_a_crash_of_the_converter_is_a_message_that_names_the_layer():
    model = small(layers.Reshape((16, 48)), layers.Dense(4), Loop(name="my_loop"))
    with Converter(model, {"image": noise(4)}, io="int8") as convert:
        assert convert("float32")[4:8] == b"TFL3"
        with pytest.raises(InputError, match=r"as int8: 'my_loop' \(Loop\) crashes TensorFlow's converter \(SIG"):
            convert("int8")
        assert convert("float32")[4:8] == b"TFL3"


def test_a_layer_that_is_not_finite_is_named():
    model = small(layers.Conv2D(2, 3, name="broken"), layers.GlobalAveragePooling2D())
    kernel, bias = model.get_layer("broken").get_weights()
    model.get_layer("broken").set_weights([kernel * np.nan, bias])
    with pytest.raises(InputError, match="'broken' has weights that are not finite"):
        finite.check_weights(model)
    model.get_layer("broken").set_weights([np.full_like(kernel, 3e38), bias])  # overflows only as it is computed
    finite.check_weights(model)
    images = noise(4)
    with pytest.raises(InputError, match="'broken' outputs values that are not finite, on 4 of 4 examples"):
        logits = model.predict(images.astype(np.float32), verbose=0)
        finite.check_outputs(model, {"image": images}, {"logits": logits})
