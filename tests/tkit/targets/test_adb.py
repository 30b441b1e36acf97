"""Android by adb and benchmark_model. No phone can be connected here: adb is a stand-in (adb_stand_in.py), except for
what the real one says where there is no device; benchmark_model's output is as its sources print it.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import tkit
from tkit.android import benchmark_model
from tkit.bench_config import Bench
from tkit.targets import target_of
from tkit_edge.errors import InputError

SETTINGS = Bench(seconds=0.5, formats=("int8",), threads=(1, 4))
STATISTICS = "avg={0} std=23 p5=915 median=942 p95=991"
INTERPRETER = """INFO: STARTING!
INFO: Num threads: [1]
INFO: Loaded model /data/local/tmp/tkit-abcdef/model-int8.tflite
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
INFO: Explicitly applied XNNPACK delegate, and the model graph will be completely executed by the delegate.
INFO: The input model file size (MB): 0.047
INFO: Initialized session in 5.757ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=526 first=2125 curr=969 min=910 max=2125 avg=949.861 std=68 p5=915 median=939 p95=990

INFO: Running benchmark for at least 2 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
INFO: count=1054 first=1015 curr=942 min=910 max=1102 avg=947.132 std=23 p5=915 median=942 p95=991

INFO: Inference timings in us: Init: 5757, First inference: 2125, Warmup (avg): 949.861, Inference (avg): 947.132
INFO: Memory footprint delta from the start of the tool (MB): init=2.5 overall=4.0625
INFO: Overall peak memory footprint (MB) via periodic monitoring: 12.5
"""
BUILTIN = "\n".join(line for line in INTERPRETER.splitlines() if "XNNPACK" not in line).replace(
    "median=942", "median=1942"
)
OF_2020 = """STARTING!
Unconsumed cmdline flags: --report_peak_memory_footprint=true
Initialized session in 17.187ms.
count=1 curr=3512391

count=50 first=2990275 curr=2913402 min=2727568 max=3189954 avg=2.95034e+06 std=109798

Inference timings in us: Init: 17187, First inference: 3512391, Warmup (avg): 3.51239e+06, Inference (avg): 2.95034e+06
"""
COMPILED_MODEL = """WARN: Unconsumed cmdline flags: --use_xnnpack=true
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
INFO: Initialized session in 4.478ms.
INFO: count=1055 first=1033 curr=473 min=443 max=1033 avg=465.319 std=18 p5=459 median=463 p95=478

INFO: count=2112 first=463 curr=459 min=442 max=979 avg=464.545 std=13 p5=460 median=462 p95=478

