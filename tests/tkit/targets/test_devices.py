"""Devices by address and by name; the table of several; what a run keeps of them."""

import json
import shutil

import numpy as np
import pytest

import tkit
from tkit.bench_config import Bench
from tkit.devices import targets
from tkit.results.devices import DevicesResult
from tkit.targets import target_of
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError


@pytest.fixture
def bundle(demo, tmp_path):
    return shutil.copytree(demo.folder / "float" / "export", tmp_path / "export")


def spoil(bundle):
    """Golden outputs of the int8 file with another class, far ahead."""
    from tkit_edge import files

    arrays = dict(np.load(bundle / "golden.npz"))
    [name] = [name for name in arrays if name.startswith("expected_int8_")]
    arrays[name] = 1e3 * np.eye(10, dtype=np.float32)[(arrays[name].argmax(axis=1) + 1) % 10]
    (bundle / "golden.npz").write_bytes(files.npz_bytes(arrays))
    document = json.loads((bundle / "bundle.json").read_text())
    document["golden"]["sha256"] = files.sha256(bundle / "golden.npz")
    (bundle / "bundle.json").write_text(json.dumps(document))


def test_this_machine_computes_what_it_exported(demo, tkit_command, capsys):
    assert tkit_command(["check", str(demo.folder), "--variant", "float"]) == 0
    printed = capsys.readouterr().out
    formats = list(Bundle.read(demo.folder / "float" / "export").models)
    assert all(f"\n{fmt} " in printed for fmt in formats) and "FAILED" not in printed


