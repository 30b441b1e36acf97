"""Attention head by head, and layer normalization without gain and offset: the same network."""

import keras
import numpy as np
import pytest
from keras import layers

import tkit
from tkit import model_files
from tkit.compression.proofs import proofs
from tkit.kernels.viewed import with_kernels
from tkit.passes.attention import by_head
from tkit.passes.folding import fold
from tkit.promises import Kept
from tkit.recipe_loading import load
from tkit_edge import flatbuffer

TOKENS, FEATURES = 16, 24


def transformer(*, heads=2, dropout=0.0, **keywords):
    """One block on patches of digits, normalized before each part (pre-LN), and a normalization behind."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1), name="image")
    x = layers.Rescaling(1 / 60, -1.0, name="normalize")(inputs)
    x = layers.Conv2D(FEATURES, 4, strides=2, padding="same", name="patches")(x)  # whose padding says where a patch is
    x = layers.Reshape((TOKENS, FEATURES), name="tokens")(x)
    y = layers.LayerNormalization(name="norm_1")(x)
    attention = layers.MultiHeadAttention(heads, 4, value_dim=5, dropout=dropout, name="attention", **keywords)
    x = layers.Add(name="add_1")([x, attention(y, y)])
    y = layers.LayerNormalization(name="norm_2")(x)
    y = layers.Dense(FEATURES, name="down")(layers.Dense(32, activation="gelu", name="up")(y))
    x = layers.LayerNormalization(name="norm")(layers.Add(name="add_2")([x, y]))
    return keras.Model(inputs, layers.Dense(10, name="logits")(layers.GlobalAveragePooling1D(name="pool")(x)))


def shaken(model):
    """With gains, offsets and biases that aren't what they begin as."""
    chance = np.random.default_rng(1)
    for variable in model.weights:
        variable.assign(variable + chance.normal(0, 0.2, variable.shape))
    return model


def pixels(count=32):
    return np.random.default_rng(0).integers(0, 256, (count, 8, 8, 1)).astype(np.float32)


@pytest.mark.parametrize("keywords", [{}, {"heads": 1}, {"use_bias": False}, {"output_shape": FEATURES}])
def test_attention_by_head_is_the_same(keywords):
    model = shaken(transformer(**keywords))
    made = by_head(model)
    assert not any(isinstance(layer, layers.MultiHeadAttention) for layer in made.layers)
    assert {"attention", "attention_query_0", "attention_value_0"} <= {layer.name for layer in with_kernels(made)}
    np.testing.assert_allclose(made(pixels()), model(pixels()), atol=1e-5)


def test_attention_to_other_tokens_and_by_keyword_is_the_same():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    one, other = (layers.Reshape((TOKENS, 4))(layers.Conv2D(4, 2, strides=2)(inputs)) for _ in range(2))
    key = layers.Dense(4)(other)
    outputs = layers.MultiHeadAttention(2, 3)(query=one, value=other, key=key)
    model = shaken(keras.Model(inputs, outputs))
    made = by_head(model)
    assert not any(isinstance(layer, layers.MultiHeadAttention) for layer in made.layers)
    np.testing.assert_allclose(made(pixels() / 60), model(pixels() / 60), atol=1e-5)


def test_attention_with_a_mask_stays_as_it_is():
    inputs = keras.Input((TOKENS, FEATURES))
    causal = layers.MultiHeadAttention(2, 3)(inputs, inputs, use_causal_mask=True)
    model = keras.Model(inputs, causal)
    assert by_head(model) is model


def test_a_model_without_attention_is_itself(trained):
    assert by_head(trained) is trained


def test_dropout_of_the_shares_stays():
    made = by_head(transformer(dropout=0.3))
    assert [layer.rate for layer in made.layers if isinstance(layer, layers.Dropout)] == [0.3, 0.3]


def test_folded_layer_normalization_is_the_same():
    model = by_head(shaken(transformer()))
    folded = fold(model)
    norms = [layer for layer in folded.layers if isinstance(layer, layers.LayerNormalization)]
    assert len(norms) == 3 and not any(layer.weights for layer in norms)
    # Only the last is followed by something else than dense layers.
    assert [layer.name for layer in folded.layers if isinstance(layer, layers.DepthwiseConv2D)] == ["norm_affine"]
    np.testing.assert_allclose(folded(pixels()), model(pixels()), atol=1e-5)
    assert [layer.name for layer in fold(folded).layers] == [layer.name for layer in folded.layers]


def test_a_transformer_is_pruned_and_trained_on_int8(tmp_path):
    path = tmp_path / "transformer.keras"
    transformer().save(path)
    fields = [f"model=keras_file:path={path}", "fit.optimizer=adamw:learning_rate=0.01", "fit.epochs=30"]
    fields += ["bench.seconds=0.05", "export.formats=float32,int8"]
    run = tkit.fit(load("digits_cnn", fields), runs_dir=tmp_path)
    steps = ["prune:sparsity=0.5,epochs=5", "quantize:aware=true"]
    made = tkit.compress(run, steps)
    tkit.export(run, overrides=["export.parity.agreement=0.9"])
    kept = Kept.read(run.folder / made["variant"])
    data = (run.folder / made["variant"] / "export" / "model-int8.tflite").read_bytes()
    assert {tensor.dtype for tensor in flatbuffer.read(data).tensors} <= {"int8", "int32"}
    found = proofs(data, "int8", kept, model_files.load(run.folder / made["variant"]))
    assert all(proof.holds for proof in found)
    assert {"attention", "attention_key_1", "up", "logits"} <= {proof.layer for proof in found}
    rows = made["metrics"]["ledger"]
    assert rows[0]["accuracy"] > 0.8
    # What pruning costs so small a net is another matter.
    assert rows[-1]["accuracy"] > rows[-2]["accuracy"] - 0.03
