"""The benchmarks' own machinery: sides measured in turns, rounds that resume, and what is written where."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SCRIPT = """
import sys, pathlib
sys.path.insert(0, {benchmarks!r})
import _sides
_sides.RESULTS = pathlib.Path({results!r})
_sides.PACKAGES = ("numpy",)

def side(name):
    def serve(turns):
        def once():
            with open({log!r}, "a") as file:
                print(name, file=file)
            return {{"images_per_second": 100.0 if name == "fast" else 50.0}}
        turns.measure(once)
    return serve

measured = _sides.compare("tiny", {{"fast": side("fast"), "slow": side("slow")}}, repeats={repeats})
print(_sides.table(measured, "images_per_second", against="fast"))
"""


@pytest.fixture
def compare(tmp_path):
    def run(repeats):
        script = tmp_path / "tiny.py"
        text = SCRIPT.format(
            benchmarks=str(BENCHMARKS), results=str(tmp_path / "results"), log=str(tmp_path / "log"), repeats=repeats
        )
        script.write_text(text)
        return subprocess.run([sys.executable, script], check=True, capture_output=True, text=True).stdout

    return run


def turns(tmp_path):
    return (tmp_path / "log").read_text().split()


def test_sides_are_measured_in_turns_after_a_round_that_warms_up(compare, tmp_path):
    table = compare(2)
    assert turns(tmp_path) == ["fast", "slow", "slow", "fast", "fast", "slow"]
    assert "| slow | 50 (50 to 50) | 2.00 |" in table


def test_an_interrupted_benchmark_goes_on_with_the_next_round(compare, tmp_path):
    compare(2)
    path = tmp_path / "results" / "tiny.jsonl"
    rows = path.read_text().splitlines()
    path.write_text("\n".join(rows[:3]) + "\n")  # the second round lacks its second side
    (tmp_path / "log").unlink()
    compare(2)
    assert turns(tmp_path) == ["slow", "fast", "fast", "slow"]  # to warm up, and the second round
    assert [(row["side"], row["repeat"]) for row in map(json.loads, path.read_text().splitlines())] == [
        ("slow", 1),
        ("fast", 1),
        ("fast", 2),
        ("slow", 2),
    ]
    compare(2)
    assert len(turns(tmp_path)) == 4  # all is measured


def test_what_another_setup_measured_does_not_count(compare, tmp_path):
    compare(1)
    path = tmp_path / "results" / "tiny.jsonl"
    path.write_text(path.read_text().replace("numpy", "numpy 0.0, numpy"))
    compare(1)
    assert len(turns(tmp_path)) == 8


def test_results_are_put_in_their_places(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import _report

    page, readme = tmp_path / "benchmarks.md", tmp_path / "README.md"
    page.write_text("# Benchmarks\n\nHow.\n")
    readme.write_text(f"| what | measured |\n| --- | --- |\n{_report.ROWS_END}\n\nEnd.\n")
    monkeypatch.setattr(_report, "DOCS", tmp_path)
    monkeypatch.setattr(_report, "README", readme)

    def publish(name, figure):
        rows = {"side": [{"setup": "2 cores", "date": "2026-01-02"}]}
        _report.publish(name, f"About {name}", f"It took {figure}.", [(f"what {name} takes", figure)], rows)

    publish("one", "1 s")
    publish("two", "2 s")
    publish("one", "3 s")
    text = readme.read_text().splitlines()
    assert text[2:5] == [
        "| what one takes | 3 s <!-- one --> |",
        "| what two takes | 2 s <!-- two --> |",
        _report.ROWS_END,
    ]
    assert page.read_text().count("## About one") == page.read_text().count("## About two") == 1
    assert "It took 3 s.\n\n2026-01-02: 2 cores." in page.read_text()
    assert "1 s" not in page.read_text()
    assert "About one" in capsys.readouterr().out
