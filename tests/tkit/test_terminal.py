"""What a terminal shows: lines that fit it, numbers whole, colour where it helps; pipes get everything."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading

import pytest

from tkit import console
from tkit.cli import _evaluation
from tkit.stages._export import _line
from tkit.training.progress import TrainingProgress
from tkit_edge.outputs.classes import Classes
from tkit_edge.table import aligned, document_table
from tkit_edge.text import columns, counted, fitted
from tkit_pipelines import spinner

ROW = {
    **{"bytes": 1_101_776, "macs": 12_844_000, "threads": 1, "kernels": "xnnpack", "load_ms": 1.7, "first_ms": 12.04},
    **{"p50_ms": 10.014, "p90_ms": 11.3, "p99_ms": 12.0, "runs_per_second": 172942.0, "peak_memory": 53500000},
}
REPORT = {
    "machine": {
        "governor": None,
        "board": None,
        "cpu": "AMD EPYC 9B14",
        "cores": 1,
        "arch": "x86_64",
        "load_average": 0.0,
    },
    "runtime": {"name": "ai-edge-litert", "version": "2.3.0"},
    "python": "3.11.2",
    "results": [
        ROW
        | {"file": f"model-{name}.tflite"}
        | {
            "score": {
                "name": "accuracy",
                "share": True,
                "value": 0.98329,
                "interval": (0.964, 0.9923),
                "samples": 1,
                "threads": 1,
                "kernels": "xnnpack",
            }
        }
        for name in ("float32", "int8")
    ],
}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("width", [80, 60, 40])
def test_the_bench_table_fits_and_no_number_is_broken(width):
    text = document_table(REPORT, width)
    assert max(map(len, text.splitlines())) <= width
    for number in ("1,101.8", "10.014", "98.33%", "172,942"):
        assert text.count(number) >= 2
    assert ("not shown" in text) == (width == 80)
    whole = document_table(REPORT)
    assert "1,101.8 12.844 1 xnnpack 1.7 12.040 10.014 11.300" in " ".join(whole.split()) and "not shown" not in whole
    assert "of 1 test example (" in whole and ", 1 thread" in whole and "1 core," in whole


def test_columns_line_up_under_chinese_names():
    lines = aligned([["class", "images"], ["猫", "12"], ["cat", "3"]])
    assert [columns(line) for line in lines] == [13, 13, 13]


def test_long_lines_break_between_groups_or_words():
    line = (
        "float32   101,776 bytes  accuracy 99.30% (95 % 96.40% to 99.23%)  " + "x" * 50 + "  largest difference 1.2e-06"
    )
    parts = fitted(line, 40).splitlines()
    assert [word for part in parts for word in part.split()] == line.split()
    assert all(len(part) <= 40 or part.strip() == "x" * 50 for part in parts)
    assert not any(part.startswith("    %") for part in parts)
    assert fitted(line, None) == line


def epoch_line(capsys, monkeypatch, width):
    monkeypatch.setattr(console, "width", lambda: width)
    progress = TrainingProgress(5000, Classes.measure, "image")
    progress.set_params({"epochs": 100, "steps": 175, "batch_size": 256})
    progress.on_train_begin()
    progress.on_epoch_begin(99)
    logs = {"loss": 0.32018, "accuracy": 0.99987, "val_loss": 0.35804, "val_accuracy": 0.98601}
    progress.on_epoch_end(99, {**logs, "images_per_second": 19753.3})
    return capsys.readouterr().err.strip()


def test_the_epoch_line_fits_and_names_split_count_and_percent(capsys, monkeypatch):
    whole = epoch_line(capsys, monkeypatch, None)
    assert whole == (
        "epoch 100/100  train 99.99% of 44,800  val 98.60% of 5,000  loss 0.3202/0.3580  19,753 images/s  0:00 left"
    )
    assert epoch_line(capsys, monkeypatch, 80) == whole.partition("  19,753")[0]


def test_each_accuracy_names_its_split_and_count():
    figures = {
        "bytes": 46224,
        "same_top1": 1.0,
        "accuracy": 0.993,
        "accuracy_samples": 143,
        "samples": 200,
        "drop": 0.0,
    }
    line = _line("int8", {**figures, "max_difference": 0.1, "drop_interval": [-0.0135, 0.0135]}, Classes(("a",)), "ok")
    assert "validation accuracy 99.30% of 143" in line
    assert "same top-1 100.0% of 200" in line
    assert all(len(part) <= 80 for part in fitted(line, 80).splitlines())
    assert line.endswith("  ok")


def test_an_evaluation_names_the_split_and_fits(capsys):
    row = {"name": "n" * 50, "precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}
    result = {
        **{"output": "classes", "example": "image"},
        **{"model": {"file": "m"}, "samples": 1, "split": "validation", "data": "d", "mirror": False, "folder": None},
        **{"accuracy": 1.0, "interval": [0.2, 1.0], "top5": None, "macro": {"f1": 1.0}, "calibration": {"error": 0.0}},
        **{"per_class": [row, {**row, "name": "猫"}], "confusion": [[1, 0], [0, 0]]},
    }
    assert "on 1 validation image of d\nvalidation accuracy 100.00%" in _evaluation.text(result)
    assert max(map(columns, fitted(_evaluation.text(result, 80), 80).splitlines())) <= 80
    assert "precision" in _evaluation.text(result)


def test_colour_only_on_a_terminal_and_not_with_no_color(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    line = "int8  validation accuracy 12.00% of 500  FAILED"
    assert console.laid_out(line, Terminal()) == line.replace("FAILED", "\033[31mFAILED\033[0m")
    assert console.laid_out(line, io.StringIO()) == line
    monkeypatch.setenv("NO_COLOR", "1")
    assert console.laid_out(line, Terminal()) == line


def test_counts_have_their_nouns_right():
    assert [counted(count, "file") for count in (0, 1, 2000)] == ["0 files", "1 file", "2,000 files"]
    assert counted(1, "class", "classes") == "1 class" and counted(2, "class", "classes") == "2 classes"


def on_a_terminal(*command, **environment):
    """What a command writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    written = bytearray()

    def read():
        try:
            while data := os.read(ours, 65536):
                written.extend(data)
        except OSError:  # its last writer has gone
            pass

    kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    streams = {"stdin": subprocess.DEVNULL, "stdout": theirs, "stderr": theirs}
    with subprocess.Popen(command, env={**kept, "TERM": "xterm", "COLUMNS": "80", **environment}, **streams) as child:
        os.close(theirs)
        reader = threading.Thread(target=read)
        reader.start()
        assert child.wait(timeout=300) == 0
    reader.join(timeout=60)
    os.close(ours)
    return written.decode().replace("\r\n", "\n")


def test_show_has_its_help_whole_in_a_pipe_and_within_the_terminal():
    command = (sys.executable, "-m", "tkit", "show", "digits_cnn")
    piped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (meaning,) = re.findall(r"data\.balance=none +# (.*)", piped)
    assert meaning.endswith("up to the largest class in an epoch.")
    shown = on_a_terminal(*command)
    assert [line for line in shown.splitlines() if len(line) > 80 and "  # " in line] == []
    assert " ".join(meaning.split()) in " ".join(shown.replace("# ", "").split())


def test_a_spinner_turns_on_the_terminal_until_something_is_said(monkeypatch):
    work = (
        "import time; from tkit import console; console.busy('starting TensorFlow'); time.sleep(0.5); "
        "console.say('data: read'); print('done')"
    )
    shown = on_a_terminal(sys.executable, "-c", work, PYTHONIOENCODING="utf-8")
    assert shown.count("\r⠋ starting TensorFlow 0 s") == 1 and "⠙ starting" in shown
    assert shown.rpartition("\r\033[K")[2].endswith("data\033[0m: read\ndone\n")
    piped = subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, check=True)
    assert piped.stderr == "data: read\n"
    assert spinner._turning is None
