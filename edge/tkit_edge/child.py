"""A child process with limits, in which files from elsewhere are opened: what they break is not the user's process.

`Child` is the parent's end: it asks, over a pipe, one question at a time. `confine` and `serve` are the other end's.
A question or an answer is a JSON object and raw bytes. Neither end trusts the other to stop: a question has a time
limit, an answer a size limit, and the limits of memory, files and core dumps are the operating system's.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import multiprocessing
import os
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from tkit_edge.errors import InputError, TkitError

ANSWER_BYTES = 1 << 20
"""Of an answer's JSON, where the question has no limit of its own."""
MAX_WRITTEN = 1 << 20
"""Bytes of any file that the child writes; of its notes on standard error, for one."""
_QUESTION_BYTES = 1 << 30
_MESSAGE_CHARACTERS = 2000  # of an error's text that are shown
_PR_SET_PDEATHSIG = 1
_GRACE = 2.0  # seconds in which a child that has closed its pipe must end


def interpreter() -> list[str]:
    """The command that starts Python for a child: this Python, or what the environment variable TKIT_EDGE_PYTHON has.

    It is for systems that can't start this Python by its path alone: an emulated one, say, that the kernel has no
    binfmt_misc entry for.
    """
    return shlex.split(os.environ.get("TKIT_EDGE_PYTHON", "")) or [sys.executable]


class CrashError(InputError):
    """A signal ended the process: what it was asked to do crashes native code."""

    def __init__(self, message: str, signal: str) -> None:
        super().__init__(message)
        self.signal = signal
        """Its name, such as SIGSEGV."""


