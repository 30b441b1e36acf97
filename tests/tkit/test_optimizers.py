"""Optimizers and schedules: their steps and shapes, without a model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tkit.training.config import Fit
from tkit.training.keras_lookahead import look_ahead
from tkit.training.optimizers.muon import Muon
from tkit.training.optimizers.sgd import SGD


def test_vectors_learn_faster_where_the_recipe_says_so():
    def stepped(vector_scale):
        optimizer = SGD(learning_rate=0.5, vector_scale=vector_scale).build(0.5)
        kernel, bias = keras.Variable(np.ones((2, 3))), keras.Variable(np.ones(3))
        optimizer.build([kernel, bias])
        for _ in range(2):
            optimizer.apply([tf.ones((2, 3)), tf.ones(3)])
        return kernel.numpy(), bias.numpy()

    kernel, bias = stepped(1.0)
    scaled_kernel, scaled_bias = stepped(4.0)
    np.testing.assert_array_equal(scaled_kernel, kernel)
    np.testing.assert_allclose(1 - scaled_bias, 4 * (1 - bias), rtol=1e-6)


def test_muons_steps_are_orthogonal_and_kernels_keep_their_norm():
    optimizer = Muon(learning_rate=0.5, kernel_scale=0.1, vector_scale=2).build(0.5)
    random = np.random.default_rng(0)
    kernel = keras.Variable(random.normal(size=(3, 3, 8, 16)).astype(np.float32))
    depthwise, bias = keras.Variable(np.ones((3, 3, 8, 1))), keras.Variable(np.ones(16))
    optimizer.build([kernel, depthwise, bias])
    before = kernel.numpy()
    gradient = random.normal(size=kernel.shape).astype(np.float32)
    optimizer.apply([tf.constant(gradient), tf.ones((3, 3, 8, 1)), tf.ones(16)])
    normed = before * (np.sqrt(16) / np.linalg.norm(before))
    step = ((normed - kernel.numpy()) / (0.5 * 0.1)).reshape(-1, 16)
    assert np.all((np.linalg.svd(step, compute_uv=False) > 0.6) & (np.linalg.svd(step, compute_uv=False) < 1.3))
    assert np.sum(step * gradient.reshape(-1, 16)) > 0
    np.testing.assert_allclose(depthwise, 1 - 0.5 * 1.9, rtol=1e-6)  # Nesterov's first step
    np.testing.assert_allclose(bias, 1 - 2 * 0.5 * 1.9, rtol=1e-6)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("one_cycle:warmup=0.5", [0.02, 0.5, 1.0, 0.5, 0.02]),
        ("cosine", [1.0, 0.854, 0.5, 0.146, 0.0]),
        ("step:factor=0.1", [1.0, 1.0, 0.1, 0.01, 0.01]),
    ],
)
def test_schedules_have_their_shape(schedule, expected):
    built = Fit(schedule=schedule).schedule.build(2.0, total_steps=100)
    values = [float(built(step)) / 2 for step in (0, 25, 50, 75, 99)]
    np.testing.assert_allclose(values, expected, atol=0.03)


def test_learning_rates_scale_with_the_batch():
    assert Fit(optimizer="sgd:learning_rate=0.4").optimizer.scaled(128) == pytest.approx(0.2)
    assert Fit(optimizer="adamw:learning_rate=0.4").optimizer.scaled(64) == pytest.approx(0.2)


def test_lookahead_draws_the_weights_to_their_slow_average_every_fifth_step():
    optimizer = keras.optimizers.SGD(0.1)
    look_ahead(optimizer, share=0.8, total_steps=20)
    weight, gradient = keras.Variable([1.0, -2.0]), np.array([0.5, 1.0], np.float32)
    optimizer.build([weight])
    fast, slow = np.array([1.0, -2.0]), None
    for step in range(1, 21):
        optimizer.apply([tf.constant(gradient)])
        fast = fast - 0.1 * gradient
        if step % 5 == 0:
            kept = 0.8 * (step / 20) ** 3 if step > 5 else 0.0
            slow = fast if slow is None else kept * slow + (1 - kept) * fast
            fast = slow
        np.testing.assert_allclose(weight, fast, rtol=1e-5, err_msg=f"step {step}")
