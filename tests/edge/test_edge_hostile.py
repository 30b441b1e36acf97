"""Files that crash, hang or fill the process which opens them: one InputError, and a user's process that lives on."""

import json
import os
import struct
import subprocess
import sys
import textwrap
import time
import tracemalloc

import numpy as np
import pytest

from tkit_edge import child, files
from tkit_edge.bench import bench
from tkit_edge.check import check
from tkit_edge.errors import InputError
from tkit_edge.isolated import IsolatedModel
from tkit_edge.predict import opened
from tkit_edge.runtime import Model
from tkit_edge.tensors import TensorSpec
from tkit_edge.worker import Worker

MAKE = """
import sys, numpy as np, tensorflow as tf
def save(name, function):
    function = tf.function(function, input_signature=[tf.TensorSpec((1, 8, 8, 3), tf.float32)])
    made = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()]).convert()
    open(f"{sys.argv[1]}/{name}.tflite", "wb").write(made)
save("huge", lambda x: tf.reduce_mean(tf.tile(x, [1, 1 << 13, 1 << 13, 1]), [1, 2]))
save("endless", lambda x: tf.while_loop(lambda i: tf.reduce_sum(i) < 1e30, lambda i: [i * 1.0], [x[:, 0, 0, :]])[0])
save("resize", lambda x: tf.reshape(tf.image.resize(x, [16, 16]), [1, -1]))
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A folder with files that want 50 GB, never end, and read outside of their tensors."""
    folder = tmp_path_factory.mktemp("hostile")
    done = subprocess.run([sys.executable, "-c", MAKE, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    data = (folder / "resize.tflite").read_bytes()
    shape = struct.pack("<5i", 4, 1, 8, 8, 3)
    assert shape in data
    (folder / "crash.tflite").write_bytes(data.replace(shape, struct.pack("<5i", 4, 1, 0, 8, 3)))
    return folder


PATIENCE = 600
"""Seconds that only a hang takes, on however busy a machine."""
IMAGES = np.ones((2, 8, 8, 3), np.uint8)


def test_outputs_are_those_of_the_runtime_in_this_process_in_every_format(made, originals):
    for name in ("float32", "int8", "int16x8"):
        with IsolatedModel(made / f"{name}.tflite", threads=2) as model:
            assert [spec.shape for spec in (*model.inputs, *model.outputs)] == [(8, 8, 3), (5,)]
            many = np.concatenate([originals[0]] * 5)  # more than go with one question
            expected = Model(made / f"{name}.tflite").predict(many)
            np.testing.assert_array_equal(model.predict(many), expected)
            np.testing.assert_array_equal(model.predict(many[:, ::-1]), Model(model.name).predict(many[:, ::-1]))
            assert model.predict(many[:0]).shape == (0, 5)
            with pytest.raises(InputError, match=r"takes uint8 images or float values \[n, 8, 8, 3\], received int32"):
                model.predict(many.astype(np.int32))


def test_a_file_that_crashes_the_runtime_is_an_input_error(hostile):
    with pytest.raises(InputError, match=r"crash\.tflite crashes the process that opens it \(SIG"):
        bench(hostile / "crash.tflite", threads=[1], kernels=["builtin"], seconds=0.01)


def test_a_file_that_wants_more_memory_than_a_model_may_take_is_an_input_error(hostile):
    with pytest.raises(InputError, match=r"huge\.tflite .*memory"):
        IsolatedModel(hostile / "huge.tflite")


def test_a_file_that_never_ends_is_an_input_error(hostile):
    with IsolatedModel(hostile / "endless.tflite", timeout=60) as model:
        model._worker.child.timeout = 0.5
        with pytest.raises(InputError, match=r"endless\.tflite gave no answer within 0\.5 s of being asked to predict"):
            model.predict(IMAGES)


def test_damage_in_a_bundles_file_is_found_in_the_child_by_check_and_predict(bundle, hostile):
    path, facts = bundle.path("float32"), bundle.models["float32"]
    path.write_bytes((hostile / "huge.tflite").read_bytes())
    assert facts
    for run in (lambda: check(bundle), lambda: opened(bundle, "float32").__enter__()):
        with pytest.raises(InputError, match="memory"):
            run()


PROBE = """
import os, resource
from tkit_edge import child
child.confine(1 << 30)
def limits():
    try:
        bytearray(2 << 30)
        memory = True
    except MemoryError:
        memory = False
    try:
        with open(os.environ["PROBE_FILE"], "wb") as file:
            file.write(bytes(child.MAX_WRITTEN + 1))
            file.flush()
        written = True
    except OSError:
        written = False
    return [resource.getrlimit(resource.RLIMIT_CORE)[1], memory, written]
"""

TAKEN = """
import json, sys
from multiprocessing.connection import Connection
connection = Connection(int(sys.argv[1]))
connection.recv_bytes(), connection.recv_bytes()
def answer(text, data=b""):
    connection.send_bytes(text)
    connection.send_bytes(data)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module that a child runs, and gives that child."""

    def make(code, timeout=30):
        (tmp_path / "probe_child.py").write_text(textwrap.dedent(code))
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setenv("PROBE_FILE", str(tmp_path / "written"))
        return child.Child("probe_child", ["x"], "x.tflite", timeout)

    return make


def test_the_limits_hold_in_the_child(module):
    code = PROBE + "\nimport sys\nchild.serve(int(sys.argv[1]), 'x', lambda: {'limits': limits})\n"
    with module(code) as asked:
        assert asked.ask("limits") == ([0, False, False], b"")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("answer(b'x' * (64 << 20))", "with what it never answers"),
        ("answer(b'[' * 100_000)", "with what it never answers"),
        ("answer(b'not JSON')", "with what it never answers"),
        ("answer(b'[]')", "with what it never answers"),
        ("answer(b'{\"value\": null}', b'more than was asked for')", "with what it never answers"),
        ("import os, time; os.write(connection.fileno(), b'\\0\\0\\1\\0half'); time.sleep(60)", "no answer within 3 s"),
        ("connection.close(); import time; time.sleep(60)", "no answer within 3 s|with what it never answers"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("answer(json.dumps({'error': '\\x1b[2J' + 'y' * 9999}).encode())", r"^\?\[2Jy{1900,2000} \.\.\.$"),
    ],
)
def test_whatever_a_child_that_was_taken_over_answers_is_an_input_error(module, code, message):
    tracemalloc.start()
    with module(TAKEN + code + "\nimport time; time.sleep(60)", 3 if "sleep" in code else 60) as asked:
        with pytest.raises(InputError, match=message):
            asked.ask("load")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()
    assert asked.process.poll() is not None


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl(2)")
def test_a_child_that_hangs_ends_with_its_parent(tmp_path):
    ran = tmp_path / "ran"
    (tmp_path / "probe_child.py").write_text(f"open({str(ran)!r}, 'w').close()\nwhile True: pass")
    code = """
        import time
        from tkit_edge.child import Child
        print(Child("probe_child", ["x"], "x.tflite", 60).process.pid, flush=True)
        time.sleep(600)
    """
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    with parent:
        pid = int(parent.stdout.readline())
        until = time.monotonic() + PATIENCE
        while not ran.exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert ran.exists() and lives(pid), "the child never ran"
        parent.kill()
    until = time.monotonic() + PATIENCE
    while lives(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not lives(pid)


def lives(pid):
    """Whether a process is there and hasn't ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("question", "value", "data"),
    [
        ("load", {"load_ms": float("nan"), "first_ms": 1, "peak_memory": 1, "model_memory": 1}, b""),
        ("load", {"load_ms": 1}, b""),
        ("load", {"load_ms": 1, "first_ms": 1, "peak_memory": 1, "model_memory": 1, "kernels": "x" * 99}, b""),
        ("run", ["1"], bytes(16)),
        ("run", None, b"short"),
        ("run", None, bytes(9)),
        ("run", None, b"\xff" * 16),
        ("memory", "much", b""),
        ("prefixes", [[1.0], []], b""),
        ("prefixes", [[], []], b""),
        ("prefixes", [[1.0], [float("inf")]], b""),
        ("open", [8, 8, 3], b""),
        ("open", [8, 8, 3, 1 << 40], b""),
        ("open", {"inputs": [], "outputs": [["y", [5], "float32"]]}, b""),
        ("open", {"inputs": [["x", [8], "float32"]], "outputs": [["y", [1 << 20, 1 << 20], "float32"]]}, b""),
        (
            "open",
            {"inputs": [["x", [8], "float32"]], "outputs": [[f"y{n}", [1 << 12, 1 << 12], "float32"] for n in "ab"]},
            b"",
        ),
        ("open", {"inputs": [["x", [8], "object"]], "outputs": [["y", [5], "float32"]]}, b""),
        ("predict", None, b"short"),
        ("predict", 1, bytes(40)),
    ],
)
def test_answers_of_another_form_are_refused(made, module, monkeypatch, question, value, data):
    reply = json.dumps({"value": value}).encode()
    taken = module(TAKEN + f"answer({reply!r}, {data!r})\nimport time; time.sleep(60)")
    with Worker(made / "int8.tflite", 1, "xnnpack", timeout=30) as worker:
        worker.child.__exit__(None, None, None)
        worker.child = taken
        asks = {
            "predict": lambda: worker.predict({"image": IMAGES}, [TensorSpec("logits", (5,), "float32")]),
            "run": lambda: worker.run(seconds=0.0, runs=2),
        }
        with pytest.raises(InputError, match="with what it never answers"):
            asks.get(question, lambda: worker.ask(question))()


def test_the_child_imports_nothing_from_the_working_folder(made, tmp_path, monkeypatch):
    """A folder that was downloaded with the model may hold a numpy.py."""
    for name in ("numpy", "json", "runpy", "tkit_edge"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\nraise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)
    with IsolatedModel(made / "int8.tflite") as model:
        assert model.predict(IMAGES).shape == (2, 5)
    assert not (tmp_path / "canary").exists()


def test_what_is_no_regular_file_or_too_large_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.tflite")
    with pytest.raises(InputError, match="pipe.tflite is not a regular file"):
        IsolatedModel(tmp_path / "pipe.tflite")
    with open(tmp_path / "large.tflite", "wb") as file:
        file.truncate(files.MAX_FILE_BYTES + 1)  # takes no room on the disk
    with pytest.raises(InputError, match=r"large.tflite has 2,147,483,649 bytes, expected at most 2,147,483,648"):
        IsolatedModel(tmp_path / "large.tflite")
