"""The families for texts: padding changes nothing, and every format that is exported computes the same."""

from collections import Counter

import numpy as np
import pytest

from tkit.conversion.converter import Converter
from tkit.conversion.explanation import float_operators
from tkit.graph import names, of_size
from tkit.models import Spec
from tkit.models.fasttext import FastText
from tkit.models.recurrent import Recurrent
from tkit.models.text_cnn import TextCNN
from tkit.models.transformer import Transformer
from tkit.passes.decomposition import decomposed
from tkit.quantization.ranges import ranges
from tkit.quantization.rules import Rules
from tkit_edge import flatbuffer
from tkit_edge.inputs.tokenizers import FIRST, PAD, START
from tkit_edge.runtime import Model
from tkit_edge.tensors import TensorSpec

LENGTH, WORDS = 12, 60
SPEC = Spec(
    (TensorSpec("tokens", (LENGTH,), "int32"),),
    (TensorSpec("logits", (3,), "float32"),),
    {},
    {"tokens": WORDS},
)
FAMILIES = {
    "transformer": Transformer(depth=1, width=16, heads=2),
    "transformer, sinusoidal, first": Transformer(depth=2, width=16, heads=4, positions="sinusoidal", pooling="first"),
    "fasttext": FastText(width=8),
    "fasttext, sum": FastText(width=8, pooling="sum", ngram_dropout=0.5),
    "text_cnn": TextCNN(width=8, kernels=(2, 3), filters=8),
    "lstm": Recurrent(width=8, units=8),
    "gru": Recurrent(width=8, units=8, cell="gru"),
    "lstm, one direction": Recurrent(width=8, units=8, bidirectional=False),
}
INTEGERS_ONLY = ("transformer", "fasttext", "fasttext, sum", "text_cnn")


def ids(count=40, longest=LENGTH):
    """Texts of 1 to `longest` ids, the start among them."""
    chance = np.random.default_rng(0)
    tokens = chance.integers(FIRST, WORDS, (count, LENGTH)).astype(np.int32)
    tokens[:, 0] = START
    for row in tokens:
        row[chance.integers(1, longest + 1) :] = PAD
    return tokens


def shaken(model):
    """With weights that aren't what they begin as; the fixed tables stay."""
    chance = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(variable + chance.normal(0, 0.2, variable.shape))
    return model


@pytest.mark.parametrize("name", FAMILIES)
def test_padding_changes_nothing(name):
    model, tokens = shaken(FAMILIES[name].build(SPEC)), ids(longest=9)
    long, short = model(tokens), model(tokens[:, :9])
    np.testing.assert_allclose(long, short, atol=2e-6)
    assert np.ptp(np.asarray(long), axis=0).min() > 1e-3  # and it does depend on the texts
    assert [tuple(tensor.shape) for tensor in of_size(model, SPEC.inputs).inputs] == [(None, LENGTH)]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_every_format_computes_the_same_with_builtin_operators(name):
    model = of_size(shaken(FAMILIES[name].build(SPEC)), SPEC.inputs)
    tokens = ids()
    wanted = np.asarray(model(tokens))
    largest = np.abs(wanted).max()
    formats = {"float32": 1e-5, "float16": 5e-3, "dynamic": 0.1, "int8": 0.25}
    if "lstm" in name:
        formats.pop("int8")  # cells in 8 bits: the gate of an export judges them
    with Converter(model, {"tokens": tokens}, io="int8") as convert:
        for fmt, tolerance in formats.items():
            data = convert(fmt)
            file = Model(data)
            assert [(spec.name, spec.shape, spec.dtype) for spec in file.inputs] == [("tokens", (LENGTH,), "int32")]
            (found,) = file.run({"tokens": tokens}).values()
            assert np.abs(found - wanted).max() < tolerance * largest, fmt
            operators = Counter(operator.name for operator in flatbuffer.read(data).operators)
            assert not any("FLEX" in operator.upper() or operator == "CUSTOM" for operator in operators), fmt
            assert not operators["LESS"], "lookups count no negative ids"
        if name in INTEGERS_ONLY:
            assert float_operators(data, names(model)) == {}
        if "transformer" in name:
            graph = flatbuffer.read(data)
            seconds = [graph.tensors[item.inputs[1]] for item in graph.operators if item.name == "BATCH_MATMUL"]
            assert len(seconds) >= 4
            assert not any(tensor.zero_points.any() for tensor in seconds), "XNNPACK would leave such a product out"


def test_attention_with_a_mask_is_the_same_head_by_head():
    model = of_size(shaken(FAMILIES["transformer"].build(SPEC)), SPEC.inputs)
    made = decomposed(model)
    assert not any(type(layer).__name__ == "MultiHeadAttention" for layer in made.layers)
    np.testing.assert_allclose(made(ids()), model(ids()), atol=1e-4)


def test_second_factors_of_products_alone_have_0_in_their_middle():
    model = decomposed(of_size(shaken(FAMILIES["transformer"].build(SPEC)), SPEC.inputs))
    symmetric = Rules(model, (), None).symmetric
    heads = {f"block1_attention_{part}_{head}" for part in ("key", "value") for head in range(2)}
    assert heads < symmetric
    found = ranges(model, {"tokens": ids()}, "minmax", (), None)
    for name in heads:
        low, high = found[name]
        assert low == pytest.approx(-high * 128 / 127)
    assert found["block1_feed_up"][0] > -0.5 * found["block1_feed_up"][1]  # after GELU


def test_the_start_is_classified_where_asked():
    model = Transformer(depth=1, width=16, heads=2, pooling="first").build(SPEC)
    assert "pool_shares" not in {layer.name for layer in model.layers}


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="heads must divide width: 30 is no multiple of 4"):
        Transformer(width=30)
