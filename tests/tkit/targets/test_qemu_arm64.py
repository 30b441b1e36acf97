"""The files of the demo, and other models' int8 files, on an emulated ARM64, against x86's newer LiteRT."""

import json
import shutil

import pytest

import tkit
from tkit.targets import qemu_arm64
from tkit_edge import bundle_writing, flatbuffer
from tkit_edge.errors import InputError
from tkit_edge.inputs.tensors import Tensors
from tkit_edge.model_file import specs
from tkit_edge.outputs.tensors import Tensors as AnyOutput

MISSING = [package for tool, package in qemu_arm64.TOOLS.items() if shutil.which(tool) is None]
needs_qemu = pytest.mark.skipif(bool(MISSING), reason=f"needs Debian's {', '.join(MISSING)}")


@needs_qemu
@pytest.mark.slow
def test_every_file_of_the_demo_computes_on_arm64_what_it_does_on_x86(demo):
    for variant in demo.variants:
        found = tkit.check(demo, device="qemu-arm64", variant=variant)
        assert found["ok"] and found["machine"]["arch"] == "aarch64", found
        assert {row["format"] for row in found["files"]} == {"float32", "float16", "dynamic", "int8", "int16x8"}
        assert [row["max_difference"] for row in found["files"] if row["format"] == "int8"] == [0]


@needs_qemu
@pytest.mark.slow
@pytest.mark.parametrize(("name", "steps"), [("resnet8", 0), ("mobilenet", 0), ("bag of n-grams", 1.001)])
def test_other_int8_files_compute_on_arm64_what_they_do_on_x86(name, steps, int8_file, tmp_path):
    data, given = int8_file(name)
    graph = flatbuffer.read(data)
    bundle_writing.write(
        tmp_path / "bundle",
        task="inference",
        input=Tensors.of(specs(graph, graph.inputs)),
        output=AnyOutput.of(specs(graph, graph.outputs)),
        models={"int8": data},
        examples={key: value[:8] for key, value in given.items()},
        targets={},
    )
    found = tkit.check(tmp_path / "bundle", device="qemu-arm64")
    [row] = found["files"]
    # LiteRT 2.3 is a step from 1.4 there, on x86 too.
    assert row["max_difference"] <= steps and row["samples"] == 8


@needs_qemu
@pytest.mark.slow
def test_emulation_gives_a_score_and_no_latency(demo, tkit_command, capsys):
    run = str(demo.folder)
    assert (
        tkit_command(["bench", run, "--variant", "float", "--formats", "int8", "--device", "qemu-arm64", "--json"]) == 0
    )
    document = json.loads(capsys.readouterr().out)["devices"]["qemu-arm64"]
    assert {row["p50_ms"] for row in document["results"]} == {None}
    assert {row["peak_memory"] for row in document["results"]} == {None}
    assert document["results"][0]["score"]["samples"] == 16
    assert "emulated" in document["cannot"][0] and document["device"]["emulator"].startswith("QEMU")
    here = tkit.bench_on(demo, ["local"], variant="float", overrides=["bench.formats=int8", "bench.seconds=0.01"])
    assert document["results"][0]["score"]["value"] == here.records()[0]["score"]


@needs_qemu
def test_an_unknown_processor_is_one_message(demo):
    with pytest.raises(InputError, match="no processor 'pentium'"):
        tkit.check(demo, device="qemu-arm64:pentium", variant="float")


def test_without_the_emulator_the_packages_are_named(demo, monkeypatch):
    monkeypatch.setattr(qemu_arm64.shutil, "which", lambda tool: None)
    with pytest.raises(InputError, match="sudo apt-get install qemu-user-static"):
        tkit.check(demo, device="qemu-arm64", variant="float")
