"""Weights of 4 bits: what the file holds, what the runtime makes of it, and what training wins back."""

import numpy as np
import pytest

from tkit.compression.proofs import proofs
from tkit.compression.steps.quantize import Quantize
from tkit.conversion.quantized import convert_quantized
from tkit.integer.model import IntegerModel
from tkit.kernels.exported import kernels
from tkit.kernels.scales import code_scales, int4_scales, scale_shape
from tkit.promises import Clusters, Kept, State
from tkit.quantization.graph import quantized
from tkit_edge import anatomy, flatbuffer
from tkit_edge.errors import InputError
from tkit_edge.graph import values
from tkit_edge.runtime import Model


@pytest.fixture(scope="module")
def made(trained, work):
    """Convolutions of 4 bits, calibrated, and their int8 file; the dense layer has 8."""
    state = Quantize(int4=("conv2d",)).apply(State(trained, Kept()), work)
    return state, convert_quantized(state.model, state.kept, "int8")


def test_the_kernels_named_have_4_bits_and_their_codes(made):
    state, data = made
    found = {name: kernel.tensor for name, [kernel] in kernels(flatbuffer.read(data), state.model).items()}
    assert {name: tensor.dtype for name, tensor in found.items()} == {
        name: "int8" if name == "logits" else "int4" for name in found
    }
    for name in state.kept.quantized.int4:
        codes = values(found[name])
        kernel = state.model.get_layer(name).kernel.numpy()
        scales = np.reshape(np.float32(state.kept.quantized.scales[name]), scale_shape(None, kernel.shape))
        assert np.abs(codes).max() == 7
        np.testing.assert_array_equal(codes, np.round(kernel / scales).transpose(3, 0, 1, 2))
    judged = proofs(data, "int8", state.kept, state.model)
    assert all(proof.holds for proof in judged)
    assert sum(proof.promise == "4-bit weights" for proof in judged) == len(found) - 1


def test_a_file_with_8_bits_is_caught(made, trained, work):
    eight = Quantize().apply(State(trained, Kept()), work)
    found = proofs(convert_quantized(eight.model, eight.kept, "int8"), "int8", made[0].kept, made[0].model)
    assert [proof.found for proof in found if proof.promise == "4-bit weights"] == ["int8"] * len(
        made[0].kept.quantized.int4
    )


def test_the_file_is_smaller_by_half_of_those_weights(made, trained, work):
    eight = Quantize().apply(State(trained, Kept()), work)
    before, after = len(convert_quantized(eight.model, eight.kept, "int8")), len(made[1])
    halved = sum(made[0].model.get_layer(name).kernel.shape.num_elements() for name in made[0].kept.quantized.int4) // 2
    assert before - after == pytest.approx(halved, rel=0.1)
    found = anatomy.dissect(made[1])
    assert found.arithmetic == "int8"
    assert {item.codes for item in found.stored if item.dtype == "int4"} <= set(range(2, 16))


def test_the_runtime_computes_what_the_fake_quantized_graph_and_the_integers_say(made, images):
    state, data = made
    originals = images[0]
    answers = Model(data).predict(originals).argmax(axis=1)
    graph = quantized(state.model, state.kept.quantized)
    assert np.mean(answers == graph.predict(originals.astype(np.float32), verbose=0).argmax(axis=1)) > 0.98
    reference = Model(data, kernels="reference").predict(originals[:50])
    np.testing.assert_array_equal(IntegerModel(data).predict(originals[:50]), reference)


def test_training_wins_back_what_4_bits_cost(trained, work, images, accuracy):
    before = accuracy(trained.predict(images[0].astype(np.float32), verbose=0))
    step = Quantize(int4=("conv2d", "dense"), aware=True, epochs=3)
    assert step.label == "int4-qat"
    state = step.apply(State(trained, Kept()), work)
    data = convert_quantized(state.model, state.kept, "int8")
    assert accuracy(Model(data).predict(images[0])) > before - 0.02


def test_scales_of_4_bits_have_less_error_than_those_of_the_largest_weight():
    kernel = np.random.default_rng(0).standard_t(4, (3, 3, 8, 5)).astype(np.float32)
    shape = scale_shape(None, kernel.shape)
    widest = code_scales(kernel, shape).numpy() * 127 / 7

    def error(scales):
        return np.sum((np.clip(np.round(kernel / scales), -7, 7) * scales - kernel) ** 2, axis=(0, 1, 2))

    assert np.all(error(int4_scales(kernel, shape)) < error(widest))


def test_layers_that_cannot_have_4_bits_are_named(trained, work):
    with pytest.raises(InputError, match="int4 names 'convd': no layer or kind of that name"):
        Quantize(int4=("convd",)).apply(State(trained, Kept()), work)
    with pytest.raises(InputError, match="'pool' can't have weights of 4 bits"):
        Quantize(int4=("pool",)).apply(State(trained, Kept()), work)
    clusters = Clusters(centroids=(-1.0, 0.0, 1.0), scales=(1.0,) * 10)
    with pytest.raises(InputError, match="clusters of logits are int8 codes"):
        Quantize(int4=("dense",)).apply(State(trained, Kept(clustered={"logits": clusters})), work)
