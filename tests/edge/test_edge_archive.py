"""tkit-edge as one file."""

import json
import os
import subprocess
import sys
import zipfile

import pytest

from tkit_edge import archive
from tkit_edge.child import interpreter
from tkit_edge.errors import InputError


@pytest.fixture(scope="module")
def pyz(tmp_path_factory):
    return archive.write(tmp_path_factory.mktemp("archive") / "tkit-edge.pyz")


def run(pyz, *arguments, **environment):
    """Runs the file where no other tkit_edge can be imported, from its own folder."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, pyz.name, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=pyz.parent,
        env={**kept, **environment},
    )


def test_the_file_checks_and_measures_a_bundle(pyz, bundle):
    """Kinds by file name, and child processes, from inside the zip."""
    done = run(pyz, "check", bundle.folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("same top-1 on 4 of 4") == 3
    done = run(pyz, "bench", bundle.folder, "--formats", "int8", "--threads", "1", "--seconds", "0.05", "--json")
    assert done.returncode == 0, done.stderr
    assert {row["kernels"] for row in json.loads(done.stdout)["results"]} == {"xnnpack", "builtin"}


def test_the_children_import_from_the_file_too(pyz, bundle, tmp_path):
    """A Python for the children that notes where theirs comes from."""
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nprintf "%s\\n" "$2" >> {tmp_path}/started\nexec {sys.executable} "$@"\n')
    done = run(pyz, "check", bundle.folder, TKIT_EDGE_PYTHON=f"/bin/sh {wrapper}")
    assert done.returncode == 0, done.stderr
    started = (tmp_path / "started").read_text().splitlines()
    assert len(started) == 3 and all("tkit-edge.pyz" in line for line in started)


def test_the_same_modules_give_the_same_bytes_and_the_file_writes_itself(pyz, tmp_path):
    assert archive.content() == pyz.read_bytes()
    done = run(pyz, "archive", tmp_path / "again.pyz")
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "again.pyz"))
    assert (tmp_path / "again.pyz").read_bytes() == pyz.read_bytes()
    assert os.access(tmp_path / "again.pyz", os.X_OK)


def test_the_file_holds_source_and_nothing_else(pyz):
    with zipfile.ZipFile(pyz) as members:
        names = members.namelist()
    assert "tkit_edge/inputs/tokenizers/__init__.py" in names and "__main__.py" in names
    assert {name.rpartition(".")[2] for name in names} == {"py"}


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="the folder .*nowhere does not exist"):
        archive.write(tmp_path / "nowhere" / "tkit-edge.pyz")


def test_children_run_this_python_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("TKIT_EDGE_PYTHON", raising=False)
    assert interpreter() == [sys.executable]
    monkeypatch.setenv("TKIT_EDGE_PYTHON", "qemu-aarch64-static -L '/a root' python3")
    assert interpreter() == ["qemu-aarch64-static", "-L", "/a root", "python3"]
