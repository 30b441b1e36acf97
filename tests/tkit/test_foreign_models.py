"""Models as Keras users write them: each is taken, computes what it computed, and runs as a float .tflite file."""

import json

import keras
import numpy as np
import pytest
from keras import layers, ops

from tkit import model_files
from tkit.conversion.converter import Converter
from tkit_edge.errors import InputError
from tkit_edge.runtime import Model

SHAPE = (8, 8, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, *SHAPE)).astype(np.float32)
CONSTANT = np.random.default_rng(1).normal(size=(64, 4)).astype(np.float32)


def scores(model, images=IMAGES):
    return np.asarray(keras.tree.flatten(model.predict(images, verbose=0))[0], np.float32)


def on_device(model, images=IMAGES, pixels="0-255"):
    with Converter(model, None, io="float32") as convert:
        return Model(convert("float32"), pixels=pixels).predict(images.astype(np.uint8))


def network(between, shape=SHAPE, scaled=True):
    """An image, a convolution, what `between` makes of it, and a classifier of three classes."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    x = layers.Rescaling(1 / 255)(inputs) if scaled else inputs
    x = between(layers.Conv2D(4, 3, padding="same")(x))
    x = layers.GlobalAveragePooling2D()(x) if len(x.shape) == 4 else layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(3)(x))


def tokens(x):
    return layers.Reshape((64, 4))(x)


def embedded(x):
    """Positions as an array, a tensor and a variable."""
    x = tokens(x) + CONSTANT
    return ops.convert_to_tensor(CONSTANT[None]) + x + keras.Variable(CONSTANT)


def halves(x):
    first, second = ops.split(x, 2, axis=-1)
    return first * ops.sigmoid(second)


def standardized(x):
    centred = x - ops.mean(x, axis=-1, keepdims=True)
    return centred / ops.sqrt(ops.var(x, axis=-1, keepdims=True) + 1e-3)


OPERATIONS = {
    "mean": lambda x: ops.mean(x, axis=(1, 2)),
    "sum, max and min": lambda x: ops.sum(x, axis=1) + ops.max(x, axis=1) - ops.min(x, axis=1),
    "reshape": lambda x: ops.reshape(x, (-1, 256)),
    "softmax and gelu": lambda x: ops.softmax(ops.gelu(x), axis=-1),
    "operators": lambda x: abs(-x) ** 1.5 - 2 * x / 3 + 1,
    "power": lambda x: ops.power(x, 2),
    "slices": lambda x: x[:, 1:, ::2][..., :3] + 0 * x[:, 1:, ::2, 1:],
    "one index": lambda x: tokens(x)[:, 0],
    "positions": embedded,
    "a constant of float64": lambda x: x * np.array([0.1, 0.2, 0.3, 0.4]),
    "matmul": lambda x: tokens(x) @ ops.transpose(tokens(x), (0, 2, 1)),
    "matmul with an array": lambda x: tokens(x) @ CONSTANT[:4],
    "einsum": lambda x: ops.einsum("bhwc,dc->bhwd", x, CONSTANT[:5]),
    "concatenate, stack": lambda x: ops.concatenate([ops.mean(ops.stack([x, -x, x], axis=1), axis=1), x], axis=-1),
    "clip, where, maximum": lambda x: ops.where(x > 0, ops.clip(x, 0, 0.5), ops.maximum(x, -0.1)),
    "squeeze, pad": lambda x: ops.pad(ops.squeeze(ops.expand_dims(x, 1), 1), [[0, 0], [1, 1], [1, 1], [0, 0]]),
    "split": halves,
    "layer normalization by hand": standardized,
    "cast": lambda x: x * ops.cast(x > 0.1, "float32"),
    "channel shuffle": lambda x: ops.reshape(ops.swapaxes(ops.reshape(x, (-1, 8, 8, 2, 2)), 3, 4), (-1, 8, 8, 4)),
    "activations": lambda x: ops.leaky_relu(ops.elu(ops.selu(ops.hard_silu(ops.silu(x))))),
    "bare pooling, resize": lambda x: ops.image.resize(ops.max_pool(x, 2), (8, 8)),
    "attention": lambda x: ops.dot_product_attention(*[layers.Reshape((64, 2, 2))(x)] * 3),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_of_keras_stay_what_they_are_and_run_on_the_device(name, taken, tmp_path):
    model = network(OPERATIONS[name])
    ours, _ = taken(model)
    np.testing.assert_allclose(scores(ours), scores(model), atol=1e-4)
    np.testing.assert_allclose(on_device(ours), scores(model), atol=1e-4)
    np.testing.assert_allclose(
        scores(keras.models.load_model(tmp_path / "float" / "model.keras")), scores(ours), atol=1e-6
    )


def test_an_operation_without_a_builtin_operator_is_named(taken):
    ours, _ = taken(network(ops.erf))
    with pytest.raises(InputError, match="cannot be exported as float32: LiteRT has no builtin operator for Erf"):
        on_device(ours)


def test_names_of_operations_are_their_own_in_a_model_that_is_called_twice(taken):
    inner = keras.Input((8, 8, 4))
    block = keras.Model(inner, ops.gelu(ops.mean(inner, -1, keepdims=True) + layers.Conv2D(4, 1, name="gelu")(inner)))
    model = network(lambda x: ops.gelu(block(block(layers.ReLU(name="mean")(x)))))
    ours, _ = taken(model)
    np.testing.assert_allclose(scores(ours), scores(model), atol=1e-5)
    assert len(ours.weights) == len(model.weights)


def adapted(axis, before=()):
    normalization = layers.Normalization(axis=axis)
    normalization.adapt(np.random.default_rng(0).uniform(0, 1 if before else 255, (20, *SHAPE)))
    return keras.Sequential([keras.Input(SHAPE), *before, normalization, layers.Flatten(), layers.Dense(3)])


def with_lora():
    model = network(lambda x: layers.MultiHeadAttention(2, 2, name="attention")(tokens(x), tokens(x)))
    parts = [model.layers[2], model.get_layer("attention")._query_dense, model.layers[-1]]
    for part in parts:
        part.enable_lora(2)
    for variable in model.weights:
        if variable.name.startswith("lora_"):
            variable.assign(np.random.default_rng(0).normal(size=variable.shape) * 0.3)
    return model


def frozen_inside():
    inner = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(4, 3), layers.BatchNormalization()])
    inner.trainable = False
    return network(lambda x: inner(x, training=False))


def one_output_of_two():
    inner = keras.Input((8, 8, 4))
    both = keras.Model(inner, [layers.Conv2D(4, 1)(inner), layers.Conv2D(2, 1)(inner)])
    return network(lambda x: both(x)[0])


def dictionaries():
    inputs = keras.Input(SHAPE, name="image")
    return keras.Model({"image": inputs}, {"scores": network(layers.ReLU())(inputs)})


def half_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        return network(lambda x: ops.gelu(x + ops.cast(np.ones(4), "float16")))
    finally:
        keras.mixed_precision.set_global_policy("float32")


MODELS = {
    "batch normalization on axis 1": lambda: network(layers.BatchNormalization(axis=1)),
    "outputs and inputs as dictionaries": dictionaries,
    "LoRA": with_lora,
    "one normalization for all": lambda: adapted(None),
    "a normalization per pixel": lambda: adapted((1, 2, 3)),
    "a normalization per pixel behind a scaling": lambda: adapted((1, 2, 3), [layers.Rescaling(1 / 255)]),
    "dense layers per row": lambda: network(lambda x: layers.TimeDistributed(layers.Dense(4))(x)),
    "a model per row": lambda: network(layers.TimeDistributed(keras.Sequential([layers.Flatten(), layers.Dense(4)]))),
    "a frozen part": frozen_inside,
    "one output of two": one_output_of_two,
    "a mask": lambda: network(lambda x: layers.GlobalAveragePooling1D()(layers.Masking()(tokens(x)))),
    "mixed precision": half_precision,
    "a layer as an activation": lambda: network(layers.Conv2D(4, 3, activation=layers.LeakyReLU(0.3))),
    "a random layer called as in training": lambda: network(lambda x: layers.Dropout(0.5)(x, training=True)),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_that_ended_in_a_traceback_are_taken(name, taken):
    model = MODELS[name]()
    ours, _ = taken(model)
    images = {"image": IMAGES} if "dictionaries" in name else IMAGES
    np.testing.assert_allclose(scores(ours), scores(model, images), atol=0.02 if "precision" in name else 1e-5)
    assert not any("lora" in variable.path for variable in ours.weights)


def test_activations_of_tensorflow_are_keras_own(taken):
    import tensorflow as tf

    inputs = keras.Input(SHAPE)
    x = layers.Flatten()(layers.Conv2D(4, 3, activation=tf.nn.swish)(layers.Rescaling(1 / 255)(inputs)))
    model = keras.Model(inputs, layers.Dense(3, activation=tf.nn.softmax)(x))
    ours, answer = taken(model)
    assert answer["activation"] == "softmax"
    np.testing.assert_allclose(scores(ours), scores(model), atol=1e-6)


def own_function(x):
    return x * 2


def spoiled(value):
    model = network(layers.ReLU())
    model.layers[2].name = "spoiled"
    kernel = model.layers[2].kernel.numpy()
    kernel[0, 0, 0, 0] = value
    model.layers[2].kernel.assign(kernel)
    return model


def quantized_by_keras():
    model = keras.Sequential(
        [keras.Input(SHAPE), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(3, name="own")]
    )
    model.quantize("int8")
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: network(layers.Conv2D(4, 3, activation=own_function, name="own")),
            "'own' has as its activation the Pyt",
        ),
        (lambda: spoiled(np.nan), "layer 'spoiled' has 1 of 108 values of its kernel that are NaN or infinite"),
        (lambda: spoiled(np.inf), "layer 'spoiled' has 1 of 108 values of its kernel that are NaN or infinite"),
        (lambda: network(lambda x: ops.sqrt(-1 - ops.abs(x))), "gives NaN or infinite scores for an image"),
        (quantized_by_keras, "layer 'own' was quantized by Keras's own model.quantize"),
    ],
)
@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
def test_what_is_no_model_for_a_device_is_named(make, message, taken):
    with pytest.raises(InputError, match=message):
        taken(make())


def test_constants_without_end_and_operations_without_tensors_are_refused(tmp_path):
    """A dtype of text makes gigabytes of one number; an operation of constants alone is computed while it is loaded."""
    model = network(lambda x: x * CONSTANT[:1])
    model_files.save(model, tmp_path)
    whole = json.loads((tmp_path / "architecture.json").read_text())

    def refused(change, message):
        config = json.loads(json.dumps(whole))
        call = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Multiply")["inbound_nodes"]
        change(call[0]["args"])
        (tmp_path / "architecture.json").write_text(json.dumps(config))
        with pytest.raises(InputError, match=message):
            model_files.load(tmp_path)

    refused(lambda arguments: arguments[1]["config"].update(dtype="S1000000000"), "no array of numbers")
    refused(lambda arguments: arguments[1]["config"].update(dtype="object"), "no array of numbers")
    refused(lambda arguments: arguments[1]["config"].update(value={"class_name": "x"}), "no array of numbers")
    refused(lambda arguments: arguments.__setitem__(0, arguments[1]), "takes no tensor")
