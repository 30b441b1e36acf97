"""Builds a model's C files for a Cortex-M and runs them in QEMU.

Debian's packages gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm. QEMU counts instructions, not cycles:
what a processor takes for them depends on its memory and its pipeline.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

from tkit_edge.errors import InputError

BOARDS = {"cortex-m3": "mps2-an385", "cortex-m4": "mps2-an386"}
"""QEMU's machine, by the processor that the compiler is told; M4 multiplies in pairs, M3 doesn't."""
COMPILER, SIZE, EMULATOR = "arm-none-eabi-gcc", "arm-none-eabi-size", "qemu-system-arm"
PACKAGES = "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
FLAGS = ("-mthumb", "-std=c99", "-O2", "-Wall", "-Wextra", "-ffunction-sections", "-fdata-sections")
TIMEOUT = 600.0
"""Seconds for a program in QEMU."""


class Footprint(NamedTuple):
    """What a model's code and data take, without the C library and the rest of the program."""

    flash_bytes: int
    ram_bytes: int
    """Static; the stack comes on top."""


class GoldenResult(NamedTuple):
    """How many samples have the outputs of LiteRT's reference kernels, byte for byte."""

    equal: int
    samples: int


class Cost(NamedTuple):
    """One run of a model."""

    instructions: int
    stack_bytes: int


def missing() -> tuple[str, ...]:
    """The programs that aren't there."""
    return tuple(program for program in (COMPILER, SIZE, EMULATOR) if shutil.which(program) is None)


def check_tools() -> None:
    """Raises InputError unless compiler and emulator are there, with the command that installs them."""
    lacking = missing()
    if lacking:
        raise InputError(f"{', '.join(lacking)} not found. On Debian or Ubuntu: sudo apt install {PACKAGES}")


def version() -> str:
    """Such as "QEMU 7.2.22"."""
    done = subprocess.run([EMULATOR, "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"version (\S+)", done.stdout)
    return f"QEMU {found[1] if found else done.stdout.strip()}"


def golden(folder: Path, scratch: Path, cpu: str = "cortex-m4") -> GoldenResult:
    """Runs the golden samples of a folder that `write_project` made in QEMU.

    Args:
        folder: with model.c, model.h and test_golden.c.
        scratch: an empty folder for what is built.
        cpu: one of `BOARDS`.

    Raises:
        InputError: the compiler or QEMU is missing, the files can't be compiled, or the program hangs.
    """
    done = _run(_built(folder, scratch, cpu, folder / "test_golden.c"), cpu)
    found = re.match(r"(\d+) of (\d+) golden samples equal", done.stdout)
    if found is None:
        raise InputError(
            f"{folder}: the program fails in QEMU, exit code {done.returncode}: {done.stdout}{done.stderr}"
        )
    return GoldenResult(int(found[1]), int(found[2]))


def cost(folder: Path, scratch: Path, cpu: str = "cortex-m4") -> Cost:
    """Instructions and stack of one run of a folder's model; arguments and errors are `golden`'s."""
    with as_file(files(__package__).joinpath("measure.c")) as main:
        done = _run(_built(folder, scratch, cpu, main), cpu, "-icount", "shift=0")
    if done.returncode:
        raise _failed(folder, done)
    found = json.loads(done.stdout)
    return Cost(found["instructions"], found["stack_bytes"])


def footprint(folder: Path, scratch: Path, cpu: str = "cortex-m4") -> Footprint:
    """What model.c takes, by arm-none-eabi-size; arguments and errors are `golden`'s."""
    check_tools()
    built = scratch / "model.o"
    _compile([f"-mcpu={cpu}", *FLAGS, "-c", str(folder / "model.c"), "-o", str(built)])
    done = subprocess.run([SIZE, str(built)], capture_output=True, text=True, check=True)
    text, data, bss = (int(word) for word in done.stdout.splitlines()[1].split()[:3])
    return Footprint(text + data, data + bss)


def _built(folder: Path, scratch: Path, cpu: str, main: Path) -> Path:
    check_tools()
    built = scratch / f"{main.stem}.elf"
    with as_file(files(__package__)) as board:
        _compile(
            [
                *(f"-mcpu={cpu}", *FLAGS, "-Wl,--gc-sections", "--specs=rdimon.specs", "-nostartfiles"),
                *(f"-T{board / 'board.ld'}", f"-I{folder}", str(board / "start.c"), str(main)),
                *(str(folder / "model.c"), "-o", str(built)),
            ]
        )
    return built


def _failed(folder: Path, done: subprocess.CompletedProcess[str]) -> InputError:
    return InputError(f"{folder} fails in {EMULATOR}, exit code {done.returncode}: {done.stdout}{done.stderr}")


def _compile(arguments: Sequence[str]) -> None:
    done = subprocess.run([COMPILER, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"{COMPILER} fails: {done.stderr.strip()}")


def _run(program: Path, cpu: str, *options: str) -> subprocess.CompletedProcess[str]:
    semihosting = ("-nographic", "-monitor", "none", "-semihosting-config", "enable=on,target=native")
    command = [EMULATOR, "-machine", BOARDS[cpu], *semihosting, *options, "-kernel", str(program)]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{program.name} has not ended in {EMULATOR} after {TIMEOUT:.0f} seconds.") from error
