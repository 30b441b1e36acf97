"""`--device cortex-m4`: an exported bundle as C on an emulated Cortex-M4."""

from pathlib import Path

import pytest

import tkit
from tkit.c_code.cortex_m import emulator
from tkit_edge.errors import InputError

BUNDLE = Path(__file__).parents[1] / "frozen" / "runs-1" / "finished-1" / "float" / "export"
needs_qemu = pytest.mark.skipif(
    bool(emulator.missing()), reason=f"needs {', '.join(emulator.missing())}: apt install {emulator.PACKAGES}"
)


@needs_qemu
def test_check_compares_bytes():
    found = tkit.check(BUNDLE, device="cortex-m4")
    [row] = found["files"]
    assert found["ok"] and row["format"] == "int8" and row["samples"] == row["same_top1"] > 0
    assert (row["max_difference"], row["tolerance"]) == (0.0, 0.0)
    assert "QEMU" in found["device"]["emulator"] and any("cycles" in line for line in found["cannot"])


@needs_qemu
def test_bench_tells_memory_and_instructions_and_no_latency():
    [row] = tkit.bench_on(BUNDLE, ["cortex-m4"])["devices"]["cortex-m4"]["results"]
    macs = tkit.inspect(BUNDLE / "model-int8.tflite")["model-int8.tflite"].macs
    assert macs < row["instructions"] < 8 * macs
    assert row["flash_bytes"] > row["bytes"] / 2 and 0 < row["stack_bytes"] < row["arena_bytes"] < 20_000
    assert "p50_ms" not in row


def test_without_the_tools_the_command_that_installs_them_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        InputError, match="arm-none-eabi-gcc, .*qemu-system-arm not found.*apt install gcc-arm-none-eabi"
    ):
        tkit.check(BUNDLE, device="cortex-m4")