INFO: [./litert/tools/benchmark_litert_model.h:82] Model initialization: 4.48 ms
INFO: [./litert/tools/benchmark_litert_model.h:114] Init footprint:       8.94 MB
INFO: [./litert/tools/benchmark_litert_model.h:121] Peak memory:          20.25 MB
"""


class Phone:
    """What the stand-in plays, and what it was asked."""

    def __init__(self, folder):
        self.file, self.root = folder / "phone.json", folder / "data"
        self.root.mkdir()
        self.state = {
            "devices": {"R58N": "device"},
            "properties": {
                "ro.product.model": "Pixel 7",
                "ro.build.version.release": "14",
                "ro.product.cpu.abi": "arm64-v8a",
                "ro.product.cpu.abilist": "arm64-v8a,armeabi-v7a",
            },
            "tool": [INTERPRETER, INTERPRETER, BUILTIN, BUILTIN],
            "root": str(self.root),
        }
        self.play()

    def play(self, **changes):
        self.state.update(changes)
        self.file.write_text(json.dumps(self.state))

    @property
    def calls(self):
        return json.loads(self.file.read_text()).get("calls", [])


@pytest.fixture
def phone(tmp_path, monkeypatch):
    made = Phone(tmp_path)
    (tmp_path / "bin").mkdir()
    adb = tmp_path / "bin" / "adb"
    adb.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name("adb_stand_in.py")} "$@"\n')
    adb.chmod(0o755)
    monkeypatch.setenv("PATH", f"{adb.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("ADB_STAND_IN", str(made.file))
    return made


def program(path, machine=183):
    """The head of an ELF file for a processor; 183 is ARM64."""
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + (3).to_bytes(2, "little") + machine.to_bytes(2, "little"))
    return path


@pytest.fixture
def tool(tmp_path):
    return program(tmp_path / "benchmark_model")


def test_files_are_measured_and_nothing_stays_there(phone, tool, bundle, capfd):
    found = target_of("adb", {"benchmark_model": tool}).bench(bundle, SETTINGS)
    rows = {(row["kernels"], row["threads"]): row for row in found["results"]}
    assert set(rows) == {("xnnpack", 1), ("xnnpack", 4), ("builtin", 1), ("builtin", 4)}
    row = rows["xnnpack", 1]
    assert (row["load_ms"], row["first_ms"], row["p50_ms"], row["p95_ms"]) == (5.757, 2.125, 0.942, 0.991)
    assert (row["runs"], row["peak_memory"], row["bytes"]) == (1054, 12.5 * 2**20, 7000)
    assert rows["builtin", 1]["p50_ms"] == 1.942
    assert found["device"] == {
        "kind": "adb",
        "name": "adb",
        "serial": "R58N",
        "model": "Pixel 7",
        "processor": "",
        "android": "14",
        "abi": "arm64-v8a",
        "cores": 8,
        "tool": "benchmark_model",
    }
    assert any("accuracy" in what for what in found["cannot"])
    assert list(phone.root.iterdir()) == []


def test_what_is_pushed_and_run_is_printed_word_for_word(phone, tool, bundle, capfd):
    target_of("adb", {"benchmark_model": tool}).bench(bundle, SETTINGS)
    printed = [line for line in capfd.readouterr().err.splitlines() if line.startswith("adb ")]
    asked = [f"adb {' '.join(call)}" for call in phone.calls if not {"devices", "nproc"} & set(call)]
    assert [line.replace("'", "") for line in printed] == [line for line in asked if "getprop" not in line]
    assert any("push" in line and str(tool) in line for line in printed)
    assert any("--num_threads=4 --use_xnnpack=false" in line for line in printed)
    assert printed[-1].endswith("'") and "shell 'rm -rf /data/local/tmp/tkit-" in printed[-1]


def test_it_stands_beside_other_devices(phone, tool, bundle, tmp_path, monkeypatch):
    (tmp_path / "devices.toml").write_text(f'[phone]\ndevice = "adb:R58N"\nbenchmark_model = "{tool}"\n')
    monkeypatch.setenv("TKIT_DEVICES", str(tmp_path / "devices.toml"))
    shown = tkit.bench_on(bundle, ["phone", "local"], settings=SETTINGS).display().text()
    assert "0.942" in shown and "model Pixel 7" in shown and "can't tell accuracy" in shown


def test_a_sweep_is_up_to_all_cores(phone, tool, bundle):
    phone.play(tool=INTERPRETER)
    settings = Bench(formats=("int8",), threads=("sweep",), kernels=("xnnpack",))
    rows = target_of("adb", {"benchmark_model": tool}).bench(bundle, settings)["results"]
    assert [row["threads"] for row in rows] == [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("output", "kernels", "median", "mean", "peak"),
    [
        (INTERPRETER, "xnnpack", 0.942, 0.947132, 12.5 * 2**20),
        (BUILTIN, "builtin", 1.942, 0.947132, 12.5 * 2**20),
        (OF_2020, "builtin", None, 2950.34, None),
        (COMPILED_MODEL, "xnnpack", 0.462, 0.464545, 20.25 * 2**20),
    ],
)
def test_what_the_tools_of_all_years_print_is_read(output, kernels, median, mean, peak):
    found = benchmark_model.parsed(output)
    assert (found.kernels, found.p50_ms, found.peak_memory) == (kernels, median, peak)
    assert found.mean_ms == pytest.approx(mean)


def test_a_tool_without_a_median_or_a_choice_of_kernels_says_so(phone, tool, bundle):
    target = target_of("adb", {"benchmark_model": tool})
    phone.play(tool=OF_2020)
    rows = target.bench(bundle, SETTINGS)["results"]
    assert rows[0]["p50_ms"] is None and rows[0]["note"] == "mean 2950.340 ms (it gives no median)"
    phone.play(tool=COMPILED_MODEL)
    rows = target.bench(bundle, SETTINGS)["results"]
    assert [(row["kernels"], row["threads"]) for row in rows] == [("xnnpack", 1), ("xnnpack", 4)]


def refused(run, *parts):
    with pytest.raises(InputError) as error:
        run()
    assert all(part in str(error.value) for part in parts), str(error.value)


@pytest.mark.parametrize(
    ("devices", "address", "parts"),
    [
        ({}, "adb", ["adb sees no device", "USB debugging"]),
        ({"R58N": "unauthorized"}, "adb", ["R58N doesn't trust this computer yet", "allow USB debugging"]),
        ({"R58N": "offline"}, "adb", ["R58N doesn't answer"]),
        (
            {"R58N": "no permissions (user in plugdev group; are your udev rules wrong?)"},
            "adb",
            ["android-sdk-platform"],
        ),
        ({"R58N": "recovery"}, "adb", ["'recovery'"]),
        ({"R58N": "device", "emulator-5554": "device"}, "adb", ["2 devices", "adb:R58N or adb:emulator-5554"]),
        ({"R58N": "device"}, "adb:R58M", ["no device 'R58M'", "R58N"]),
    ],
)
def test_a_device_that_is_not_there_or_not_ready(phone, tool, bundle, devices, address, parts):
    phone.play(devices=devices)
    refused(lambda: target_of(address, {"benchmark_model": tool}).bench(bundle, SETTINGS), *parts)


def test_the_real_adb_without_a_device(tool, bundle, monkeypatch):
    if shutil.which("adb") is None:
        pytest.skip("no adb here: sudo apt install adb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(free.getsockname()[1]))  # a server of its own
    try:
        refused(lambda: target_of("adb", {"benchmark_model": tool}).bench(bundle, SETTINGS), "adb sees no device")
        refused(lambda: target_of("adb:R58N", {"benchmark_model": tool}).bench(bundle, SETTINGS), "adb sees no device")
    finally:
        subprocess.run(["adb", "kill-server"], check=True)


def test_no_adb_here(tool, bundle, monkeypatch):
    monkeypatch.setenv("PATH", "")
    refused(lambda: target_of("adb", {"benchmark_model": tool}).bench(bundle, SETTINGS), "sudo apt install adb")


def test_the_tool_is_missing_or_another_processors(phone, tool, bundle, tmp_path):
    def measure(path):
        return lambda: target_of("adb", {"benchmark_model": path}).bench(bundle, SETTINGS)

    refused(measure(None), 'benchmark_model = "/path', "docs/android.md")
    refused(measure(tmp_path / "none"), "Cannot read", "No such file")
    (tmp_path / "script").write_text("#!/bin/sh\n")
    refused(measure(tmp_path / "script"), "is no program for Android")
    refused(measure(program(tmp_path / "x86", 62)), "x86 is for x86_64, Pixel 7 runs arm64-v8a")
    (tmp_path / "arm32").mkdir()
    assert measure(program(tmp_path / "arm32" / "benchmark_model", 40))()["results"]  # this phone runs 32-bit ones too


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"free": 10}, ["didn't take", "No space left on device"]),
        ({"tool": "ERROR: Didn't find op for builtin opcode 'GELU' version '2'.\n"}, ["exit code 1", "opcode 'GELU'"]),
        ({"tool": "Segmentation fault\n"}, ["exit code 1: Segmentation fault"]),
        ({"tool": "INFO: count=1 curr=1\n"}, ["benchmark_model measured nothing: INFO: count=1"]),
    ],
)
def test_what_fails_there_is_one_message_and_nothing_stays(phone, tool, bundle, changes, parts):
    phone.play(**changes)
    refused(lambda: target_of("adb", {"benchmark_model": tool}).bench(bundle, SETTINGS), *parts)
    assert list(phone.root.iterdir()) == []


def test_a_device_that_is_unplugged_leaves_a_folder_that_is_named(phone, tool, bundle, capfd):
    phone.play(lost="--num_threads=4")
    refused(lambda: target_of("adb", {"benchmark_model": tool}).bench(bundle, SETTINGS), "device 'R58N' not found")
    [folder] = phone.root.iterdir()
    assert f"adb -s R58N shell rm -rf /data/local/tmp/{folder.name}" in capfd.readouterr().err


def test_outputs_cannot_be_seen(phone, tool, bundle):
    target = target_of("adb", {"benchmark_model": tool})
    refused(lambda: target.check(bundle), "random inputs and shows no outputs")
    refused(lambda: target.predict(bundle, ["cat.png"], None, None), "random inputs and shows no outputs")
