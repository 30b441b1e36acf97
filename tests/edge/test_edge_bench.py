import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from tkit_edge import machine
from tkit_edge.accuracy import wilson
from tkit_edge.bench import bench
from tkit_edge.errors import InputError
from tkit_edge.runtime import Model
from tkit_edge.table import table
from tkit_edge.worker import Worker


def edge(*arguments, code=0):
    """Runs the command; its output, after the exit code was compared."""
    done = subprocess.run([sys.executable, "-m", "tkit_edge", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def test_file(originals, tmp_path):
    """Keras's own answers as labels."""
    images, logits = originals
    np.savez(tmp_path / "test.npz", images=images, labels=logits.argmax(axis=1).astype(np.int32))
    return tmp_path / "test.npz"


def test_a_bundle_end_to_end(bundle, test_file, tmp_path, originals):
    report = tmp_path / "bench.json"
    done = edge("bench", bundle.folder, "--formats", "int8,float32", "--threads", "1,2", "--seconds", "0.1",
                "--test", test_file, "--output", report)  # fmt: skip
    content = json.loads(report.read_text())
    assert content["version"] == 2
    assert content["runtime"]["name"] == "ai-edge-litert"
    assert content["machine"]["cores"] >= 1
    results = content["results"]
    assert [(item["format"], item["kernels"], item["threads"]) for item in results] == [
        (fmt, kernels, threads)
        for fmt in ("int8", "float32")
        for kernels in ("xnnpack", "builtin")
        for threads in (1, 2)
    ]
    for item in results:
        assert item["bytes"] == bundle.path(item["format"]).stat().st_size
        assert item["macs"] == 2624
        assert 0 < item["p50_ms"] <= item["p90_ms"] <= item["p99_ms"]
        assert item["runs_per_second"] == pytest.approx(1e3 / item["mean_ms"])
        assert item["runs"] >= 2 * item["rounds"] >= 18
        assert item["min_ms"] <= item["p50_interval_ms"][0] <= item["p50_interval_ms"][1] <= item["max_ms"]
        assert sum(item["histogram"]["counts"]) + item["histogram"]["above"] == item["runs"]
        assert 0 < item["steady_memory"] < 2e9
        assert min(item["load_ms"], item["first_ms"]) > 0
        assert 0 < item["model_memory"] < item["peak_memory"] < 2e9
        right = Model(bundle.path(item["format"])).predict(originals[0]).argmax(axis=1) == originals[1].argmax(axis=1)
        score = item["score"]
        assert (score["name"], score["value"], score["samples"]) == ("accuracy", right.mean(), 64)
        low, high = score["interval"]
        assert low < score["value"] <= high
    assert content["start"]["p50_ms"] > 0 and content["start"]["starts"] == 3
    assert content["conditions"]["other_cores"] >= 0
    table = done.stdout.splitlines()
    assert table[2].split() == ["file", "size", "KB", "MACs", "M", "threads", "kernels", "load", "ms", "first", "ms",
                                "p50", "p90", "p99", "runs/s", "peak", "MB", "±", "%", "min", "to", "p99",
                                "steady", "MB", "accuracy"]  # fmt: skip
    assert sum(line.startswith("model-") and "accuracy" not in line for line in table) == 8
    assert len([line for line in done.stderr.splitlines() if line.endswith(" ms")]) == 8


def test_one_file_as_json(made):
    done = edge(
        "bench",
        made / "float32.tflite",
        "--threads",
        "1",
        "--kernels",
        "reference",
        "--seconds",
        "0.05",
        "--json",
    )
    (result,) = json.loads(done.stdout)["results"]
    assert (result["file"], result["format"], result["score"]) == ("float32.tflite", None, None)


def test_a_row_names_the_kernels_that_ran(made):
    report = bench(made / "int16x8.tflite", threads=[1], seconds=0.02)  # XNNPACK takes no operator of 16 bits
    assert [result.kernels for result in report.results] == ["builtin"]


def test_threads_are_one_and_all_cores_by_default(made, monkeypatch):
    for cores, expected in ((1, [1]), (2, [1, 2])):
        monkeypatch.setattr("tkit_edge.machine.cores", lambda cores=cores: cores)
        report = bench(made / "int8.tflite", kernels=["xnnpack"], seconds=0.02)
        assert [result.threads for result in report.results] == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kernels", "gpu"], "expected of xnnpack, builtin, reference, received gpu"),
        (["--threads", "0"], "threads: expected numbers from 1 on"),
        (["--threads", "two"], "expected numbers such as 1,2, or sweep"),
        (["--seconds", "nan"], "seconds: expected a number above 0"),
        (["--precision", "0"], "precision: expected a number above 0"),
        (["--most-seconds", "0.5"], "most_seconds: expected at least 1, as seconds, received 0.5"),
        (["--formats", "int4"], "has no int4 model. It has: float32, int8, int16x8"),
        (["--output", "/nowhere/bench.json"], "the folder /nowhere does not exist"),
        (["--test", "missing.npz"], "Cannot read missing.npz"),
    ],
)
def test_wrong_arguments(bundle, arguments, message):
    assert message in edge("bench", bundle.folder, *arguments, code=2).stderr


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"TFL3TFL3TFL3", "half"])
def test_a_bad_file_gives_one_message_with_its_name(made, tmp_path, content):
    path = tmp_path / "bad.tflite"
    path.write_bytes((made / "int8.tflite").read_bytes()[:1000] if content == "half" else content)
    stderr = edge("bench", path, code=2).stderr
    assert "bad.tflite" in stderr
    assert len(stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((2, 9, 9, 3), np.uint8), np.zeros(2, np.int32), r"images \(9, 9, 3\), the model needs \(8, 8, 3\)"),
        (np.zeros((2, 8, 8, 3), np.uint8), np.array([0, 5], np.int32), "labels from 0 to 5"),
        (np.zeros((2, 8, 8, 3), np.uint8), np.zeros(3, np.int32), "received 2 images and 3 labels"),
        (np.zeros((2, 8, 8, 3), np.uint8), np.zeros(2, np.float32), "'labels' of int32"),
        (np.zeros((2, 8, 8, 3), object), np.zeros(2, np.int32), "no whole .npz"),
    ],
)
def test_a_test_file_that_does_not_fit(made, tmp_path, images, labels, message):
    np.savez(tmp_path / "test.npz", images=images, labels=labels)
    with pytest.raises(InputError, match=message):
        bench(made / "int8.tflite", test=tmp_path / "test.npz")


