"""What must not change: trained weights, exported bytes and figures, as `jobs.py` recorded them."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tkit
from tkit_edge.bundle import Bundle
from tkit_edge.check import check, check_inputs
from tkit_edge.classifier import Classifier
from tkit_edge.inputs.image import Image
from tkit_edge.outputs.classes import Classes

spec = importlib.util.spec_from_file_location("frozen_jobs", Path(__file__).with_name("jobs.py"))
jobs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(jobs)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """The digests of this tree, from a process of their own."""
    environment = {**os.environ, "TKIT_CACHE": str(tmp_path_factory.mktemp("cache"))}
    command = [sys.executable, jobs.__file__]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def recorded():
    return json.loads(jobs.RECORDED.read_text())


def test_every_augmentation_op_gives_the_batch_that_it_gave(found, recorded):
    assert found["everywhere"]["augmentation"] == recorded["everywhere"]["augmentation"]


@pytest.mark.slow
@pytest.mark.parametrize("job", ["demo", "resumed"])
def test_weights_files_and_figures_are_what_they_were(found, recorded, job):
    here = jobs.kind_of_machine()
    if here not in recorded:
        pytest.skip(f"no digests of {here!r}; a trusted tree makes them: python tests/frozen/jobs.py --record")
    assert found[here][job] == recorded[here][job]


def test_a_changed_weight_changes_the_digest():
    weights = np.zeros((3, 3), np.float32)
    changed = weights.copy()
    changed[1, 1] = np.nextafter(np.float32(0), np.float32(1))
    assert jobs.digest(weights) != jobs.digest(changed)


@pytest.fixture
def finished(tmp_path):
    """The run of version 1 that is kept here, where it may be written."""
    return shutil.copytree(Path(__file__).parent / "runs-1" / "finished-1", tmp_path / "finished-1")


def test_a_bundle_of_version_1_is_read_checked_and_used(finished):
    bundle = Bundle.read(finished / "float" / "export")
    assert bundle.version == 1
    assert (bundle.input, bundle.output) == (Image(8, 8, 1, "crop"), Classes(tuple("0123456789"), "logits"))
    assert [item.outcome.same for item in check(bundle)] == [4, 4]
    assert check_inputs(bundle).failed == ()
    assert len(Classifier(bundle.folder).predict(bundle.encoded(0), top=3)) == 3


def test_a_run_of_version_1_is_exported_evaluated_and_benched(finished):
    run = tkit.Run.open(finished)
    assert tkit.evaluate(run, format="int8")["samples"] == 359  # the old bundle's file
    loose = ["export.formats=int8", "export.parity.agreement=0", "export.parity.drop=1", "export.parity.difference=1e9"]
    tkit.export(run, overrides=[*loose, "export.parity.mean_difference=1e9"])
    assert Bundle.read(finished / "float" / "export").version == 2
    assert tkit.bench(run, overrides=["bench.seconds=0.05"])["metrics"]["results"][0]["score"]["samples"] == 359
