"""Networks of other kinds in a person's own loop: trained in int8, saved, loaded, exported and reported on."""

import keras
import numpy as np
import pytest

import tkit
import tkit.layers
from tkit_edge import anatomy

PLACES = ("tkit.kernels", "tkit.quantization", "tkit.compressible", "tkit.training.twin", "tkit.training.strided")
L = keras.layers
RANDOM = np.random.default_rng(0)


def transformer():
    tokens = keras.Input((8,), dtype="int32")
    hidden = L.Embedding(20, 8)(tokens) + L.Embedding(8, 8)(keras.ops.arange(8))
    normalized = L.LayerNormalization()(hidden)
    hidden = hidden + L.MultiHeadAttention(2, 4)(normalized, normalized)
    hidden = hidden + L.Dense(8)(L.Dense(16, activation="gelu")(L.LayerNormalization()(hidden)))
    model = keras.Model(tokens, L.Dense(3, activation="softmax")(L.GlobalAveragePooling1D()(hidden)))
    return model, RANDOM.integers(0, 20, (64, 8)), RANDOM.integers(0, 3, 64), "sparse_categorical_crossentropy"


def segmentation():
    images = keras.Input((8, 8, 3))
    wide = L.Conv2D(4, 3, padding="same", activation="relu")(images)
    deep = L.DepthwiseConv2D(3, strides=2, padding="same", activation="hard_swish")(wide)
    both = L.Concatenate()([L.Conv2DTranspose(4, 2, strides=2)(deep), wide])
    model = keras.Model(images, L.Conv2D(1, 1, activation="sigmoid")(both))
    y = RANDOM.integers(0, 2, (64, 8, 8, 1)).astype("float32")
    return model, RANDOM.random((64, 8, 8, 3)).astype("float32"), y, "binary_crossentropy"


def recurrent():
    model = keras.Sequential([keras.Input((6, 4)), L.LSTM(4), L.Dense(2)])
    return model, RANDOM.normal(size=(64, 6, 4)).astype("float32"), RANDOM.normal(size=(64, 2)), "mse"


@pytest.mark.parametrize(
    ("make", "arithmetic"), [(transformer, "int8"), (segmentation, "int8"), (recurrent, "mixed float32, float64, int8")]
)
def test_it_goes_all_the_way(make, arithmetic, tmp_path):
    model, x, y, loss = make()
    model = tkit.quantize_aware(tkit.strip(fitted(tkit.prunable(model), x, y, loss)), calibration=x)
    fitted(model, x, y, loss).save(tmp_path / "aware.keras")
    file = tkit.to_tflite(model, "int8")
    assert file == tkit.to_tflite(tkit.load_model(tmp_path / "aware.keras"), "int8")
    report = tkit.report_on(model, file, data=(x, y))
    assert report.holds and f"; {arithmetic}." in repr(report) and "Same" in repr(report)
    assert anatomy.dissect(file).arithmetic == arithmetic


def fitted(model, x, y, loss):
    model.compile("adam", loss)
    model.fit(x, y, batch_size=32, epochs=1, verbose=0, callbacks=[tkit.Schedule()])
    return model


def test_every_layer_that_a_model_in_training_may_have_is_registered_with_keras():
    waiting, found = [keras.layers.Layer], {}
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if cls.__module__.startswith(PLACES):
            found[cls.__name__] = keras.saving.get_registered_name(cls)
    assert len(found) >= 13
    assert found == {name: f"tkit.layers>{name}" for name in found}
