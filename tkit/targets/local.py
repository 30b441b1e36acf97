"""This machine: tkit-edge in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

from tkit.targets._machine import Machine, Progress, Ran


class Local(Machine):
    """This machine, with the runtime that is installed here."""

    kind: Literal["local"] = "local"

    @contextmanager
    def session(self) -> Iterator[_Here]:
        """`Machine.session`."""
        yield _Here()


class _Here:
    @property
    def facts(self) -> dict[str, Any]:
        return {}

    def put(self, path: Path, formats: Sequence[str] = ()) -> str:
        return str(path)

    def edge(self, arguments: Sequence[str]) -> Ran:
        # -P: nothing is imported from the working folder, which may have come with the file.
        return run([sys.executable, "-P", "-m", "tkit_edge", *arguments])


def run(command: Sequence[str], environment: Mapping[str, str] | None = None, *, quiet: bool = False) -> Ran:
    """Runs a command of tkit-edge, here or by way of a client.

    Args:
        command: the program and its arguments.
        environment: of the process; this one's by default.
        quiet: don't show its progress.

    Returns:
        How it ended; its progress was shown as it came, its error wasn't.
    """
    progress, pipe = Progress(quiet=quiet), subprocess.PIPE
    with subprocess.Popen(list(command), stdout=pipe, stderr=pipe, env=environment) as process:
        assert process.stdout is not None and process.stderr is not None
        watching = threading.Thread(target=_read, args=(process.stderr, progress))
        watching.start()
        try:
            output = process.stdout.read()
        except BaseException:
            process.terminate()
            raise
        finally:
            watching.join()
    return Ran(process.returncode, output.decode(errors="replace"), progress.errors())


def _read(stream: IO[bytes], progress: Progress) -> None:
    for line in stream:
        progress.read(line)
