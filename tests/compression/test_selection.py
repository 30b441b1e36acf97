"""What prune and cluster say of the layers that they don't take, or don't train."""

import keras
from keras import layers

from tkit.compressible.selection import chosen, say_what_stays


def test_layers_of_other_kinds_and_frozen_ones_are_named(capsys):
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="backbone", trainable=False)(inputs)
    x = layers.Conv2D(4, 3, name="conv")(x)
    x = layers.EinsumDense("abc,cd->abd", (None, 4), name="mix")(layers.Reshape((16, 4))(x))
    model = keras.Model(inputs, layers.Dense(3, name="logits")(layers.LSTM(4, name="reads")(x)))
    taken = chosen(model, ("conv",), "prune")
    assert [layer.name for layer in taken] == ["backbone", "logits"]
    say_what_stays(model, taken, "prune")
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "prune: takes Conv2D, DepthwiseConv2D, Conv2DTranspose and Dense; these stay as they are: mix (EinsumDense), "
        "reads (LSTM)",
        "prune: takes frozen layers too, but doesn't train what is left of them: backbone",
    ]
    say_what_stays(keras.Sequential([inputs, layers.Dense(3)]), taken[1:], "prune")
    assert capsys.readouterr().err == ""
