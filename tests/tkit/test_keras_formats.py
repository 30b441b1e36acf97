"""Models in Keras's other formats: HDF5 of Keras 2 and 3 is read, of the others it is said what to make of them."""

import os

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from tkit import model_files
from tkit.cli import main
from tkit.keras_files import child
from tkit.keras_files.reader import _arrays, read
from tkit_edge.errors import InputError

SHAPE = (8, 8, 3)
IMAGES = np.random.default_rng(0).integers(0, 256, (3, *SHAPE)).astype(np.float32)


def scores(path):
    answer, data = child.read(path, None)
    model = model_files.rebuild(answer["architecture"], _arrays(answer["weights"], data), path)
    return model.predict(IMAGES, verbose=0)


def sequential():
    inner = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Softmax()]
    )
    return keras.Sequential([keras.Input(SHAPE), layers.Rescaling(1 / 255), inner, layers.Flatten(), layers.Dense(3)])


def functional():
    inputs = keras.Input(SHAPE)
    x = keras.ops.softmax(keras.ops.gelu(layers.Conv2D(4, 3)(inputs / 255)) + 1)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


@pytest.mark.parametrize("make", [sequential, functional])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_hdf5_files_and_other_letters_are_read(make, tmp_path):
    model = make()
    wanted = model.predict(IMAGES, verbose=0)
    model.save(tmp_path / "mine.h5")
    np.testing.assert_allclose(scores(tmp_path / "mine.h5"), wanted, atol=1e-6)
    model.save(tmp_path / "mine.keras")
    os.replace(tmp_path / "mine.keras", tmp_path / "MINE.KERAS")
    np.testing.assert_allclose(scores(tmp_path / "MINE.KERAS"), wanted, atol=1e-6)


def keras_2():
    old = pytest.importorskip("tf_keras")
    inputs = old.Input(SHAPE)
    x = old.layers.Conv2D(4, 3, padding="same")(old.layers.Rescaling(1 / 255)(inputs))
    x = old.layers.ReLU()(old.layers.BatchNormalization()(x))
    x = old.layers.add([x, old.layers.DepthwiseConv2D(3, padding="same")(x)])
    x = old.layers.GlobalAveragePooling2D()(old.layers.SeparableConv2D(4, 3)(x))
    return old.Model(inputs, old.layers.Dense(3, activation="softmax", kernel_regularizer="l2")(x))


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_what_keras_2_saved(tmp_path):
    model = keras_2()
    model.save(tmp_path / "old.h5")
    np.testing.assert_allclose(scores(tmp_path / "old.h5"), model.predict(IMAGES, verbose=0), atol=1e-6)
    model.save(tmp_path / "old.keras")
    with pytest.raises(InputError, match=r"saved by Keras 2.*load_model\('old.keras'\).save\('model.h5'\)"):
        read(tmp_path / "old.keras", None)
    model.save(tmp_path / "saved", save_format="tf")
    with pytest.raises(InputError, match=r"SavedModel.*tf_keras.models.load_model\('saved'\).save\('model.h5'\)"):
        read(tmp_path / "saved", None)


def test_commands_say_what_a_savedmodel_lacks_and_what_weights_alone_lack(tmp_path, capsys):
    sequential().export(tmp_path / "exported", verbose=False)
    sequential().save_weights(tmp_path / "mine.weights.h5")
    (tmp_path / "mine.txt").write_text("no model")
    for name, message in {
        "exported": "is a SavedModel",
        "mine.weights.h5": "holds only weights",
        "mine.txt": "is not a Keras model",
    }.items():
        with pytest.raises(SystemExit) as stopped:
            main(["export", str(tmp_path / name), "--data", "digits"])
        assert stopped.value.code == 2
        assert message in " ".join(capsys.readouterr().err.split())


def test_an_hdf5_file_without_a_model_that_can_be_read(tmp_path):
    for name, text in {"list.h5": "[]", "cut.h5": "{"}.items():
        with h5py.File(tmp_path / name, "w") as file:
            file.attrs["model_config"] = text
        with pytest.raises(InputError, match="no description of a model"):
            child.read(tmp_path / name, None)