class Child:
    """A process that runs a module's `serve`; a context manager, whose exit ends the process.

    Args:
        module: what to run, as `python -m` takes it. It is imported from where the parent imports: not from the
            working folder, which may be the stranger's.
        arguments: for its command line, behind the pipe's descriptor.
        name: what messages call the file in question.
        timeout: seconds that one answer may take.
    """

    def __init__(self, module: str, arguments: Sequence[str], name: str, timeout: float) -> None:
        self.name = name
        self.timeout = timeout
        self._late = False
        # Libraries write their own notes to standard error; they are of interest where the process fails.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._connection, theirs = multiprocessing.Pipe()
        paths = [path for path in sys.path if path]
        start = f"import sys; sys.path[:] = {paths!r}; "
        if threading.current_thread() is threading.main_thread():  # Linux means the parent's thread, not the process
            start += "from tkit_edge import child; child.end_with_parent(); "
        start += f"import runpy; runpy.run_module({module!r}, run_name='__main__')"
        self.process = subprocess.Popen(
            [*interpreter(), "-c", start, str(theirs.fileno()), *arguments],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )
        theirs.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._connection.close()
        self._errors.close()

    def ask(
        self,
        question: str,
        payload: bytes | memoryview = b"",
        *,
        answer_limit: int = ANSWER_BYTES,
        payload_limit: int = 0,
        **arguments: Any,
    ) -> tuple[Any, bytes]:
        """The answer to a question: a JSON value and bytes. Their form is the caller's to check.

        Args:
            question: a name that the module serves.
            payload: bytes that go with it.
            answer_limit: bytes that the answer's JSON may have.
            payload_limit: bytes that the answer's own bytes may have.
            arguments: JSON values.

        Raises:
            InputError: the child refuses the file, takes longer than the timeout or answers nonsense.
            CrashError: it crashes.
        """
        # Ending the child ends every call on the pipe, also one that has got or given half a message.
        watch = threading.Timer(self.timeout, self._end)
        watch.daemon = True
        watch.start()
        try:
            self._connection.send_bytes(json.dumps({"question": question, **arguments}).encode())
            self._connection.send_bytes(payload)
            answer = self._json(question, self._connection.recv_bytes(answer_limit))
            received = self._connection.recv_bytes(payload_limit)
        except (EOFError, OSError) as error:
            watch.cancel()
            raise self._ended(question) from error
        finally:
            watch.cancel()
        if "error" in answer:
            raise InputError(_printable(str(answer["error"])))
        return answer.get("value"), received

    def nonsense(self, question: str) -> InputError:
        """The error for an answer of another form than the module's own code gives."""
        return InputError(
            f"{self.name}: the process that opened it answered the question to {question} with what it never answers: "
            "the file has damaged it or taken it over. Don't use this file."
        )

    def _end(self) -> None:
        self._late = True
        self.process.kill()

    def _json(self, question: str, data: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self.nonsense(question) from error
        if not isinstance(answer, dict):
            raise self.nonsense(question)
        return answer

    def _ended(self, question: str) -> Exception:
        if self._late:
            return InputError(f"{self.name} gave no answer within {self.timeout:g} s of being asked to {question}.")
        try:
            code = self.process.wait(_GRACE)
        except subprocess.TimeoutExpired:  # it lives, and broke the pipe or sent more than it may
            self.process.kill()
            self.process.wait()
            return self.nonsense(question)
        self._errors.seek(0)
        said = self._errors.read(MAX_WRITTEN).decode(errors="replace").strip()
        if code >= 0:  # it didn't crash but stopped: a programming error, with its traceback
            return RuntimeError(f"The process for {self.name} stopped with exit code {code}.\n{said}")
        hint = " The machine may be out of memory." if -code == signal.SIGKILL else ""
        last = _printable(f" Its last words: {said.splitlines()[-1]}") if said else ""
        name = _signal(-code)
        return CrashError(f"{self.name} crashes the process that opens it ({name}, in {question}).{hint}{last}", name)


def confine(memory: int) -> None:
    """Limits this process for good; called before anything of a file, or a library that reads it, is loaded.

    No core dumps, no file longer than `MAX_WRITTEN`, `memory` bytes of address space, and the first to go when the
    machine runs out of memory. What a platform doesn't have is skipped.
    """
    _limit("RLIMIT_CORE", 0)
    _limit("RLIMIT_FSIZE", MAX_WRITTEN)
    _limit("RLIMIT_AS", memory)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


def end_with_parent() -> None:
    """Has this process killed when its parent dies, whatever it is at then: Linux, PR_SET_PDEATHSIG of prctl(2)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def serve(descriptor: int, name: str, answers: Callable[[], dict[str, Callable[..., Any]]]) -> None:
    """Answers questions until the parent goes.

    Args:
        descriptor: of the pipe's other end.
        name: what messages call the file.
        answers: makes the function for each question. It gets the question's arguments, and its bytes as `payload`
            where there are any; it returns a JSON value, or one and bytes.
    """
    connection = Connection(descriptor)
    known: dict[str, Callable[..., Any]] = {}
    while True:
        try:
            arguments = json.loads(connection.recv_bytes(_QUESTION_BYTES))
            payload = connection.recv_bytes(_QUESTION_BYTES)
        except EOFError:
            return
        sent = b""
        try:
            known = known or answers()
            given = {"payload": payload} if payload else {}
            value = known[arguments.pop("question")](**arguments, **given)
            if isinstance(value, tuple):
                value, sent = value
            reply = {"value": value}
        except TkitError as error:
            reply = {"error": str(error)}
        except MemoryError:
            reply = {"error": f"{name} needs more memory than a file may take here."}
        except (RuntimeError, ValueError) as error:
            reply = {"error": f"{name} fails when it runs: {error or type(error).__name__}"}
        connection.send_bytes(json.dumps(reply).encode())
        connection.send_bytes(sent)


def _limit(name: str, value: int) -> None:
    number = getattr(resource, name, None)
    if number is None:
        return
    highest = resource.getrlimit(number)[1]
    value = value if highest == resource.RLIM_INFINITY else min(value, highest)
    with contextlib.suppress(ValueError, OSError):  # macOS has the name of RLIMIT_AS, not the limit
        resource.setrlimit(number, (value, value))


def _signal(number: int) -> str:
    return next((item.name for item in signal.Signals if item == number), f"signal {number}")


def _printable(text: str) -> str:
    """A child's text without what could steer a terminal, and not endless."""
    kept = "".join(character if character.isprintable() or character == "\n" else "?" for character in text)
    return kept if len(kept) <= _MESSAGE_CHARACTERS else f"{kept[:_MESSAGE_CHARACTERS]} ..."
