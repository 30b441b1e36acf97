"""The optimizer that a step takes where it is given none."""

import keras
import pytest
from keras import layers

import tkit
from tkit import model_files
from tkit.compression.default_optimizer import default_optimizer
from tkit.passes.folding import fold
from tkit.training.optimizers.adamw import AdamW
from tkit.training.optimizers.sgd import SGD
from tkit_edge.errors import DivergedError


def test_large_steps_are_for_networks_with_batch_normalization(run):
    model = model_files.load(run.folder / "float")
    assert default_optimizer(model, 0.1) == SGD(learning_rate=0.1)
    assert isinstance(default_optimizer(fold(model), 0.1), AdamW)


@pytest.mark.parametrize(("bare", "expected"), [(2, SGD), (8, AdamW)])
def test_a_tenth_of_the_weights_may_be_bare(bare, expected):
    inputs = keras.Input((8, 8, 4))
    x = layers.BatchNormalization()(layers.Conv2D(16, 3)(inputs))
    x = layers.Conv2D(bare, 1)(x)
    outputs = layers.Dense(1000)(layers.Flatten()(x))
    assert type(default_optimizer(keras.Model(inputs, outputs), 0.1)) is expected


def test_a_step_that_diverges_says_at_what_rate(run):
    with pytest.raises(DivergedError, match=r"Some weights .* peak learning rate of 1e\+08\. Give the step"):
        tkit.compress(run, ["prune:epochs=2,optimizer=sgd:learning_rate=1e8"])
