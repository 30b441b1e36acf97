"""What runs on the other machine while tkit is connected: it takes files, runs commands and cleans up after itself.

`connection` sends this file's text to the Python there, 3.9 or newer; it needs the standard library alone. Both ends
send messages: a line of JSON, followed by as many raw bytes as its "bytes" tells. The arguments are the number of
seconds that the other end may be silent, and the path by which this Python was started.

All files are in one new temporary folder. When the connection ends, in whatever way, or has been silent for too long,
the command that runs is ended and the folder is deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import selectors
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator
from importlib import metadata
from typing import Any, NoReturn

PACKAGES = ("numpy", "ai-edge-litert", "tflite-runtime", "pillow")
CHUNK = 1 << 16
SIGNALS = (signal.SIGALRM, signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
"""Of too long a silence, and of whoever ends this process."""
GRACE = 2.0
"""Seconds in which a process that is told to end may clean up."""


class Gone(BaseException):
    """The other end has gone or is silent, or a signal ends this process."""


class Agent:
    """This end of the connection: messages on descriptors 0 and 1."""

    def __init__(self, silence: int) -> None:
        self.silence = silence
        self.folder = ""
        self.buffer = b""
        self.output = os.dup(1)
        os.dup2(2, 1)  # so that nothing but messages is sent as messages

    def serve(self) -> None:
        """Answers until the other end goes."""
        try:
            self.folder = tempfile.mkdtemp(prefix="tkit-")
            self.send(facts(self.folder))
            while True:
                message = json.loads(self.line())
                if message["do"] == "put":
                    self.put(**message)
                elif message["do"] == "run":
                    self.run(message["command"])
        except OSError as error:
            self.send({"error": error.strerror})
        finally:
            ignore_signals()
            shutil.rmtree(self.folder, ignore_errors=True)

    def put(self, path: str, bytes: int, sha256: str, do: str) -> None:
        """Writes a file whose content follows, and confirms that it is whole."""
        digest, parts = hashlib.sha256(), self.content(bytes)
        try:
            target = os.path.join(self.folder, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                for part in parts:
                    digest.update(part)
                    file.write(part)
        except OSError as error:  # a full disk
            deque(parts, 0)  # they are on their way
            return self.send({"error": error.strerror, "free": shutil.disk_usage(self.folder).free})
        self.send({"sha256": digest.hexdigest()})

    def run(self, command: list[str]) -> None:
        """Runs a command in an empty folder; sends what it prints as it comes, then its exit code."""
        empty = tempfile.mkdtemp(dir=self.folder)
        variables = {**os.environ, "TMPDIR": empty}
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, cwd=empty, env=variables,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return self.send({"error": error.strerror})
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(0, selectors.EVENT_READ)
                selector.register(process.stdout, selectors.EVENT_READ, "output")  # type: ignore[arg-type]
                selector.register(process.stderr, selectors.EVENT_READ, "errors")  # type: ignore[arg-type]
                while len(selector.get_map()) > 1:
                    for key, _ in selector.select():
                        if key.data is None:
                            self.hear()
                        elif data := os.read(key.fd, CHUNK):
                            self.send({"stream": key.data}, data)
                        else:
                            selector.unregister(key.fileobj)
            self.send({"code": process.wait()})
        finally:
            end(process)

    def send(self, message: dict[str, Any], content: bytes = b"") -> None:
        """Sends a message."""
        data = json.dumps({**message, "bytes": len(content)}).encode() + b"\n" + content
        while data:
            data = data[os.write(self.output, data) :]

    def line(self) -> bytes:
        """The next message's JSON."""
        while b"\n" not in self.buffer:
            self.hear()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line

    def content(self, size: int) -> Iterator[bytes]:
        """The bytes that follow a message, in parts."""
        while size:
            if not self.buffer:
                self.hear()
            part, self.buffer = self.buffer[:size], self.buffer[size:]
            size -= len(part)
            yield part

    def hear(self) -> None:
        """Waits for more; each time, the other end may be silent anew."""
        data = os.read(0, CHUNK)
        if not data:
            leave()
        signal.alarm(self.silence)
        self.buffer += data


def facts(folder: str) -> dict[str, Any]:
    """This machine and this Python."""
    return {
        "folder": folder,
        "home": os.path.expanduser("~"),
        "python": platform.python_version(),
        "executable": sys.argv[2],  # not sys.executable: it may be started by a script, which is to start it again
        "system": platform.system(),
        "machine": platform.machine(),
        "bits": 8 * struct.calcsize("P"),  # of Python: a 64-bit kernel may run a 32-bit system
        "packages": {name: version for name in PACKAGES if (version := version_of(name))},
        "pid": os.getpid(),
    }


def version_of(package: str) -> str | None:
    """An installed package's version."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process and those that it has started, which may clean up first."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def leave(*signal_and_frame: Any) -> NoReturn:
    """Begins to clean up; a signal's handler."""
    ignore_signals()
    raise Gone


def ignore_signals() -> None:
    """From now on, so that nothing interrupts the cleaning up."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def main() -> None:
    """Serves until the other end goes."""
    agent = Agent(silence=int(sys.argv[1]))
    for number in SIGNALS:
        signal.signal(number, leave)
    signal.alarm(agent.silence)
    with contextlib.suppress(Gone, OSError):  # OSError: there is nobody to send to
        agent.serve()


if __name__ == "__main__":
    main()