def test_other_outputs_than_were_exported_end_with_exit_code_3(bundle, tkit_command, capsys):
    spoil(bundle)
    assert tkit_command(["check", str(bundle), "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["kind"] == "check" and not document["ok"]
    failed = {row["format"]: row["failed"] for row in document["files"]}
    assert failed.pop("int8") and not any(failed.values())


def test_several_devices_stand_side_by_side_and_the_run_keeps_them(demo, tkit_command, tmp_path, monkeypatch, capsys):
    (tmp_path / "devices.toml").write_text('[desk]\ndevice = "local"\n[broken]\ndevice = "local"\n')
    monkeypatch.chdir(tmp_path)
    run = str(demo.folder)
    arguments = [
        "--variant",
        "float",
        "--formats",
        "int8",
        "--threads",
        "1",
        "--kernels",
        "xnnpack",
        "--seconds",
        "0.01",
    ]
    assert tkit_command(["bench", run, "--device", "all", *arguments]) == 0
    printed = capsys.readouterr().out
    assert printed.count("int8") == 2 and "desk " in printed and "broken " in printed and "p50 ms" in printed
    kept = tkit.Run.open(run)
    assert set(kept.manifest["stages"]["float/devices"]["metrics"]) >= {"desk", "broken"}
    assert tkit_command(["bench", run, "--device", "local", *arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["devices"]["local"]["device"] == {"kind": "local", "name": "local"}
    assert document["devices"]["local"]["results"][0]["score"]["samples"] == 16
    assert set(tkit.Run.open(run).manifest["stages"]["float/devices"]["metrics"]) >= {"desk", "broken", "local"}
    assert tkit.Run.open(run).whole("devices", "float")


def test_a_bundle_and_a_bare_file_are_measured_without_a_run(bundle):
    settings = Bench(seconds=0.01, threads=(1,), kernels=("builtin",))
    found = tkit.bench_on(bundle / "model-int8.tflite", ["local"], settings=settings)
    assert [row["file"] for row in found.records()] == ["model-int8.tflite"] and found.records()[0]["p50_ms"] > 0
    assert "model-int8.tflite" in repr(found) and "ran by" in repr(found)
    assert len(tkit.bench_on(bundle, ["local"], settings=settings).records()) == len(Bundle.read(bundle).models)


def test_a_device_that_fails_is_named_and_the_others_are_measured(bundle, tkit_command, monkeypatch, capsys):
    from tkit.targets.local import Local

    real = Local.bench

    def bench(self, subject, settings, test=None):
        if "bad" in calls.pop():
            raise InputError("it is unplugged")
        return real(self, subject, settings, test)

    calls = ["good", "bad"]
    monkeypatch.setattr(Local, "bench", bench)
    (bundle / "devices.toml").write_text('[attic]\ndevice = "local"\n')
    monkeypatch.setenv("TKIT_DEVICES", str(bundle / "devices.toml"))
    file = str(bundle / "model-int8.tflite")
    assert tkit_command(["bench", file, "--device", "attic", "--device", "local", "--seconds", "0.01"]) == 2
    printed = capsys.readouterr()
    assert "attic: it is unplugged" in printed.out and "model-int8.tflite" in printed.out
    assert "Not measured: attic." in printed.err


def test_a_device_predicts_as_this_process_does(demo, tkit_command, capsys):
    golden = str(demo.folder / "float" / "export" / "golden")
    assert tkit_command(["predict", str(demo.folder), golden, "--variant", "float", "--device", "local"]) == 0
    there = capsys.readouterr().out
    assert tkit_command(["predict", str(demo.folder), golden, "--variant", "float"]) == 0
    assert there == capsys.readouterr().out and there.count("\n") >= 8


def test_what_a_device_cannot_read_is_named(demo, tkit_command, tmp_path, capsys):
    (tmp_path / "no.png").write_bytes(b"no image")
    good = demo.folder / "float" / "export" / "golden"
    assert tkit_command(["predict", str(demo.folder), str(good), str(tmp_path / "no.png"), "--device", "local"]) == 2
    printed = capsys.readouterr()
    assert printed.out.count("\n") >= 8 and "no.png" in printed.err


@pytest.mark.parametrize(
    ("address", "words"),
    [("pi", "Unknown device 'pi'"), ("local:x", "takes no address"), ("telnet://host", "Unknown device")],
)
def test_a_wrong_address_is_one_message(address, words):
    with pytest.raises(InputError, match=words):
        target_of(address)


def test_devices_toml_gives_names_and_settings(tmp_path, monkeypatch):
    file = tmp_path / "devices.toml"
    monkeypatch.setenv("TKIT_DEVICES", str(file))
    file.write_text('[four]\ndevice = "qemu-arm64"\ncpu = "cortex-a53"\n')
    assert targets(["four"])["four"].cpu == "cortex-a53"
    with pytest.raises(InputError, match=r"Unknown device 'for'.*Did you mean 'four'"):
        targets(["for"])
    file.write_text('[four]\ndevice = "qemu-arm64"\nspeed = 3\n')
    with pytest.raises(InputError, match=r"speed.*It takes: cpu, litert"):
        targets(["four"])
    file.write_text("[four]\ncpu = 3\n")
    with pytest.raises(InputError, match="device = "):
        targets(["four"])
    file.write_text("[four\n")
    with pytest.raises(InputError, match=r"Cannot read .*devices.toml"):
        targets(["four"])


def test_a_machine_that_was_busy_or_throttled_is_named():
    row = {"file": "a.tflite", "format": None, "bytes": 10, "p50_ms": 1.0}
    named = dict.fromkeys(("board", "governor"))
    machine = {
        "cpu": "A72",
        "cores": 4,
        "arch": "aarch64",
        "system": "Linux",
        "memory": 1,
        "load_average": 0.1,
        **named,
    }
    numbers = ("lowest_frequency_mhz", "highest_frequency_mhz", "highest_temperature_c", "other_cores")
    around = {name: {"temperature_c": None} for name in ("before", "after")}
    calm = {"throttling": [], **dict.fromkeys(numbers), **around}
    document = {
        "results": [row],
        "machine": machine,
        "runtime": {"name": "ai-edge-litert", "version": "2.3.0"},
        "python": "3.11.2",
        "device": {"kind": "ssh", "name": "ssh://pi"},
        "cannot": [],
        "conditions": calm,
    }
    documents = {
        "calm": document,
        "busy": {**document, "machine": {**machine, "load_average": 3.5}},
        "hot": {**document, "conditions": {**calm, "throttling": ["the firmware throttled it"]}},
    }
    shown = DevicesResult(file="a.tflite", devices=documents).display().text()
    assert "busy: The machine was busy (load average 3.5 on 4 cores)" in shown
    assert "hot: The processor was throttled (the firmware throttled it)" in shown
    assert shown.count("latencies come out high") == 2
