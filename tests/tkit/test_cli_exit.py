"""How a command ends: exit codes of errors, signals and closed pipes, and standard output under --json."""

import json
import os
import signal
import subprocess
import sys

import pytest

import tkit.cli.list as a_command
from tkit.cli import main
from tkit_edge.errors import BoundError, DivergedError, InputError


def failing_with(error):
    def callback(as_json):
        raise error

    return callback


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("no such thing"), 2),
        (BoundError("int8 agrees on 12 %"), 3),
        (DivergedError("nan at step 7"), 4),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_become_a_message_and_their_exit_code(error, code, monkeypatch, capsys):
    monkeypatch.setattr(a_command.command, "callback", failing_with(error))
    with pytest.raises(SystemExit) as stopped:
        main(["list"])
    assert stopped.value.code == code
    assert capsys.readouterr().err.strip() == (f"Error: {error}" if str(error) else "Interrupted.")


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), EOFError("a truncated file"), OSError(5, "a disk")])
def test_programming_errors_keep_their_traceback(error, monkeypatch):
    monkeypatch.setattr(a_command.command, "callback", failing_with(error))
    with pytest.raises(type(error), match="a "):
        main(["list"])


WAITING = """
import signal, sys
import tkit.cli.list as a_command
from tkit.cli import main

def wait(as_json):
    try:
        print("ready", flush=True)
        signal.pause()
    finally:
        print("cleaned up", flush=True)

a_command.command.callback = wait
main(["list"])
"""


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_command_in_order(sent, code):
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(sent)
        out, err = process.communicate(timeout=600)
    assert process.returncode == code
    assert out == "cleaned up\n"
    assert "Traceback" not in err


def test_a_closed_pipe_is_no_error_message():
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run([sys.executable, "-m", "tkit", "list"], stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


NOISY = """
import os
from tkit.cli._options import results

with results({as_json}, "answer") as show:
    print("from Python", flush=True)
    os.write(1, b"from native code\\n")
    os.system("echo from a child")
    show({{"answer": 42}}, "the answer")
    print("after", flush=True)
"""


def run_noisy(as_json):
    code = NOISY.format(as_json=as_json)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_with_json_standard_output_is_one_document():
    done = run_noisy(True)
    assert json.loads(done.stdout) == {"kind": "answer", "version": 1, "answer": 42}
    assert done.stderr.splitlines() == ["from Python", "from native code", "from a child", "after"]


def test_without_json_the_text_is_printed_among_the_rest():
    done = run_noisy(False)
    assert done.stdout.splitlines()[-2:] == ["the answer", "after"]
    assert done.stderr == ""


def test_with_json_an_error_leaves_standard_output_empty(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["fit", "--json", "--recipe", "unknown"])
    assert stopped.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Error: Unknown recipe 'unknown'")
