"""Layers that do several things, as layers that do one: the same network, which every step takes."""

import keras
import numpy as np
import pytest
from keras import layers

import tkit
from tkit import model_files
from tkit.kernels.viewed import with_kernels
from tkit.passes.decomposition import decomposed
from tkit.promises import Kept
from tkit_edge import flatbuffer
from tkit_edge.errors import InputError

SHAPE = (8, 8, 1)


def squeezed(x, filters, gate="sigmoid"):
    """Channels weighed by what is in them (Hu et al. 2018)."""
    weights = layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    weights = layers.Conv2D(8, 1, activation="silu", name="reduce")(weights)
    weights = layers.Conv2D(filters, 1, activation=gate, name="excite")(weights)
    return layers.Multiply(name="weighed")([x, weights])


def network(gate="sigmoid", last=None):
    """A block of EfficientNet's kind (Tan and Le 2019), one of MobileNetV3's, and a sum of three."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE, name="image")
    x = layers.Rescaling(1 / 63, -1.0, name="normalize")(inputs)
    x = layers.SeparableConv2D(32, 3, padding="same", use_bias=False, depth_multiplier=8, name="separable")(x)
    x = layers.Activation("silu", name="swish")(layers.BatchNormalization(momentum=0.9, name="norm")(x))
    y = layers.DepthwiseConv2D(3, padding="same", activation="silu", name="spatial")(x)
    y = layers.Conv2D(32, 1, name="project")(squeezed(y, 32, gate=gate))
    x = layers.Add(name="sum")([x, y, layers.MaxPooling2D(3, 1, "same", name="pool")(x)])
    x = layers.SeparableConv2D(48, 3, strides=2, activation="silu", name="down")(x)
    x = last(x) if last else x
    return keras.Model(inputs, layers.Dense(10, name="logits")(layers.GlobalAveragePooling2D(name="mean")(x)))


def pixels(count=16):
    return np.random.default_rng(0).integers(0, 256, (count, *SHAPE)).astype(np.float32)


@pytest.mark.parametrize("gate", ["sigmoid", "hard_sigmoid"])
def test_the_network_is_the_same(gate):
    model = network(gate)
    for variable in model.weights:
        if "seed" not in variable.path:
            variable.assign(variable + np.random.default_rng(1).uniform(0, 0.2, variable.shape))
    model.get_layer("spatial").trainable = False
    made = decomposed(model)
    np.testing.assert_allclose(made(pixels()), model(pixels()), rtol=1e-4, atol=1e-4)
    kinds = {type(layer) for layer in made.layers}
    assert layers.SeparableConv2D not in kinds
    activations = {layer.activation.__name__ for layer in made.layers if hasattr(layer, "activation")}
    assert activations == {"linear", "sigmoid"}
    assert [layer.name for layer in made.layers if not layer.trainable and layer.weights] == ["spatial"]
    assert all(len(layer.input) == 2 for layer in made.layers if isinstance(layer, layers.Add))
    assert decomposed(made) is made


def test_new_layers_never_have_the_name_of_one_that_is_there():
    inputs = keras.Input(SHAPE)
    parts = [layers.Conv2D(4, 1)(inputs) for _ in range(3)]
    x = layers.Add(name="add")(parts)
    x = layers.Add(name="add_1")([x, parts[0]])
    x = layers.Add(name="add_2")([layers.Activation("silu", name="one")(x), parts[1]])
    x = layers.Activation("sigmoid", name="one_gate")(x)
    model = keras.Model(inputs, layers.Multiply(name="one_silu")([x, parts[2]]))
    made = decomposed(model)
    np.testing.assert_allclose(made(pixels()), model(pixels()), rtol=1e-4, atol=1e-4)
    assert {"add", "add_1", "add_2", "add_2__2", "one_gate__2", "one_silu__2"} <= {layer.name for layer in made.layers}


def test_a_layer_that_is_called_twice_shares_its_weights():
    inputs = keras.Input(SHAPE)
    shared = layers.SeparableConv2D(1, 3, padding="same", activation="silu", name="shared")
    model = keras.Model(inputs, layers.Flatten()(shared(shared(inputs))))
    made = decomposed(model)
    assert len(made.weights) == len(model.weights)
    np.testing.assert_allclose(made(pixels()), model(pixels()), rtol=1e-4, atol=1e-3)


def adopted(folder, epochs, **settings):
    """The network, trained on digits, as a user's own file."""
    train = tkit.load_recipe("digits_cnn").recipe.data.load(seed=0).train
    model = network(**settings)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(train.images, train.labels, epochs=epochs, verbose=0)
    model.save(folder / "own.keras")
    return tkit.adopt(folder / "own.keras", data="digits", pixels="0-255", runs_dir=folder / "runs")


def test_all_steps_take_it_and_the_file_computes_in_integers(tmp_path):
    run = adopted(tmp_path, 20, gate="hard_sigmoid")
    steps = [
        "prune:sparsity=0.5,skip=depthwiseconv2d,epochs=4",
        "cluster:clusters=16,skip=separable_depthwise,epochs=2",
    ]
    made = tkit.compress(run, [*steps, "quantize:aware=true,epochs=1"])
    kernels = {layer.name for layer in with_kernels(model_files.load(run.folder / made["variant"]))}
    depthwise = {"separable_depthwise", "spatial", "down_depthwise"}
    assert kernels == {*depthwise, "separable", "reduce", "excite", "project", "down", "logits"}
    kept = Kept.read(run.folder / made["variant"])
    assert set(kept.pruned) == kernels - depthwise
    assert set(kept.clustered) == kernels - {"separable_depthwise"}
    tkit.export(run, variant=made["variant"], overrides=["export.formats=int8"])  # which proves what is kept
    graph = flatbuffer.read((run.folder / made["variant"] / "export" / "model-int8.tflite").read_bytes())
    assert {tensor.dtype for tensor in graph.tensors} <= {"int8", "int32"}
    assert made["metrics"]["ledger"][-1]["drop"] < 0.05


def test_a_layer_that_a_later_step_can_t_take_is_said_before_anything_is_trained(tmp_path):
    run = adopted(tmp_path, 1, last=layers.Activation("softplus", name="soft"))
    with pytest.raises(InputError, match=r"'soft' \(Activation\)"):
        tkit.compress(run, ["prune:epochs=1", "quantize:aware=true,strict=true"])
    with pytest.raises(InputError, match="divides the kernel of no layer"):
        tkit.compress(run, ["distil:teacher=self,epochs=1", "prune:block=7x7"])
    assert {path.name for path in run.folder.iterdir() if path.is_dir()} == {"float", "logs"}
