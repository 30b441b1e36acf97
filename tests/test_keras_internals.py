"""Each function of `tkit.keras_internals` means what it says: the names that it wraps are private to Keras."""

import keras
import numpy as np
import pytest
from keras import layers

from tkit import keras_internals as internals

SHAPE = (4, 4, 2)


@pytest.fixture
def model():
    """An image, a convolution, a bare sum, and a classifier."""
    inputs = keras.Input(SHAPE, name="image")
    x = layers.Conv2D(2, 3, name="conv")(inputs)
    return keras.Model(inputs, layers.Dense(3, name="scores")(layers.Flatten(name="flat")(x + 1.0)))


def images():
    return np.random.default_rng(0).normal(size=(3, *SHAPE)).astype(np.float32)


def test_a_sequential_models_graph_is_its_functional_model(model):
    sequential = keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(1)])
    inside = internals.functional(sequential)
    assert internals.has_graph(inside) and internals.has_graph(model)
    np.testing.assert_array_equal(inside(images()), sequential(images()))
    assert internals.functional(model) is model


def test_layers_and_subclassed_models_have_no_graph():
    class Own(keras.Model):
        def call(self, inputs):
            return inputs

    assert not internals.has_graph(layers.Dense(1))
    assert not internals.has_graph(Own())


def test_nodes_come_after_those_whose_tensors_they_take(model):
    known = {id(tensor) for tensor in model.inputs}
    names = []
    for node in internals.nodes(model):
        assert {id(tensor) for tensor in node.input_tensors} <= known
        known |= {id(tensor) for tensor in node.outputs}
        names.append(node.operation.name)
    assert [name for name in names if not name.startswith("add")] == ["conv", "flat", "scores"]
    assert len(names) == 4  # the input is none
    assert id(model.outputs[0]) in known


def test_a_nodes_arguments_are_filled_in(model):
    first = next(internals.nodes(model))
    other = keras.Input(SHAPE)
    arguments, keywords = first.arguments.fill_in({id(model.inputs[0]): other})
    assert arguments[0] is other
    assert not keywords


def test_a_tensor_is_from_its_producer(model):
    assert internals.producer(model.outputs[0]) is model.get_layer("scores")
    assert internals.producer(model.inputs[0]).name == "image"


def test_a_tensor_behind_masking_is_masked():
    inputs = keras.Input((5, 2))
    assert not internals.is_masked(inputs)
    assert internals.is_masked(layers.Masking()(inputs))


def test_a_layers_calls_are_all_its_calls():
    layer = layers.Dense(2)
    assert internals.calls_of(layer) == []
    first, second = layer(keras.Input((2,))), layer(keras.Input((2,)))
    assert [call.outputs[0] for call in internals.calls_of(layer)] == [first, second]


def test_a_tensor_is_one_output_and_a_list_or_dictionary_of_one_is_none(model):
    assert internals.has_one_output(model)
    assert not internals.has_one_output(keras.Model(model.inputs, [model.outputs[0]]))
    assert not internals.has_one_output(keras.Model(model.inputs, {"scores": model.outputs[0]}))


@pytest.mark.parametrize("sequential", [False, True])
def test_a_model_runs_through_with_each_operation_replaced(model, sequential):
    if sequential:
        model = keras.Sequential([keras.Input(SHAPE), model])
    called = []

    def call(operation):
        called.append(operation.name)
        return operation

    found = internals.run_through(model, images(), call)
    np.testing.assert_array_equal(keras.tree.flatten(found)[0], model(images()))
    assert called == [model.layers[-1].name] if sequential else called[0] == "conv" and called[-1] == "scores"


def test_all_layers_are_those_inside_too(model):
    outer = keras.Sequential([keras.Input(SHAPE), model])
    found = [layer.name for layer in internals.all_layers(outer)]
    assert {outer.name, model.name, "conv", "scores"} <= set(found)
    assert outer.name not in [layer.name for layer in internals.all_layers(outer, include_self=False)]


def test_own_variables_are_not_those_of_layers_inside():
    norm = layers.BatchNormalization()
    norm.build((None, 2))
    assert {variable.name for variable in internals.own_variables(norm)} == {
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
    }
    wrapped = layers.TimeDistributed(layers.Dense(1))
    wrapped.build((None, 3, 2))
    assert internals.own_variables(wrapped) == []


def test_a_variable_without_autocast_keeps_its_dtype_under_mixed_precision():
    dtypes = []

    class Look(layers.Dense):
        def call(self, inputs):
            dtypes.append(keras.ops.convert_to_tensor(self.kernel).dtype)
            return inputs

    layer = Look(2, dtype="mixed_bfloat16")
    layer(np.ones((1, 3)))
    internals.stop_autocast(layer.kernel)
    layer(np.ones((1, 3)))
    assert dtypes == ["bfloat16", "float32"]


def test_a_kernel_with_lora_is_kept_beside_the_one_that_is_computed_with():
    for layer, inputs in ((layers.Dense(3), np.ones((1, 4), np.float32)), (layers.Embedding(5, 3), np.array([[1]]))):
        layer(inputs)
        assert internals.lora_kernel(layer) is None
        layer.enable_lora(2)
        for weight in layer.trainable_weights:
            weight.assign(np.ones(weight.shape))
        kept, computed = internals.lora_kernel(layer)
        assert kept.shape == computed.shape
        assert np.abs(np.asarray(kept) - np.asarray(computed)).max() > 0


def test_the_projections_of_attention_hold_all_of_its_weights():
    attention = layers.MultiHeadAttention(2, 3)
    attention.build((None, 4, 5), (None, 4, 5))
    found = internals.projections(attention)
    assert list(found) == ["query", "key", "value", "output"]
    weights = [id(weight) for layer in found.values() for weight in layer.weights]
    assert sorted(weights) == sorted(id(weight) for weight in attention.weights)


def trained(**settings):
    layer = layers.Dense(1)
    layer.build((None, 2))
    optimizer = keras.optimizers.SGD(1.0, **settings)
    optimizer.build(layer.trainable_variables)
    optimizer.apply_gradients([(np.ones(variable.shape, np.float32), variable) for variable in layer.weights])
    return layer, optimizer


def test_averages_are_the_moving_averages_of_their_variables():
    layer, optimizer = trained(use_ema=True, ema_momentum=0.5)
    pairs = internals.averages(optimizer)
    assert [variable.name for variable, _ in pairs] == ["kernel", "bias"]
    before = np.asarray(pairs[0][1])
    optimizer.apply_gradients([(np.ones(variable.shape, np.float32), variable) for variable in layer.weights])
    np.testing.assert_allclose(pairs[0][1], 0.5 * before + 0.5 * np.asarray(layer.kernel), atol=1e-6)


def test_a_variables_number_is_its_place_in_the_optimizer():
    layer, optimizer = trained(momentum=0.9)
    assert internals.variable_index(optimizer, layer.bias) == 1
    assert optimizer.momentums[1].shape == layer.bias.shape


def test_variables_have_no_memory_until_they_are_made():
    with internals.unmade_variables() as make:
        layer = layers.Dense(10**6)
        layer.build((None, 10**6))  # 4 TB
        assert layer.kernel.shape == (10**6, 10**6)
    with internals.unmade_variables() as make:
        layer = layers.Dense(2)
        layer.build((None, 2))
        make()
    np.testing.assert_array_equal(np.asarray(layer.bias), [0, 0])


def test_flip_reverses_an_axis():
    np.testing.assert_array_equal(internals.Flip(axis=-1)(images()), images()[..., ::-1])
