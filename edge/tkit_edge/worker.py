"""The process that runs one model file in one configuration, so that its times and its memory are its own.

`Worker` is the parent's end: it asks, over a pipe, one question at a time. `python -m tkit_edge.worker` is
the other end. Questions and answers are JSON objects.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from tkit_edge import runtime
from tkit_edge.accuracy import read_test
from tkit_edge.errors import InputError, TkitError

_SEED = 0  # of the inputs that the timed runs see


class Worker:
    """A process for one file, thread count and kernel set; a context manager, whose exit ends the process.

    Args:
        path: the .tflite file, already checked for damage.
        threads: how many the kernels may use.
        kernels: a name of `runtime.KERNELS`.
        timeout: seconds that one answer may take.
    """

    def __init__(self, path: Path, threads: int, kernels: str, timeout: float) -> None:
        self.path = path
        self.timeout = timeout
        # The runtime writes its own notes to standard error; they are of interest where the process fails.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._connection, theirs = multiprocessing.Pipe()
        arguments = [str(theirs.fileno()), str(path), str(threads), kernels]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tkit_edge.worker", *arguments],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )
        theirs.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._connection.close()
        self._errors.close()

    def ask(self, question: str, **arguments: Any) -> Any:
        """The answer to one of the questions of `Session`.

        Raises:
            InputError: the file can't be run, crashes the runtime, or takes longer than the timeout.
        """
        try:
            self._connection.send_bytes(json.dumps({"question": question, **arguments}).encode())
            if not self._connection.poll(self.timeout):
                raise InputError(f"{self.path} gave no answer within {self.timeout:g} s of being asked to {question}.")
            answer = json.loads(self._connection.recv_bytes())
        except (EOFError, OSError) as error:
            raise self._ended(question) from error
        if "error" in answer:
            raise InputError(answer["error"])
        return answer["value"]

    def _ended(self, question: str) -> Exception:
        code = self.process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()
        if code >= 0:  # it didn't crash but stopped: a programming error, with its traceback
            return RuntimeError(f"The worker for {self.path} stopped with exit code {code}.\n{said}")
        hint = " The machine may be out of memory." if -code == signal.SIGKILL else ""
        last = f" Its last words: {said.splitlines()[-1]}" if said else ""
        return InputError(f"{self.path} crashes the runtime ({signal.Signals(-code).name}, in {question}).{hint}{last}")


class Session:
    """The process's own end: the interpreter, and an answer for each question."""

    def __init__(self, path: str, threads: int, kernels: str) -> None:
        self.path, self.threads, self.kernels = path, threads, kernels
        self._interpreter: Any = None
        self._model: runtime.Model | None = None
        self._test: tuple[np.ndarray, np.ndarray] | None = None
        runtime.find()  # imported before anything is measured

    def start(self) -> None:
        """Answers once the process is up."""

    def load(self) -> dict[str, float]:
        """Loads the file and runs it once; times in ms, memory in bytes."""
        before = peak_memory()
        began = time.perf_counter_ns()
        self._interpreter = runtime.interpreter(self.path, self.threads, self.kernels)
        loaded = time.perf_counter_ns()
        self._fill_inputs()
        first = self.run(seconds=0.0, runs=1)[0]
        peak = peak_memory()
        return {
            **{"load_ms": (loaded - began) / 1e6, "first_ms": first / 1e6},
            **{"peak_memory": peak, "model_memory": peak - before},
        }

    def run(self, seconds: float, runs: int) -> list[int]:
        """Times of single runs in ns, for so many seconds and at least so many runs."""
        times: list[int] = []
        invoke, clock = self._interpreter.invoke, time.perf_counter_ns
        end = clock() + int(seconds * 1e9)
        while len(times) < runs or clock() < end:
            began = clock()
            invoke()
            times.append(clock() - began)
        return times

    def classify(self, test: str, start: int, stop: int) -> list[int]:
        """The top-1 classes of the test pictures from `start` to `stop`."""
        if self._model is None or self._test is None:
            self._model = runtime.Model(self.path, self.threads, self.kernels)
            self._test = read_test(Path(test))
        return self._model.predict(self._test[0][start:stop]).argmax(axis=1).tolist()

    def _fill_inputs(self) -> None:
        random = np.random.default_rng(_SEED)
        for item in self._interpreter.get_input_details():
            dtype, shape = np.dtype(item["dtype"]), item["shape"]
            if dtype.kind == "f":
                values = random.uniform(0, 255, shape)
            elif dtype.kind in "iu" and item["quantization"][0]:
                limits = np.iinfo(dtype)
                values = random.integers(limits.min, limits.max, shape, dtype, endpoint=True)
            else:  # numbers of words and the like: 0 is always one
                values = np.zeros(shape, dtype)
            self._interpreter.set_tensor(item["index"], values.astype(dtype))


def peak_memory() -> int:
    """The most memory that this process has had resident, in bytes."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            # Not ru_maxrss, which on Linux begins with what the parent had when it forked.
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def serve(descriptor: int, path: str, threads: int, kernels: str) -> None:
    """Answers questions until the parent goes."""
    connection = Connection(descriptor)
    session = Session(path, threads, kernels)
    answers: dict[str, Callable[..., Any]] = {
        **{"start": session.start, "load": session.load},
        **{"run": session.run, "classify": session.classify},
    }
    while True:
        try:
            arguments = json.loads(connection.recv_bytes())
        except EOFError:
            return
        try:
            reply = {"value": answers[arguments.pop("question")](**arguments)}
        except TkitError as error:
            reply = {"error": str(error)}
        except (RuntimeError, ValueError, MemoryError) as error:
            reply = {"error": f"{path} fails when it runs: {error or type(error).__name__}"}
        connection.send_bytes(json.dumps(reply).encode())


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
