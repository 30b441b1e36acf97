"""The list of foreign models is complete, a sample of it comes whole way through, and a death is a row."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tkit import model_classes

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "foreign_models.py"
SAMPLE = ["GroupNormalization", "Conv1D", "ops arithmetic"]


@pytest.fixture(scope="module")
def foreign():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import _foreign.matrix

        yield _foreign
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def test_each_layer_that_is_loaded_is_in_the_list_or_has_no_part_in_image_classification(foreign):
    listed = {kind for entry in foreign.entries().values() for kind in entry.kinds}
    assert listed | set(foreign.matrix.NO_PART) == model_classes.LAYERS
    assert not listed & set(foreign.matrix.NO_PART)


DEADLY = """
import os, signal, foreign_models, _foreign
row = foreign_models.tried(_foreign.Entry("deadly", lambda: os.kill(os.getpid(), signal.SIGKILL)), 5, quick=True)
print(foreign_models.json.dumps(row))
"""


def test_a_model_whose_process_dies_is_a_row(foreign):
    done = subprocess.run([sys.executable, "-c", DEADLY], capture_output=True, text=True, cwd=SCRIPT.parent)
    assert done.returncode == 0, done.stderr
    row = json.loads(done.stdout)
    assert row["failure"] == "save: signal: SIGKILL"
    assert "0 of 1 models came whole way through" in foreign.matrix.summary([row], {})


@pytest.mark.slow
def test_a_sample_comes_whole_way_through(foreign, tmp_path):
    results = tmp_path / "rows.jsonl"
    done = subprocess.run(
        [sys.executable, SCRIPT, "--quick", "--only", *SAMPLE, "--results", results], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in map(json.loads, results.read_text().splitlines())}
    assert {name: row["failure"] for name, row in rows.items()} == dict.fromkeys(SAMPLE)
    lines = foreign.matrix.lines([*rows.values()], foreign.entries())
    assert "| `Conv1D` | yes | yes | yes | yes | yes | yes | yes | yes |" in lines
    page = foreign.matrix.PAGE.read_text(encoding="utf-8")
    assert {*map(without_notes, lines)} <= {*map(without_notes, page.splitlines())}


def without_notes(line):
    return re.sub(r" \[\d+\]", "", line)