def test_a_worker_that_hangs_or_crashes_is_an_input_error(made):
    with Worker(made / "int8.tflite", 1, "xnnpack", timeout=60) as worker:
        assert worker.ask("load")["load_ms"] > 0
        worker.child.timeout = 0.3
        os.kill(worker.child.process.pid, signal.SIGSTOP)
        with pytest.raises(InputError, match=r"int8\.tflite gave no answer within 0\.3 s of being asked to run"):
            worker.run(seconds=0.0, runs=1)
    with Worker(made / "int8.tflite", 1, "xnnpack", timeout=60) as worker:
        worker.ask("load")
        os.kill(worker.child.process.pid, signal.SIGABRT)  # what a failed assertion in a kernel raises
        with pytest.raises(InputError, match=r"int8\.tflite crashes the process that opens it \(SIGABRT"):
            worker.run(seconds=0.0, runs=1)
    assert worker.child.process.poll() is not None


def test_what_only_the_runtime_finds_is_an_input_error_too(tmp_path):
    """The worker alone, without the check that bench makes first."""
    path = tmp_path / "refused.tflite"
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(100))
    with Worker(path, 1, "reference", timeout=60) as worker, pytest.raises(InputError, match=r"refused\.tflite"):
        worker.ask("load")


def test_wilson_against_published_values():
    # Newcombe 1998, table I: 81 of 263 and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_check_command_passes_and_fails(bundle):
    done = edge("check", bundle.folder)
    assert done.stdout.count("same top-1 on 4 of 4") == 3
    assert "images 4 of 4" in done.stdout
    bundle.encoded(1).write_bytes(bundle.encoded(0).read_bytes())
    assert "0001.png is not the file" in edge("check", bundle.folder, code=2).stderr
    path = bundle.folder / "bundle.json"
    first, second = (item.sha256 for item in bundle.golden_file.encoded[:2])
    path.write_text(path.read_text().replace(second, first))
    done = edge("check", bundle.folder, code=3)
    assert "images 3 of 4 read as expected" in done.stdout
    assert "does not run here" in done.stderr
    (bundle.folder / "model-int8.tflite").write_bytes(b"")
    assert "model-int8.tflite" in edge("check", bundle.folder, code=2).stderr


@pytest.mark.parametrize(
    ("load", "cores", "warns"), [(0.4, 2, False), (3.2, 2, True), (3.2, 8, False), (None, 1, False)]
)
def test_a_busy_machine_is_said(load, cores, warns):
    warning = machine.busy({"load_average": load, "cores": cores})
    assert (warning is not None) == warns
    assert not warns or "load average 3.2 on 2 cores" in warning


def test_the_report_has_the_load_before_it_began(made):
    report = bench(made / "int8.tflite", kernels=["xnnpack"], threads=[1], seconds=0.02)
    assert report.machine["load_average"] == pytest.approx(machine.load_average(), abs=5)
    assert ("was busy" in table(report)) == (machine.busy(report.machine) is not None)
