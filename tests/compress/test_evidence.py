"""Whose kernel is whose in a file, where the layers have the names that Keras gives them."""

import keras
import numpy as np
import pytest
from keras import layers

from tkit.compress import Kept
from tkit.compress._evidence import kernels, proofs
from tkit.compress._fold import fold
from tkit.compress._kernels import kernel_names
from tkit.compress._ranges import ranges
from tkit.compress.quantize import Rounding, _rounded
from tkit.export.convert import Converter
from tkit.export.quantized import convert_quantized
from tkit_edge import flatbuffer
from tkit_edge.graph import values

NAMES = ("conv2d_1", "conv2d", "conv2d_2", "conv2d_1_1", "dense", "dense_1")


def network():
    """Each layer's name and a number is another one's."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3), name="image")
    x = layers.Rescaling(1 / 255, name="pixels")(inputs)
    for name in NAMES[:4]:
        x = layers.Conv2D(3, 3, padding="same", activation="relu", bias_initializer="random_normal", name=name)(x)
    x = layers.Dense(27, activation="relu", bias_initializer="random_normal", name="dense")(layers.Flatten()(x))
    return keras.Model(inputs, layers.Dense(27, bias_initializer="random_normal", name="dense_1")(x))


@pytest.mark.parametrize("fmt", ["float32", "int8"])
def test_each_layer_s_kernel_is_its_own(fmt):
    model = network()
    for number, name in enumerate(NAMES, 2):
        layer = model.get_layer(name)
        layer.kernel.assign(
            layer.kernel * (np.arange(layer.kernel.numpy().size) % number > 0).reshape(layer.kernel.shape)
        )
    pruned = {name: float(np.mean(model.get_layer(name).kernel.numpy() == 0)) for name in NAMES[1:]}
    if fmt == "int8":
        pictures = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
        model, kept = _rounded(fold(model), Kept(pruned=pruned), ranges(model, pictures, "minmax"), Rounding({}))
        data = convert_quantized(model, kept, "int8")
    else:
        kept = Kept(pruned=pruned)
        with Converter(model, None, io="float32") as convert:
            data = convert("float32")
    assert set(kernel_names(model)) == set(NAMES)
    found = kernels(flatbuffer.read(data), NAMES)
    for name in NAMES:
        kernel = model.get_layer(name).kernel.numpy()
        theirs = values(found[name]).astype(np.float32)
        if fmt == "int8":
            theirs = theirs.reshape(len(theirs), -1) * np.asarray(kept.quantized.scales[name], np.float32)[:, None]
        alike = np.corrcoef(theirs.ravel(), np.moveaxis(kernel, -1, 0).ravel())[0, 1]
        assert alike > 0.999  # the converter multiplies the first by the pixels' scale
    judged = proofs(data, kept, NAMES)
    assert {proof.layer for proof in judged if "zeros" in proof.promise} == set(NAMES[1:])
    assert all(proof.holds for proof in judged)
