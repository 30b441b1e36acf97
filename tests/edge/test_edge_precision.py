"""How long is measured, on how many threads, and how well the median is known then."""

import json

import numpy as np
import pytest

from tkit_edge import configuration, machine
from tkit_edge.bench import bench
from tkit_edge.commands.bench import _threads
from tkit_edge.latency import latency, median_interval, precise
from tkit_edge.report import Report
from tkit_edge.settings import Settings
from tkit_edge.table import document_table, table
from tkit_edge.worker import Worker


@pytest.mark.parametrize(
    ("count", "expected"),
    # Le Boudec 2010, table A.1: from 6 values on; of fewer, their range.
    [(1, (1, 1)), (5, (1, 5)), (6, (1, 6)), (8, (1, 8)), (9, (2, 8)), (10, (2, 9)), (12, (3, 10)), (70, (27, 44))],
)
def test_the_interval_of_a_median_against_the_published_table(count, expected):
    assert median_interval(list(range(count, 0, -1))) == expected


def test_the_interval_holds_the_median_as_often_as_it_says():
    random = np.random.default_rng(0)
    draws = random.exponential(size=(2000, 9))
    held = [low <= np.log(2) <= high for low, high in map(median_interval, draws)]
    assert np.mean(held) == pytest.approx(0.961, abs=0.015)  # 1 - 2 (1 + 9) / 2^9


def test_a_distribution_of_known_times():
    rounds = [np.arange(1, 101) * 10_000] * 9  # 0.01 to 1 ms
    found = latency(rounds, 0.02)
    assert (found.min_ms, found.p50_ms, found.max_ms) == pytest.approx((0.01, 0.505, 1.0))
    assert found.p50_interval_ms == pytest.approx((0.505, 0.505))
    assert (found.runs, found.rounds, found.precise) == (900, 9, True)
    assert sum(found.histogram.counts) + found.histogram.above == 900
    assert latency([np.array([5, 5])] * 9, 0.02).histogram.above == 0  # all alike


def test_what_is_within_the_precision():
    assert precise([100, 101, 99, 100, 102, 98, 100, 100, 100], 0.02)
    assert not precise([100, 110, 90, 100, 110, 90, 100, 100, 100], 0.02)


class FakeWorker:
    """Runs that take what a list says, round by round."""

    def __init__(self, *rounds):
        self.rounds = [rounds[0], *rounds]  # a round warms up

    def run(self, seconds, runs):
        return np.array([self.rounds.pop(0) if len(self.rounds) > 1 else self.rounds[0]] * runs) * 1000


class NoWatch:
    def look(self):
        pass

    look_closer = look


def rounds_of(*times, seconds=0.9, most_seconds=9.0):
    """How many rounds each of some configurations gets."""
    items = [configuration.Configuration(None, 1, "xnnpack", FakeWorker(*own)) for own in times]
    configuration.measure(items, Settings((1,), ("xnnpack",), seconds, most_seconds, 0.02, False, 60), NoWatch())
    return [len(item.rounds) for item in items]


def test_measuring_ends_when_all_are_precise_or_the_time_is_over():
    steady, noisy = [100], [100, 200] * 100
    assert rounds_of(steady) == [9]
    settling = [100, 150, 100, 150, 100, 150, *[100] * 50]
    (count,) = rounds_of(settling)
    assert 9 < count < 90
    assert rounds_of(steady, noisy) == [90, 90]  # all go on, so that their ratio holds
    assert rounds_of(noisy, most_seconds=0.9) == [9]


def test_a_bench_says_whether_the_precision_was_reached(made):
    report = bench(made / "int8.tflite", kernels=["builtin"], threads=[1], seconds=0.05, precision=10.0)
    assert [(row.rounds, row.precise) for row in report.results] == [(9, True)]
    assert "each p50 is known within 1000 %" in table(report)
    report = bench(made / "int8.tflite", kernels=["builtin"], threads=[1], seconds=0.05, precision=1e-9)
    (row,) = report.results
    assert not row.precise and row.rounds > 9 and report.most_seconds == pytest.approx(0.15)
    assert "The p50 of 1 of 1 row is not known within 1e-07 % after 0.15 s" in table(report)


@pytest.mark.parametrize(("cores", "expected"), [(1, [1]), (2, [1, 2]), (4, [1, 2, 4]), (6, [1, 2, 4, 6])])
def test_a_sweep_has_powers_of_two_up_to_all_cores(monkeypatch, cores, expected):
    monkeypatch.setattr(machine, "cores", lambda: cores)
    assert list(Settings.of(_threads("sweep"), ["xnnpack"], 1, None, 0.02, False, 60).threads) == expected


def test_the_best_thread_count_is_the_fewest_that_is_as_fast(made):
    document = bench(made / "int8.tflite", kernels=["builtin"], threads=[1, 2, 4], seconds=0.02).as_dict()
    for row, low, p50, high in zip(document["results"], (9, 4.9, 4.8), (10, 5.0, 4.9), (11, 5.1, 5.0), strict=True):
        row.update(p50_ms=p50, p50_interval_ms=[low, high])
    assert "best thread counts: int8.tflite builtin 2 (2.00 x)" in document_table(document)


def test_golden_samples_are_scored_without_a_test_file_and_not_taken_for_one(bundle):
    report = bench(bundle.folder, formats=["int8"], threads=[1], seconds=0.02)
    (golden,) = {(row.score, row.golden.samples) for row in report.results}
    assert golden == (None, 4)
    lines = table(report).splitlines()
    assert "accuracy" not in lines[2]
    assert any("of 4 golden samples (95 % " in line for line in lines)


def test_the_document_is_json_and_older_ones_are_shown(made):
    report = bench(made / "int8.tflite", kernels=["builtin"], threads=[1], seconds=0.02)
    assert isinstance(report, Report)
    document = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    newer = (
        "p50_interval_ms",
        "precise",
        "histogram",
        "steady_memory",
        "golden",
        "energy",
        "rounds",
        "min_ms",
        "max_ms",
    )
    for key in newer:
        del document["results"][0][key]
    for key in ("start", "conditions", "power", "operators", "precision", "most_seconds"):
        del document[key]
    assert "± %" not in document_table(document)


def test_the_fastest_of_files_has_no_more_runs_than_are_taken(made):
    """Two tensors of a few numbers: 2 million runs in a second."""
    with Worker(made / "pair.tflite", 1, "builtin", timeout=60) as worker:
        worker.ask("load")
        assert len(worker.run(seconds=0.05, runs=2)) > 100
