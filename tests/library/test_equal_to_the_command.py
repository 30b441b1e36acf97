"""`tkit compress` and a person's own `fit` with the same optimizer, batches and seed give the same weights."""

from functools import reduce

import keras
import numpy as np
import pytest
import tensorflow as tf

import tkit
from tkit.compression.steps.cluster import Cluster
from tkit.compression.steps.prune import Prune
from tkit.compression.steps.quantize import Quantize
from tkit.compression.workbench import Workbench
from tkit.promises import Kept, State
from tkit.recipe_loading import load
from tkit.stages._common import data_of
from tkit.stages._compress import settings_of
from tkit.training.optimizers.adamw import AdamW
from tkit.training.schedules.one_cycle import OneCycle

EPOCHS = 10  # long enough for the moving averages of batch normalization, which the command else estimates anew
OPTIMIZER = AdamW(learning_rate=1e-3, weight_decay=0.001)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """What the steps of `tkit compress` work with, of a run on the digits in float32, and the run's model."""
    overrides = ["fit.epochs=4", "fit.precision=float32", "fit.l2=0", "fit.steps_per_execution=1", "model.width=8"]
    run = tkit.fit(load("digits_cnn", overrides), runs_dir=tmp_path_factory.mktemp("runs"))
    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    made = Workbench(**settings_of(run, data_of(run)))
    return made, keras.saving.load_model(run.folder / "float" / "model.keras")


def fitted(work, model):
    """As a person fits it, with the engine's optimizer and batches."""
    steps = work.steps_per_epoch
    schedule = OneCycle(warmup=0.1).build(OPTIMIZER.scaled(work.batches.batch_size), total_steps=EPOCHS * steps)
    settings = {"global_clipnorm": work.fit.clip_norm, "use_ema": False, "ema_momentum": 0.99}
    optimizer = OPTIMIZER.build(schedule, **settings)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(optimizer, work.contract.loss())
    parts = [work.batches.dataset(epoch).take(steps) for epoch in range(EPOCHS)]
    data = reduce(tf.data.Dataset.concatenate, parts)
    model.fit(data, epochs=EPOCHS, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[tkit.Schedule()])
    return model


def test_pruned_clustered_and_quantized_weights_are_equal(work):
    work, model = work
    state, own = State(model, Kept()), model
    steps = [
        Prune(sparsity=0.6, epochs=EPOCHS, optimizer=OPTIMIZER),
        Cluster(clusters=12, epochs=EPOCHS, optimizer=OPTIMIZER),
        Quantize(aware=True, epochs=EPOCHS, optimizer=OPTIMIZER, samples=100),
    ]
    (calibration,) = work.calibration(100).values()
    make = [
        lambda model: tkit.prunable(model, 0.6),
        lambda model: tkit.clusterable(model, 12, seed=work.seed),
        lambda model: tkit.quantize_aware(model, calibration, input_range=(0, 255)),
    ]
    for step, prepared in zip(steps, make, strict=True):
        keras.utils.set_random_seed(0)
        state = step.apply(state, work)
        keras.utils.set_random_seed(0)
        own = fitted(work, prepared(own))
        stock = tkit.strip(own)
        assert [weight.shape for weight in stock.get_weights()] == [
            weight.shape for weight in state.model.get_weights()
        ]
        for mine, theirs in zip(stock.get_weights(), state.model.get_weights(), strict=True):
            assert np.array_equal(mine, theirs)
    assert state.kept.quantized is not None
