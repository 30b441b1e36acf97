"""What must not change: trained weights, exported bytes and figures, as `jobs.py` recorded them."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

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
