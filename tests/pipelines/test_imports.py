"""Configs are light, and the dependency rule holds: each import in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "sklearn", "tensorflow_datasets", "tkit")


def loaded_by(statement: str) -> list[str]:
    code = f"{statement}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.split()


@pytest.mark.parametrize(
    "module",
    [
        "config",
        "data.images",
        "data.arrays",
        "batches",
        "resolve",
        "ops.flip",
        "ops.cutout",
        "ops.crop",
        "sources.tfds",
        "survey",
        "augment",
        "balance",
        "ops.randaugment",
    ],
)
def test_the_module_is_light(module):
    assert loaded_by(f"import tkit_pipelines.{module}") == []


def test_a_whole_config_is_made_and_resolved_lightly():
    make = (
        "from tkit_pipelines.data.images import Images\nfrom tkit_pipelines.resolve import resolve\n"
        "Images(source='digits', image_size=(8, 8), channels=1, augment=['flip', 'translate:pixels=2'])\n"
        "resolve('tfds:cifar10')"
    )
    assert loaded_by(make) == []


def test_the_check_can_fail():
    assert loaded_by("import sklearn") == ["sklearn"]
    assert "tkit" in loaded_by("import tkit_pipelines.data.images, tkit")
