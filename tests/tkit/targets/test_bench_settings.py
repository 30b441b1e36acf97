"""The recipe's `bench` as a machine's tkit-edge gets it."""

import json
from contextlib import contextmanager
from typing import ClassVar, Literal

import pytest

import tkit
from tkit.bench_config import Bench
from tkit.recipe_loading import replace
from tkit.targets._machine import Machine, Ran
from tkit_edge.errors import BoundError, InputError


class Noted(Machine):
    """A machine that notes what it is asked to run."""

    kind: Literal["noted"] = "noted"
    asked: ClassVar[list] = []

    @contextmanager
    def session(self):
        yield self

    facts: ClassVar[dict] = {}

    def put(self, path, formats=()):
        return str(path)

    def edge(self, arguments):
        self.asked[:] = arguments
        rows = [{"file": "a.tflite", "p50_ms": 1.0, "golden": None, "steady_memory": 5, "histogram": {}}]
        return Ran(0, json.dumps({"results": rows, "conditions": {"before": {}}, "operators": []}), "")


class Untimed(Noted):
    """One whose clock means nothing."""

    kind: Literal["untimed"] = "untimed"
    timed: ClassVar[bool] = False


def asked(machine, *overrides):
    """The options that a machine gets, by their names."""
    settings = Bench()
    for override in overrides:
        settings = replace(settings, *override.split("="))
    document = machine.bench("model.tflite", settings)
    words = machine.asked[2:]
    options = {
        word: None if word in ("--json", "--operators") else words[number + 1]
        for number, word in enumerate(words)
        if word.startswith("--")
    }
    return options, document


def test_what_is_measured_and_for_how_long_reaches_the_machine():
    options, document = asked(Noted(), "threads=sweep", "precision=0.01", "most_seconds=7", "operators=true")
    assert options == {
        "--json": None,
        "--seconds": "1.0",
        "--precision": "0.01",
        "--most-seconds": "7.0",
        "--operators": None,
        "--kernels": "xnnpack,builtin",
        "--threads": "sweep",
    }
    assert document["results"][0]["p50_ms"] == 1.0


def test_an_untimed_machine_tells_nothing_that_its_clock_would_have_to():
    options, document = asked(Untimed(), "operators=true")
    assert "--operators" not in options
    assert document["conditions"] is document["start"] is document["power"] is None
    assert {key for key, value in document["results"][0].items() if value is not None} == {"file"}


@pytest.mark.parametrize("threads", ["0", "two", "sweep,2", "1.5"])
def test_wrong_thread_counts_are_refused(threads):
    with pytest.raises(InputError, match="threads"):
        replace(Bench(), "threads", threads)


def test_golden_samples_keep_no_bound_on_the_accuracy(demo):
    """8 samples aren't the test split."""
    bundle = demo.folder / "float" / "export"
    settings = Bench(seconds=0.02, formats=("int8",), threads=(1,), budget={"accuracy": 0.01})
    with pytest.raises(BoundError, match="accuracy was not measured"):
        tkit.bench_file(bundle, settings)
