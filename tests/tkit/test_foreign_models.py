"""Models as Keras users write them: each is taken, computes what it computed, and runs as a float .tflite file."""

import json

import keras
import numpy as np
import pytest
from keras import layers, ops

from tkit import model_files
from tkit.conversion.converter import Converter
from tkit.keras_files import child
from tkit.keras_files.reader import Found, _arrays, with_outputs
from tkit.training.twin import training_twin
from tkit_edge.errors import InputError
from tkit_edge.pixels import PIXELS, pixel_codes
from tkit_edge.runtime import Model

SHAPE = (8, 8, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (4, *SHAPE)).astype(np.float32)
CONSTANT = np.random.default_rng(1).normal(size=(64, 4)).astype(np.float32)


def taken(model, folder, pixels=None):
    """What the reading process answers for the model's file, rebuilt, saved as a run's and loaded again."""
    model.save(folder / "mine.keras")
    answer, data = child.read(folder / "mine.keras", pixels)
    arrays = _arrays(answer["weights"], data)
    model_files.save(model_files.rebuild(answer["architecture"], arrays, folder), folder / "float")
    return model_files.load(folder / "float"), answer


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
def test_operations_of_keras_stay_what_they_are_and_run_on_the_device(name, tmp_path):
    model = network(OPERATIONS[name])
    ours, _ = taken(model, tmp_path)
    np.testing.assert_allclose(scores(ours), scores(model), atol=1e-4)
    np.testing.assert_allclose(on_device(ours), scores(model), atol=1e-4)
    np.testing.assert_allclose(
        scores(keras.models.load_model(tmp_path / "float" / "model.keras")), scores(ours), atol=1e-6
    )


def test_an_operation_without_a_builtin_operator_is_named(tmp_path):
    ours, _ = taken(network(ops.erf), tmp_path)
    with pytest.raises(InputError, match="cannot be exported as float32: LiteRT has no builtin operator for Erf"):
        on_device(ours)


def test_names_of_operations_are_their_own_in_a_model_that_is_called_twice(tmp_path):
    inner = keras.Input((8, 8, 4))
    block = keras.Model(inner, ops.gelu(ops.mean(inner, -1, keepdims=True) + layers.Conv2D(4, 1, name="gelu")(inner)))
    model = network(lambda x: ops.gelu(block(block(layers.ReLU(name="mean")(x)))))
    ours, _ = taken(model, tmp_path)
    np.testing.assert_allclose(scores(ours), scores(model), atol=1e-5)
    assert len(ours.weights) == len(model.weights)


def preprocessed(name, augmentation=layers.RandomFlip):
    """keras.applications' preprocess_input inside the model, behind augmentation and before padding."""

    def make():
        keras.utils.set_random_seed(0)
        inputs = keras.Input(SHAPE)
        x = getattr(keras.applications, name).preprocess_input(augmentation()(inputs))
        x = layers.Conv2D(8, 3, activation="relu")(layers.ZeroPadding2D(1)(x))
        return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))

    return make


@pytest.mark.parametrize("name", ["resnet50", "densenet", "mobilenet_v2"])
def test_preprocess_input_inside_the_model_is_one_scaling(name, tmp_path):
    model = preprocessed(name)()
    ours, answer = taken(model, tmp_path)
    assert [type(layer).__name__ for layer in ours.layers[:4]] == [
        "InputLayer",
        "RandomFlip",
        "Rescaling",
        "ZeroPadding2D",
    ]
    assert len(ours.operations) == 7
    assert answer["pixels"] == "0-255"
    np.testing.assert_allclose(scores(ours), scores(model), atol=2e-5)
    np.testing.assert_allclose(on_device(ours), scores(model), atol=2e-5)


@pytest.mark.parametrize(
    "augmentation",
    [
        layers.RandAugment,
        layers.AugMix,
        lambda: layers.Pipeline([layers.RandomErasing(), layers.RandomZoom(0.1)]),
        lambda: layers.GaussianNoise(0.5),
    ],
)
def test_pixels_are_known_behind_augmentation_of_any_kind(augmentation, tmp_path):
    model = preprocessed("resnet50", augmentation)()
    ours, _ = taken(model, tmp_path)
    assert len(training_twin(ours, "mixed_bfloat16", 0.0).layers) == len(ours.layers)
    np.testing.assert_allclose(scores(ours), scores(model), atol=2e-5)


