"""Widths by measured latency, on a small network whose files are really converted and timed."""

import keras
import numpy as np
import pytest
from keras import layers

from tkit.compression.channels.latency import _rungs, choose, kept
from tkit.compression.channels.narrowing import narrow
from tkit.compression.channels.ranking import l1
from tkit_edge.errors import BoundError, InputError


@pytest.fixture(scope="module")
def twins():
    """Two equal branches, so that only importance tells them apart."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((24, 24, 3))
    stem = layers.Conv2D(8, 3, activation="relu", name="stem")(inputs)
    branches = []
    for name in ("first", "second"):
        x = layers.Conv2D(64, 3, activation="relu", name=name)(stem)
        branches.append(layers.Conv2D(8, 3, activation="relu", name=f"{name}_end")(x))
    x = layers.GlobalAveragePooling2D()(layers.Concatenate()(branches))
    return keras.Model(inputs, layers.Dense(3, name="logits")(x))


def test_widths_reach_the_target_where_the_least_importance_is_lost(twins):
    importance = {**l1(twins), "second": np.r_[np.full(16, 4.0), np.full(48, 1e-3)]}
    choice = choose(twins, importance, 1.15)
    assert choice.timing.ratio >= 1.15
    assert choice.tried[-1] == (choice.widths, choice.timing)
    assert choice.widths["second"] < 64 and choice.widths["second"] % 8 == 0
    assert choice.widths["first"] == 64 or choice.widths["second"] <= 16
    assert choice.widths["stem"] == 8  # none is made narrower than the step
    assert {name: list(timings) for name, timings in choice.alone.items()} == {
        "first": [48, 32, 16],
        "second": [48, 32, 16],
    }
    keep = kept(importance, choice.widths)
    assert keep["second"].tolist()[:16] == list(range(16))
    assert narrow(twins, keep).get_layer("second").filters == choice.widths["second"]


def test_a_target_that_no_width_reaches_is_refused_with_what_was_reached(twins):
    with pytest.raises(BoundError, match=r"\d\.\d\d x faster at most, the target is 500 x"):
        choose(twins, l1(twins), 500.0, step=32)


def test_wrong_arguments_are_refused_before_anything_is_measured(twins):
    importance = l1(twins)
    with pytest.raises(InputError, match=r"expected a ratio above 1 .* received 0\.7"):
        choose(twins, importance, 0.7)
    with pytest.raises(InputError, match="at least 1 channel, received 0"):
        choose(twins, importance, 1.5, step=0)
    with pytest.raises(InputError, match="No group of channels is wider than 64"):
        choose(twins, importance, 1.5, step=64)


def test_kept_channels_are_the_most_important_of_equal_ones_the_first():
    importance = {"a": np.array([1.0, 3.0, 1.0, 2.0, 1.0])}
    assert kept(importance, {"a": 3})["a"].tolist() == [0, 1, 3]
    assert kept(importance, {}) == {}
    with pytest.raises(InputError, match="no group 'b' to narrow; there are: a"):
        kept(importance, {"b": 1})
    with pytest.raises(InputError, match="Width of 'a': expected a number from 1 to 5, received 6"):
        kept(importance, {"a": 6})


@pytest.mark.parametrize("step", [1, 4, 8, 16])
def test_no_width_is_proposed_that_is_not_narrower(step):
    for width in range(step + 1, 200):
        rungs = _rungs(width, step)
        assert rungs == sorted({*rungs}, reverse=True)
        assert all(0 < narrower < width and narrower % step == 0 for narrower in rungs)
    assert _rungs(12, 8) == [8]
