"""An environment of its own for each peer, made by pip once and kept.

Peers pin TensorFlow, Keras and NumPy versions that exclude each other and tkit's.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
DONE = "complete"
"""A file in an environment whose packages are all there."""


class PeerError(Exception):
    """What a peer failed with, in one line."""


class Environments:
    """The environments in `folder`, by their packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def python(self, packages: Sequence[str], version: str | None = None) -> Path:
        """The interpreter that has `packages`; with none this process's own.

        Args:
            packages: requirements for pip.
            version: of Python, such as "3.11", where the packages don't run on this one.

        Raises:
            PeerError: no such Python, or pip failed.
        """
        if not packages:
            return Path(sys.executable)
        name = hashlib.sha256("\n".join([version or "", *packages]).encode()).hexdigest()[:12]
        folder = self.folder / f"{re.split('[^a-z-]', packages[0])[0]}-{name}"
        python = folder / "bin" / "python"
        if (folder / DONE).exists():
            return python
        base = (
            sys.executable if version in (None, "{}.{}".format(*sys.version_info)) else shutil.which(f"python{version}")
        )
        if base is None:
            raise PeerError(f"it needs Python {version}, which isn't here")
        _run([base, "-m", "venv", "--clear", str(folder)])
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages])
        (folder / DONE).touch()
        return python

    def run(self, python: Path, arguments: Sequence[str], minutes: float) -> None:
        """Runs `_peers` under one of the interpreters; its output goes to standard error.

        Raises:
            PeerError: it failed, or took longer than `minutes`.
        """
        _run([str(python), "-m", "_peers", *arguments], minutes)


def _run(command: list[str], minutes: float | None = None) -> None:
    # tkit's own path must not reach another environment.
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment |= {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    with subprocess.Popen(
        command, cwd=HERE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=None if minutes is None else 60 * minutes)
        except subprocess.TimeoutExpired:
            process.kill()
            raise PeerError(f"not done after {minutes:g} minutes") from None
    print(output, file=sys.stderr, flush=True)
    if process.returncode:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        raise PeerError(lines[-1] if lines else f"exit code {process.returncode}")
