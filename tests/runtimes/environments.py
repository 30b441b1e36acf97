"""Environments of their own with other releases of the runtime, made once in pytest's cache folder."""

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = {
    "1.4.0": ["ai-edge-litert==1.4.0"],
    "2.14.0": ["tflite-runtime==2.14.0", "numpy<2"],  # its last release: Python 3.11 and numpy 1.x
}
EDGE = Path(__file__).parents[2] / "edge"


def python_with(cache, release):
    """The Python of an environment with a release of the runtime; skips where it can't be had.

    Args:
        cache: a folder that stays.
        release: one of `PACKAGES`.
    """
    base = shutil.which("python3.11") if sys.version_info[:2] != (3, 11) else sys.executable
    if base is None:
        pytest.skip("the runtime's older releases have wheels for Python 3.11, which is not installed")
    folder = cache / release
    with (cache / f"{release}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            _make(folder, base, PACKAGES[release])
            (folder / "complete").touch()
    return folder / "bin" / "python"


def _make(folder, base, packages):
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([base, "-m", "venv", "--without-pip", folder], check=True)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", *packages]
    installed = subprocess.run(pip, capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"{' '.join(packages)} can't be installed here: {installed.stderr[-300:]}")


def run(python, *arguments, stdin=None):
    """A command of that Python, which finds `tkit_edge` and nothing else of ours."""
    environment = {"PYTHONPATH": str(EDGE), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [python, *map(str, arguments)], env=environment, input=stdin, capture_output=True, text=True, timeout=300
    )
