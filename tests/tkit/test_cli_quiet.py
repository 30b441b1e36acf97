"""TensorFlow's start-up chatter: silenced by default, kept on request, and nothing else is swallowed."""

import os
import subprocess
import sys

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
