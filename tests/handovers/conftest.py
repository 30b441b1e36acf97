"""Exported runs that the tests of handovers share."""

import pytest

import tkit
from tkit.recipe_loading import load


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    """A short run on grey images, exported in all formats."""
    run = tkit.fit(load("digits_cnn", ["fit.epochs=4", "model.width=8"]), runs_dir=tmp_path_factory.mktemp("runs"))
    tkit.export(run)
    return run


@pytest.fixture(scope="session")
def colours(tmp_path_factory):
    """A run on images of three channels, exported as float32 and int8; its recipe has a bound that no file keeps."""
    settings = ["data.source=synthetic:3", "data.image_size=16", "fit.epochs=1", "model.width=8"]
    recipe = load("cifar10_cnn", [*settings, "export.parity.float32=1e-9", "export.formats=float32,int8"])
    run = tkit.fit(recipe, runs_dir=tmp_path_factory.mktemp("runs"))
    tkit.export(run, overrides=["export.parity.agreement=0.5", "export.parity.float32=1e-3"])
    return run
