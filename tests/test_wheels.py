"""The built wheels, away from the checkout: editable installs hide missing files.

A fresh environment gets the two wheels and, for everything else, this environment's site-packages by a path
file. Path files that lie there are not read, so the editable installs are out of sight.
"""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """keras-tkit's and tkit-edge's wheels."""
    folder = tmp_path_factory.mktemp("wheels")
    for project in (ROOT, ROOT / "edge"):
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, project]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    edge, tkit = sorted(folder.glob("*.whl"), key=lambda wheel: wheel.name, reverse=True)
    return tkit, edge


@pytest.fixture(scope="module")
def environment(wheels, tmp_path_factory):
    """The folder of commands of an environment that has tkit from the wheels alone."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", *wheels]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (site,) = folder.glob("lib/python*/site-packages")
    dependencies = {sysconfig.get_paths()[name] for name in ("purelib", "platlib")}
    (site / "dependencies.pth").write_text("\n".join(dependencies))
    return folder / "bin"


def call(command, cwd):
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TKIT_"))}
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True)


def test_the_wheels_hold_the_packages_types_and_license(wheels):
    tkit, edge = (set(zipfile.ZipFile(wheel).namelist()) for wheel in wheels)
    assert {
        "tkit/py.typed",
        "tkit/recipes/digits_cnn.py",
        "tkit_pipelines/text_sources/sentences.tsv",
        "tkit/cli/list.py",
        "tkit_pipelines/py.typed",
    } <= tkit
    assert {"tkit_edge/py.typed", "tkit_edge/__main__.py"} <= edge
    assert any(name.endswith("/licenses/LICENSE") for name in tkit)
    assert {name.partition("/")[0].partition("-")[0] for name in tkit} == {
        "tkit",
        "tkit_pipelines",
        "keras_tkit",
    }
    assert {name.partition("/")[0].partition("-")[0] for name in edge} == {"tkit_edge"}


def test_the_packages_come_from_the_wheels(environment, tmp_path):
    code = "import tkit, tkit_edge, tkit_pipelines as p; print(tkit.__file__, tkit_edge.__file__, p.__file__)"
    done = call([environment / "python", "-c", code], tmp_path)
    assert done.returncode == 0, done.stderr
    assert all(Path(file).is_relative_to(environment.parent) for file in done.stdout.split())


def test_the_digits_recipe_runs_whole(environment, tmp_path):
    overrides = [
        "fit.epochs=2",
        "export.formats=float32,int8",
        "export.parity.agreement=0.5",
        "export.parity.drop=0.5",
        "bench.seconds=0.1",
    ]
    done = call([environment / "tkit", "run", "--recipe", "digits_cnn", "--json", *overrides], tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bench"]["run"] == "runs/digits_cnn-1"
    exported = tmp_path / "runs" / "digits_cnn-1" / "float" / "export"
    assert {"bundle.json", "model-float32.tflite", "model-int8.tflite"} <= {file.name for file in exported.iterdir()}
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]
