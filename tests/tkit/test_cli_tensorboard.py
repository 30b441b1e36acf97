"""`tkit tensorboard` is the real TensorBoard, on all runs."""

import json
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_tensorboard_serves_the_runs_folder_and_ends_on_a_signal(sent, tmp_path):
    command = [sys.executable, "-m", "tkit", "tensorboard", "--runs-dir", tmp_path, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        lines = []
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"^TensorBoard .* at (http://\S+)", line):
                break
        assert process.poll() is None, "".join(lines)
        with urllib.request.urlopen(f"{found[1]}data/environment") as answer:
            assert json.load(answer)["data_location"] == str(tmp_path)
        process.send_signal(sent)
        assert process.wait(timeout=600) in (0, 130, 143)
        assert "Traceback" not in process.stderr.read()
    assert not any("oneDNN" in line for line in lines)


def test_an_option_that_tensorboard_does_not_know_is_exit_code_2(tmp_path):
    command = [sys.executable, "-m", "tkit", "tensorboard", "--runs-dir", tmp_path, "--no-such-option"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "unrecognized arguments: --no-such-option" in done.stderr
