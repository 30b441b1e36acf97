"""Some hundred mutants of .tflite files; benchmarks/fuzz.py does ten thousand."""

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def mutants(made, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import _mutants

    for name in ("float32", "int8", "dynamic"):
        (tmp_path / "float" / "export").mkdir(parents=True, exist_ok=True)
        shutil.copy(made / f"{name}.tflite", tmp_path / "float" / "export")
    return _mutants.Tflite(tmp_path, tmp_path)


def survey(mutants, cases, **options):
    """What became of so many mutants, counted; asserts that none did anything else."""
    found = [mutants.case(random.Random(number), **options) for number in range(cases)]
    assert [item.violation for item in found if item.violation] == []
    return Counter(item.result for item in found)


def test_three_hundred_mutants_are_read_or_refused(mutants):
    results = survey(mutants, 300, run=False)
    assert results["refused"] > 100
    assert results["read"] > 30


def test_mutants_that_pass_are_run_or_refused(mutants):
    results = survey(mutants, 40)
    assert results["benched"] > 5


def test_an_exception_of_another_kind_is_a_violation(mutants, monkeypatch):
    import _mutants

    monkeypatch.setattr(_mutants.flatbuffer, "read", lambda data, name: {}[name])
    assert "KeyError" in mutants.case(random.Random(0)).violation
