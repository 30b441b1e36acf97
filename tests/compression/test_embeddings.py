"""Embeddings among the kernels: pruned, shared and rounded like them, and found so in the file."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import tkit
from tkit import model_files
from tkit.compression.proofs import proofs
from tkit.kernels.masks import as_matrix, sparsity_of
from tkit.kernels.scales import scale_shape
from tkit.kernels.viewed import kernel_of, stock, view, with_kernels
from tkit.passes.attention import MASKED, by_head
from tkit.promises import Kept
from tkit.quantization.rules import Rules
from tkit_edge import flatbuffer
from tkit_edge.graph import values

SETTINGS = [
    "fit.epochs=2",
    "model=text_cnn:width=16,filters=16,dropout=0.1",
    "export.parity.drop=1",
    "export.parity.agreement=0",
    "export.parity.difference=1",
    "export.formats=float32,int8",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tkit.fit("sentences_transformer", overrides=SETTINGS, runs_dir=tmp_path_factory.mktemp("runs"))


def embedded():
    ids = keras.Input((6,), dtype="int32", name="tokens")
    x = layers.Embedding(20, 4, name="table")(ids)
    flags = layers.Embedding(2, 1, trainable=False, name="flags")(ops.minimum(ids, 1))
    x = layers.Multiply(name="only")([x, flags])
    return keras.Model(ids, layers.Dense(2, name="logits")(layers.Flatten(name="flat")(x)))


def test_a_table_is_a_kernel_and_a_fixed_one_is_not():
    model = embedded()
    assert [layer.name for layer in with_kernels(model)] == ["table", "logits"]
    table = model.get_layer("table")
    assert scale_shape(table, (20, 4)) == (1, 1)
    assert as_matrix(table, kernel_of(table).numpy()).shape == (20, 4)


def test_a_table_seen_through_views_looks_up_what_it_becomes():
    model = embedded()
    table = model.get_layer("table")
    weights = np.linspace(-1, 1, 80, dtype=np.float32).reshape(20, 4)  # none of them rounds to nothing
    table.set_weights([np.where(np.arange(80).reshape(20, 4) % 2, weights, 0)])
    seen = view(model, {"table": [("masked", {}), ("fake_quantized", {})]})
    ids = np.arange(6)[None]
    found = np.asarray(seen.get_layer("table")(ids))
    assert (found.reshape(-1, 2)[:, 0] == 0).all()
    kernel = table.get_weights()[0]
    step = np.abs(kernel).max() / 127
    np.testing.assert_allclose(found[0], np.round(kernel[:6] / step) * step, atol=1e-7)
    assert np.array_equal(kernel_of(stock(seen).get_layer("table")).numpy()[:6], found[0])
    assert sparsity_of(stock(seen).get_layer("table")) == 0.5


def test_what_computes_with_ids_has_no_float_and_a_table_its_own_codes():
    model = embedded()
    model.get_layer("flags").set_weights([np.array([[0.0], [1.0]], np.float32)])
    rules = Rules(model, ())
    assert rules.ruleless == {}
    low, high = rules.fixed["flags"]
    assert high == pytest.approx(1.0)
    assert low == pytest.approx(-128 / 127)


@pytest.mark.slow
def test_the_file_has_the_zeros_and_the_few_codes_that_were_promised(run):
    made = tkit.compress(
        run, ["prune:sparsity=0.5,epochs=1", "cluster:clusters=8,epochs=1", "quantize:aware=false"], variant="float"
    )
    folder = run.folder / made["variant"]
    kept = Kept.read(folder)
    assert kept.pruned["token_embedding"] == pytest.approx(0.5, abs=0.05)
    tkit.export(run, variant=made["variant"])
    data = (folder / "export" / "model-int8.tflite").read_bytes()
    graph = flatbuffer.read(data)
    tables = [graph.tensors[item.inputs[0]] for item in graph.operators if item.name == "GATHER"]
    (table,) = [tensor for tensor in tables if tensor.shape[1] == 16]
    codes = values(table)
    assert table.dtype == "int8"
    assert (len(table.scales), table.zero_points.tolist()) == (1, [0])
    assert len(np.unique(codes)) <= 8
    assert np.mean(codes == 0) >= kept.pruned["token_embedding"] - 1e-3
    weights = kernel_of(model_files.load(folder).get_layer("token_embedding")).numpy()
    np.testing.assert_allclose(codes * table.scales[0], weights, atol=1e-6)
    verdicts = {proof.layer: proof for proof in proofs(data, "int8", kept, model_files.load(folder))}
    assert verdicts["token_embedding"].holds
    damaged = bytearray(data)
    where = data.index(codes.tobytes())
    damaged[where : where + 64] = bytes(range(64))
    broken = proofs(bytes(damaged), "int8", kept, model_files.load(folder))
    assert not all(proof.holds for proof in broken if proof.layer == "token_embedding")


def test_a_mask_between_every_query_and_key_is_the_same_head_by_head():
    keras.utils.set_random_seed(0)
    inputs, mask = keras.Input((5, 6)), keras.Input((5, 5), dtype="bool")
    outputs = layers.MultiHeadAttention(2, 3, name="attention")(inputs, inputs, attention_mask=mask)
    model = keras.Model([inputs, mask], outputs)
    made = by_head(model)
    assert "attention_masked_1" in {layer.name for layer in made.layers}
    chance = np.random.default_rng(0)
    which = chance.random((7, 5, 5)) < 0.6
    which[:, range(5), range(5)] = True
    arrays = [chance.normal(size=(7, 5, 6)).astype(np.float32), which]
    np.testing.assert_allclose(made(arrays), model(arrays), atol=1e-5)
    assert np.exp(MASKED) < 1e-8
