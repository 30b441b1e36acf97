"""TensorFlow's chatter, of the commands and of the Python API: dropped by default, shown on request."""

import os
import re
import subprocess
import sys

import pytest

USE = "import tensorflow as tf; tf.matmul(tf.ones([4, 4]), tf.ones([4, 4])).numpy()"
SILENCE = "from tkit import _quiet; _quiet.silence()"


def standard_error(*lines):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, env=environment, check=True
    )
    return done.stderr


def test_silenced_tensorflow_says_nothing():
    assert standard_error(SILENCE, USE) == ""


def test_without_it_tensorflow_chatters():
    assert "oneDNN" in standard_error(USE)


def test_other_lines_pass_native_ones_too():
    shown = standard_error(
        "import os, sys",
        "from tkit._quiet import chatter_dropped",
        "with chatter_dropped():",
        "    os.write(2, b'I0000 00:00:1.5 99 port.cc:153] oneDNN custom operations are on.\\n')",
        "    os.write(2, b'libfoo.so: cannot open shared object file\\n')",
        "    print('from Python', file=sys.stderr)",
        "print('after', file=sys.stderr)",
    )
    assert shown.splitlines() == ["libfoo.so: cannot open shared object file", "from Python", "after"]


def test_verbose_keeps_all_lines():
    shown = standard_error(
        "import os",
        "from tkit import console",
        "from tkit._quiet import chatter_dropped",
        "console.set_level('verbose')",
        "with chatter_dropped():",
        "    os.write(2, b'INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\\n')",
    )
    assert shown == "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"


def test_lines_before_an_exception_pass_too():
    shown = standard_error(
        "import os, contextlib",
        "from tkit._quiet import chatter_dropped",
        "with contextlib.suppress(ImportError), chatter_dropped():",
        "    os.write(2, b'the reason\\n')",
        "    raise ImportError",
    )
    assert shown == "the reason\n"


def test_a_level_that_the_user_set_is_kept():
    assert (
        standard_error(
            "import os, sys; os.environ['TF_CPP_MIN_LOG_LEVEL'] = '1'",
            SILENCE,
            "sys.stderr.write(os.environ['TF_CPP_MIN_LOG_LEVEL'])",
        )
        == "1"
    )


def test_silencing_twice_or_after_the_import_is_harmless():
    assert (
        standard_error(
            SILENCE,
            SILENCE,
            USE,
            SILENCE,
            "import sys; assert all('quiet' not in str(type(f)) for f in sys.meta_path)",
        )
        == ""
    )


CHATTER = re.compile(r"(?m)^(?:[IWE]0000|INFO:tensorflow|WARNING:tensorflow|WARNING: All log messages).*")
BEGIN = "import os, sys; os.dup2(2, 1); print('begin', file=sys.stderr, flush=True)"
QUICK = ["fit.epochs=1", "bench.seconds=0.05", "model.width=8", "model.depth=1", "export.formats=float32,int8"]
LOOSE = ["export.parity.agreement=0", "export.parity.drop=1"]
STAGES = f"done = tkit.run('digits_cnn', overrides={[*QUICK, *LOOSE]}, runs_dir=RUNS)"
# Keras compiles the prediction of a newly loaded model each time, of which TensorFlow warns at the fifth.
RETRACED = "for _ in range(6): tkit.evaluate(done, format='keras')"
OWN = "import tensorflow as tf; tf.get_logger().warning('my own')"


@pytest.mark.parametrize("before", ["import tkit", "import sys; sys.ps1 = '> '; import tensorflow, tkit"])
def test_the_python_api_is_as_quiet_as_the_commands(before, tmp_path):
    printed = standard_error(before, BEGIN, f"RUNS = {str(tmp_path)!r}", STAGES, RETRACED, OWN).partition("begin\n")[2]
    assert "digits_cnn-1: cnn" in printed
    lines = set(CHATTER.findall(printed))
    if "import tensorflow" in before:  # TensorFlow reads the level of its native lines once, while it is imported
        lines = {line for line in lines if ":tensorflow:" in line}
    # The user's own line, once the stages are done; TensorFlow and absl may print it once each.
    assert lines == {"WARNING:tensorflow:my own"}, printed


def test_the_python_api_shows_everything_when_verbose(tmp_path):
    verbose = "import tkit; from tkit import console; console.set_level('verbose')"
    assert CHATTER.search(standard_error(verbose, f"tkit.fit('digits_cnn', runs_dir={str(tmp_path)!r}, dry_run=True)"))


def test_what_a_stage_silences_is_as_before_when_it_ends():
    shown = standard_error(
        "import logging, os, sys, warnings, absl.logging",
        "from tkit._quiet import silenced",
        "names = ('absl', 'matplotlib', 'h5py')",
        "state = lambda: ([logging.getLogger(name).level for name in names], len(warnings.filters),",
        "    os.environ.get('TF_CPP_MIN_LOG_LEVEL'), list(sys.meta_path))",
        "before = state()",
        "with silenced():",
        "    with silenced():",
        "        pass",
        "    assert os.environ['TF_CPP_MIN_LOG_LEVEL'] == '3'",
        "assert state() == before, (state(), before)",
    )
    assert shown == ""
