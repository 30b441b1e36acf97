"""ARM64 without the hardware: an emulated Cortex-A, for what files compute there, not for how fast.

QEMU's user mode runs Debian's arm64 Python with LiteRT's and NumPy's aarch64 wheels. They are fetched once, with
apt-get, dpkg and pip, into the cache folder; nothing is installed on the system.
"""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import tkit_edge
from tkit import console, files
from tkit.bench_config import Bench
from tkit.targets._machine import Machine, Ran
from tkit.targets.local import run
from tkit_edge.errors import InputError
from tkit_pipelines.cache import emulated

PYTHON = "3.11"
RELEASE = "bookworm"
"""Of Debian, which has that Python."""
PACKAGES = (
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "libstdc++6", "libgcc-s1"),
    *("zlib1g", "libexpat1", "libssl3", "libffi8", "libbz2-1.0", "liblzma5", "libcrypt1", "libuuid1"),
)
WHEELS = ("numpy", "pillow")
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_27_aarch64", "manylinux2014_aarch64", "manylinux_2_17_aarch64")
"""That wheels may be for: glibc 2.36 runs them all."""
EMULATOR = "qemu-aarch64-static"
TOOLS = {EMULATOR: "qemu-user-static", "apt-get": "apt", "dpkg": "dpkg"}
"""What is needed here, and the Debian package that has it."""
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
START = "import sys; sys.executable = {wrapper!r}; from tkit_edge.__main__ import main; sys.exit(main(sys.argv[1:]))"
"""Where the kernel knows no ARM64 programs, a child has to be started by way of the emulator."""


class QemuArm64(Machine):
    """An emulated ARM64 processor on this machine's kernel."""

    kind: Literal["qemu_arm64"] = "qemu_arm64"
    cpu: str = "cortex-a72"
    """As `qemu-aarch64-static -cpu help` lists them; the default is a Raspberry Pi 4's."""
    litert: str = "1.4.0"
    """Version of ai-edge-litert. 2.x ends at once under the emulator: it reads the host's processor from files."""
    timed: ClassVar[bool] = False

    @classmethod
    def fields_of(cls, address: str) -> dict[str, Any]:
        """`qemu-arm64:cortex-a53` is another processor."""
        return {"cpu": address} if address else {}

    @property
    def title(self) -> str:
        """`Target.title`."""
        return super().title if self.cpu == type(self)().cpu else f"{super().title}:{self.cpu}"

    @property
    def cannot(self) -> tuple[str, ...]:
        """`Target.cannot`."""
        return ("latency and memory (the processor is emulated)",)

    @contextmanager
    def session(self) -> Iterator[_Emulated]:
        """`Machine.session`."""
        _check_tools()
        processors = subprocess.run([EMULATOR, "-cpu", "help"], capture_output=True, text=True).stdout.split()
        if self.cpu not in processors:
            raise InputError(f"{EMULATOR} has no processor {self.cpu!r}: {EMULATOR} -cpu help lists them.")
        yield _Emulated(self.cpu, _root(self.litert))

    def bench(self, subject: Path, settings: Bench, test: Path | None = None) -> dict[str, Any]:
        """`Target.bench`: the score alone, on one thread."""
        untimed = {"seconds": 0.001, "most_seconds": 0.001, "threads": (1,)}
        return super().bench(subject, settings.model_copy(update=untimed), test)

    def document(self, found: Any, **facts: Any) -> dict[str, Any]:
        """`Target.document`; the processor that the host's files name isn't the one that is emulated."""
        made = super().document(found, **facts)
        made["machine"] = {**made["machine"], "cpu": f"{self.cpu} (emulated)", "board": None, "governor": None}
        return made


class _Emulated:
    def __init__(self, cpu: str, root: Path) -> None:
        self._site = root / "opt" / "site"
        wrapper = root / f"python-{cpu}"
        if not wrapper.exists():
            command = [EMULATOR, "-cpu", cpu, "-L", str(root), str(root / "usr" / "bin" / f"python{PYTHON}")]
            files.write_bytes(wrapper, f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n'.encode())
            wrapper.chmod(0o755)
        self._wrapper = str(wrapper)

    @property
    def facts(self) -> dict[str, Any]:
        return {"emulator": _version()}

    def put(self, path: Path, formats: Sequence[str] = ()) -> str:
        return str(path)

    def edge(self, arguments: Sequence[str]) -> Ran:
        paths = [str(self._site), str(Path(tkit_edge.__file__).parents[1])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        command = [self._wrapper, "-P", "-c", START.format(wrapper=self._wrapper), *arguments]
        return run(command, environment, quiet=True)  # its progress is latencies


def _check_tools() -> None:
    missing = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    missing += [] if KEYRING.exists() else ["debian-archive-keyring"]
    if missing:
        raise InputError(
            f"qemu-arm64 needs {', '.join(missing)} of Debian or Ubuntu: sudo apt-get install {' '.join(missing)}"
        )


@functools.cache
def _version() -> str:
    shown = subprocess.run([EMULATOR, "--version"], capture_output=True, text=True).stdout
    return f"QEMU {shown.split('version ')[-1].split()[0]}"


def _root(litert: str) -> Path:
    """The folder with an arm64 Python, LiteRT and NumPy; made once."""
    target = emulated(f"arm64-litert-{litert}")
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    console.say(f"fetching Debian's arm64 Python and ai-edge-litert {litert} for it into {target}")
    with files.new_folder(target) as root:
        root.mkdir()
        _unpack_debian(root)
        _unpack_wheels(root, litert)
    return target


def _unpack_debian(root: Path) -> None:
    apt = root / "apt"
    for folder in ("lists/partial", "cache/archives/partial", "packages"):
        (apt / folder).mkdir(parents=True)
    source = f"deb [arch=arm64 signed-by={KEYRING}] http://deb.debian.org/debian {RELEASE} main\n"
    (apt / "sources.list").write_text(source)
    options = {
        "Dir::Etc::sourcelist": apt / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": apt / "lists",
        "Dir::State::status": "/dev/null",
        "Dir::Cache": apt / "cache",
        "APT::Architecture": "arm64",
        "APT::Architectures::": "arm64",
    }
    command = ["apt-get", "-q", *(part for key, value in options.items() for part in ("-o", f"{key}={value}"))]
    _fetch([*command, "update"], apt)
    _fetch([*command, "download", *PACKAGES], apt / "packages")
    for package in sorted((apt / "packages").glob("*.deb")):
        _fetch(["dpkg", "-x", str(package), str(root)], apt)
    shutil.rmtree(apt)


def _unpack_wheels(root: Path, litert: str) -> None:
    platforms = [part for platform in PLATFORMS for part in ("--platform", platform)]
    options = ["--python-version", PYTHON, "--implementation", "cp", "--only-binary=:all:", *platforms]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options]
    _fetch([*command, "--target", str(root / "opt" / "site"), f"ai-edge-litert=={litert}", *WHEELS], root)


def _fetch(command: Sequence[str], folder: Path) -> None:
    ran = subprocess.run(list(command), cwd=folder, capture_output=True, text=True)
    if ran.returncode:
        raise InputError(
            f"Making the emulated system failed in {shlex.join(command[:1])} (exit code {ran.returncode}): "
            f"{(ran.stderr or ran.stdout).strip()[-1000:]}"
        )
