"""A connection to another machine: OpenSSH's own client, and an agent at the other end.

The client is the user's, with its configuration, keys, agent and known hosts. One connection serves everything, and
what was brought there is gone when it ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from tkit import console
from tkit.remote import agent, client
from tkit.remote.address import Address
from tkit.remote.failures import last_line, unreachable
from tkit_edge.errors import InputError

START_SECONDS = 90
"""For the connection, the login shell and Python there."""
SILENCE_SECONDS = 60
"""After which the other end cleans up by itself."""
CLOSE_SECONDS = 20
SHOWN_BYTES = 1 << 20
"""Of a file from which on its sending is shown."""
MINIMUM_PYTHON = (3, 9)
_LINE_BYTES = 1 << 16  # of a message without its content
_NOISE_BYTES = 1 << 20  # that a login shell may print first


class Ran(NamedTuple):
    """A command that has ended there."""

    code: int
    output: bytes


class Connection:
    """A connection to a machine; a context manager, whose exit ends what runs there and deletes what was brought there.

    Args:
        address: where to.
        pythons: paths of Python there, `~/` being the home folder; the first that exists is used.
        config: the ssh configuration file; the user's own by default.

    Raises:
        InputError: the machine can't be reached, or has no Python of 3.9 or newer; with what to do.

    Example:
        >>> with Connection(Address.parse("pi@raspberrypi.local"), ["python3"]) as there:
        ...     print(there.run(["uname", "-a"], print).output)
    """

    def __init__(self, address: Address, pythons: Sequence[str], config: Path | None = None) -> None:
        self.address, self._pythons = address, pythons
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        try:
            # A session of its own: Ctrl-C is for this process, which then ends the connection in order.
            self._process = subprocess.Popen(
                client.command(address, pythons, config, SILENCE_SECONDS),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={**os.environ, "LC_ALL": "C"},
                start_new_session=True,
            )
        except FileNotFoundError as error:
            self._errors.close()
            raise InputError("OpenSSH's client isn't installed here: sudo apt install openssh-client") from error
        self._sending, self._closed, self._doing = threading.Lock(), threading.Event(), ""
        self._heart = threading.Thread(target=self._beat, daemon=True)
        try:
            self.facts = self._started()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed.set()
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.close()  # the agent cleans up and ends
        try:
            process.stdout.close()
            process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
            process.wait()
            self._errors.close()

    def put(self, source: Path, path: str) -> str:
        """Brings a file there.

        Args:
            source: the file here.
            path: where to in the folder there.

        Returns:
            Its whole path there.

        Raises:
            InputError: the disk there is full, or the connection was lost.
        """
        data = source.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if len(data) > SHOWN_BYTES:
            console.progress(f"{self.address.login}: sending {source.name}, {len(data) / 1e6:.1f} MB")
        self._doing = f"while {source.name} ({len(data):,} bytes) was sent"
        self._send({"do": "put", "path": path, "bytes": len(data), "sha256": digest}, data)
        answer, _ = self._receive()
        if "error" in answer:
            free = f", {answer['free']:,} bytes are free" if "free" in answer else ""
            raise InputError(
                f"{self.address.login}: {source.name} ({len(data):,} bytes) can't be written to "
                f"{self.facts['folder']}: {answer['error']}{free}."
            )
        if answer["sha256"] != digest:
            raise InputError(f"{self.address.login}: {source.name} arrived damaged. Try again.")
        self._doing = ""
        return f"{self.facts['folder']}/{path}"

    def run(self, command: Sequence[str], errors: Callable[[bytes], None]) -> Ran:
        """Runs a command there, in an empty folder.

        Args:
            command: its words.
            errors: is called with what it prints on standard error, as it comes.

        Raises:
            InputError: there is no such program, or the connection was lost.
        """
        self._doing = f"while {Path(command[0]).name} ran there"
        self._send({"do": "run", "command": list(command)})
        output = b""
        while True:
            answer, content = self._receive()
            if "error" in answer:
                raise InputError(f"{self.address.login}: {command[0]} can't be run: {answer['error']}.")
            if "code" in answer:
                self._doing = ""
                return Ran(answer["code"], output)
            if answer["stream"] == "output":
                output += content
            else:
                errors(content)

    def _started(self) -> dict[str, Any]:
        """Waits for Python there and sends it the agent; what the agent tells of itself."""
        late = threading.Timer(START_SECONDS, self._process.kill)
        late.daemon = True
        late.start()
        try:
            version = self._python_there()
            if version < MINIMUM_PYTHON:
                raise InputError(
                    f"{self.address.login} has Python {'.'.join(map(str, version))}; tkit-edge needs 3.9 or newer. "
                    'Install one there, and name it in devices.toml: python = "/usr/local/bin/python3.11"'
                )
            program = Path(agent.__file__).read_bytes()
            with contextlib.suppress(BrokenPipeError):  # `_receive` finds out why
                self._write(b"%d\n" % len(program), program)
            facts, _ = self._receive()
        finally:
            late.cancel()
        if "error" in facts:
            raise InputError(f"{self.address.login}: a temporary folder can't be made there: {facts['error']}.")
        self._heart.start()
        return facts

    def _python_there(self) -> tuple[int, int]:
        assert self._process.stdout is not None
        noise = b""
        while len(noise) < _NOISE_BYTES:
            line = self._process.stdout.readline(_NOISE_BYTES)
            if not line:
                break
            if line.startswith(client.MARK):
                major, minor = line.removeprefix(client.MARK).split(b".")
                return int(major), int(minor)
            noise += line
        if len(noise) >= _NOISE_BYTES:
            self._process.kill()
        code, said = self._ended()
        if code == client.NOT_FOUND:
            raise InputError(
                f"{self.address.login} has no Python ({' or '.join(self._pythons)}). Install it: "
                f"{self.address.command()} sudo apt install python3; or name another in devices.toml: "
                'python = "/path/python3"'
            )
        if code == client.FAILED:
            raise InputError(unreachable(said, self.address))
        if code < 0:
            raise InputError(f"{self.address.login} didn't start Python within {START_SECONDS} seconds.")
        answer = last_line(said if said.strip() else noise.decode(errors="replace"))
        raise InputError(f"{self.address.login} ran no shell command (exit code {code}): {answer}")

    def _send(self, message: dict[str, Any], content: bytes = b"") -> None:
        try:
            self._write(json.dumps(message).encode() + b"\n", content)
        except OSError as error:
            raise self._lost() from error

    def _write(self, *parts: bytes) -> None:
        assert self._process.stdin is not None
        with self._sending:
            for part in parts:
                self._process.stdin.write(part)
            self._process.stdin.flush()

    def _receive(self) -> tuple[dict[str, Any], bytes]:
        """A message and its content."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline(_LINE_BYTES)
        if not line.endswith(b"\n") and len(line) < _LINE_BYTES:
            raise self._lost()
        try:
            message = json.loads(line)
            size = message["bytes"]
        except (ValueError, LookupError, TypeError) as error:
            raise InputError(f"{self.address.login} sent what tkit's agent never sends: {line[:100]!r}") from error
        content = self._process.stdout.read(min(size, agent.CHUNK))
        if len(content) < size:
            raise self._lost()
        return message, content

    def _lost(self) -> InputError:
        code, said = self._ended()
        when = self._doing or "before anything was sent"
        if code == client.FAILED and not said.strip():
            killed = "or Python there was killed (out of memory?)"
            return InputError(f"The connection to {self.address.login} was lost, {killed}, {when}.")
        if code in (client.FAILED, -signal.SIGKILL):
            return InputError(f"The connection to {self.address.login} was lost {when}: {last_line(said)}")
        return InputError(f"{self.address.login} ended Python (exit code {code}) {when}: {last_line(said)}")

    def _ended(self) -> tuple[int, str]:
        """The exit code of ssh, which has closed its output, and what it printed."""
        try:
            code = self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._errors.seek(0)
        return code, self._errors.read().decode(errors="replace")

    def _beat(self) -> None:
        """Lets the other end know that this one is there."""
        with contextlib.suppress(OSError, ValueError):  # it has ended, or has been closed
            while not self._closed.wait(SILENCE_SECONDS / 4):
                self._write(b'{"do": "alive"}\n')
