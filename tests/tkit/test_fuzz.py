"""Some hundred mutants of a run's JSON; benchmarks/fuzz.py does some thousand."""

import random
from collections import Counter
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
CASES = 200


@pytest.fixture(scope="module")
def fuzz():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import fuzz

        yield fuzz


@pytest.fixture(scope="module")
def run(fuzz, tmp_path_factory):
    return fuzz.make(tmp_path_factory.mktemp("whole"))


@pytest.mark.slow
def test_two_hundred_mutants_are_read_or_refused_and_lead_nowhere(fuzz, run):
    found = fuzz.survey("json", CASES, run, seed=0)
    assert sorted(found) == list(range(CASES))
    assert [item.violation for item in found.values() if item.violation] == []
    results = Counter(item.result for item in found.values())
    assert results["refused"] > 100
    assert results["read"] > 10
    assert "| manifest.json | paths |" in fuzz.table({"json": found})


@pytest.mark.slow
def test_a_file_outside_that_is_opened_is_a_violation(fuzz, run, tmp_path):
    import _mutants

    mutants = _mutants.Json(run, tmp_path)
    secret = tmp_path / "outside" / "secret.json"
    mutants.readers = {"recipe.json": (mutants.run / "recipe.json", secret.read_text)}
    assert mutants.case(random.Random(0)).violation == f"opened {secret}"