def test_reversed_channels_that_no_convolution_takes_are_mixed_by_a_frozen_one(tmp_path):
    inputs = keras.Input(SHAPE)
    x = layers.DepthwiseConv2D(3)(keras.applications.vgg16.preprocess_input(inputs))
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))
    ours, _ = taken(model, tmp_path)
    assert type(ours.layers[1]) is layers.Conv2D
    assert not ours.layers[1].trainable
    np.testing.assert_allclose(scores(ours), scores(model), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("pixels", ["caffe", "torch", "-1-1"])
def test_a_model_that_was_fed_preprocessed_pixels_takes_raw_ones(pixels, tmp_path):
    mode = {"caffe": "resnet50", "torch": "densenet", "-1-1": "mobilenet_v2"}[pixels]
    model = network(layers.ReLU(), scaled=False)
    wanted = scores(model, getattr(keras.applications, mode).preprocess_input(IMAGES.copy()))
    ours, _ = taken(model, tmp_path, pixels)
    np.testing.assert_allclose(scores(ours), wanted, atol=1e-4)
    np.testing.assert_allclose(on_device(model, pixels=pixels), wanted, atol=1e-4)
    with pytest.raises(InputError, match="--pixels caffe or --pixels torch"):
        taken(model, tmp_path)


def test_caffe_and_torch_are_of_three_channels(tmp_path):
    grey = network(layers.ReLU(), (8, 8, 1), scaled=False)
    with pytest.raises(InputError, match="takes 1 channel; --pixels caffe is of images with three"):
        taken(grey, tmp_path, "caffe")
    with pytest.raises(InputError, match="takes 1 channels; pixels 'torch' are of three"):
        on_device(grey, IMAGES[..., :1], "torch")


def test_each_channel_of_a_quantized_input_has_its_own_codes():
    codes = pixel_codes("int8", 0.02, 0, "torch", "the model")
    factor, offset, _ = PIXELS["torch"]
    expected = np.clip(np.round((200 * np.array(factor) + np.array(offset)) / 0.02), -128, 127)
    assert np.abs(codes[200] - expected).max() <= 1


HEADS = {
    "sigmoid": lambda x: layers.Dense(1, activation="sigmoid", name="mine")(x),
    "logit": lambda x: layers.Dense(1, name="mine")(x),
    "activation layer": lambda x: layers.Activation("sigmoid", name="mine")(layers.Dense(1, use_bias=False)(x)),
    "operation": lambda x: ops.sigmoid(layers.Dense(1, name="mine")(x)),
}
OTHER_HEADS = {
    "convolution": lambda x: layers.GlobalAveragePooling2D()(layers.Conv2D(1, 1)(x)),
    "flat convolution": lambda x: layers.Flatten()(layers.Conv2D(1, 8, activation="sigmoid")(x)),
    "dropout between": lambda x: ops.sigmoid(layers.Dropout(0.5)(layers.Dense(1)(layers.Flatten()(x)))),
    "squeezed": lambda x: ops.squeeze(layers.Conv2D(1, 8, activation="sigmoid")(x), (1, 2)),
}


@pytest.mark.parametrize("name", [*HEADS, *OTHER_HEADS])
def test_one_score_for_two_classes_becomes_two_of_the_same_probabilities(name, tmp_path):
    head = HEADS.get(name, OTHER_HEADS.get(name))
    inputs = keras.Input(SHAPE)
    x = layers.Conv2D(4, 3, padding="same")(layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, head(layers.Flatten()(x) if name in HEADS else x))
    for variable in model.weights:
        variable.assign(np.random.default_rng(0).normal(size=variable.shape) * 0.3)
    ours, answer = taken(model, tmp_path)
    activation = answer["activation"]
    found = Found(ours, SHAPE, 1, "probabilities" if activation else "logits", activation, "0-255")
    both = with_outputs(found, 2, "mine.keras")
    second = scores(model)[:, 0]
    wanted = np.stack([1 - second, second] if activation else [-second / 2, second / 2], axis=1)
    np.testing.assert_allclose(scores(both.model), wanted, atol=1e-5)
    assert both.activation == ("softmax" if activation else None)
    if name in HEADS:  # no layer that the user didn't make
        assert {layer.name for layer in both.model.layers} == {layer.name for layer in ours.layers}


def test_a_softmax_over_one_score_is_refused(tmp_path):
    inputs = keras.Input(SHAPE)
    model = keras.Model(
        inputs, layers.Dense(1, activation="softmax")(layers.Flatten()(layers.Rescaling(1 / 255)(inputs)))
    )
    ours, answer = taken(model, tmp_path)
    with pytest.raises(InputError, match="softmax over a single score, which is 1 for every image"):
        with_outputs(Found(ours, SHAPE, 1, "probabilities", answer["activation"], "0-255"), 2, "mine.keras")


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
def test_models_that_ended_in_a_traceback_are_taken(name, tmp_path):
    model = MODELS[name]()
    ours, _ = taken(model, tmp_path)
    images = {"image": IMAGES} if "dictionaries" in name else IMAGES
    np.testing.assert_allclose(scores(ours), scores(model, images), atol=0.02 if "precision" in name else 1e-5)
    assert not any("lora" in variable.path for variable in ours.weights)


def test_activations_of_tensorflow_are_keras_own(tmp_path):
    import tensorflow as tf

    inputs = keras.Input(SHAPE)
    x = layers.Flatten()(layers.Conv2D(4, 3, activation=tf.nn.swish)(layers.Rescaling(1 / 255)(inputs)))
    model = keras.Model(inputs, layers.Dense(3, activation=tf.nn.softmax)(x))
    ours, answer = taken(model, tmp_path)
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
def test_what_is_no_model_for_a_device_is_named(make, message, tmp_path):
    with pytest.raises(InputError, match=message):
        taken(make(), tmp_path)


def test_pixels_given_for_a_model_that_scales_raw_ones_itself_are_warned_of(tmp_path, capsys):
    from tkit.keras_files.reader import read

    network(layers.ReLU()).save(tmp_path / "mine.keras")
    read(tmp_path / "mine.keras", "0-1")
    assert "begins with its own scaling of raw 0-255 pixels" in capsys.readouterr().err


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
