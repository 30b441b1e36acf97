"""When checkpoints are written, and how a signal ends training: with one, so that the run can go on."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tkit import console
from tkit.training.checkpoint import Checkpoint, Checkpoints
from tkit.training.state import TrainingState
from tkit_edge.errors import StoppedError
from tkit_edge.text import counted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Asked(Exception):
    """A signal came during validation."""


class Saving:
    """Writes a training's checkpoints: at each epoch's end, every N steps and M minutes, and when a signal comes.

    Args:
        checkpoints: where; None for nowhere.
        steps: between two checkpoints; None for no such rule.
        minutes: likewise.
        facts: what is put into each checkpoint beside the state.
        start: the checkpoint that training goes on from.
        go_on: the command that goes on with this training, for the message after a signal.
    """

    def __init__(
        self,
        checkpoints: Checkpoints | None,
        *,
        steps: int | None,
        minutes: float | None,
        facts: dict[str, Any],
        start: Checkpoint | None,
        go_on: str,
    ) -> None:
        self.checkpoints, self.steps, self.minutes = checkpoints, steps, minutes
        self.facts, self.start, self.go_on = facts, start, go_on
        self._signal: int | None = None

    @classmethod
    def nowhere(cls) -> Saving:
        """No checkpoints, and signals as they are."""
        return cls(None, steps=None, minutes=None, facts={}, start=None, go_on="")

    @contextmanager
    def of(self, state: TrainingState) -> Iterator[None]:
        """Begins to save `state`, restored from `start`; until the end of the block, signals end training in order."""
        self.state = state
        if self.start is not None:
            state.restore(self.start)
        self._mark()
        if self.checkpoints is None:
            yield
            return
        with _signals(self._ask):
            yield

    def steps_done(self) -> None:
        """Writes a checkpoint where one is due, or a signal has come."""
        late = self.minutes is not None and time.monotonic() - self._written >= 60 * self.minutes
        many = self.steps is not None and self.state.step - self._step >= self.steps
        if late or many or self._signal is not None:
            self._write()

    def epoch_ended(self) -> None:
        """Writes the epoch's checkpoint."""
        self._write()

    @contextmanager
    def validation(self) -> Iterator[None]:
        """While inside, the metrics are the validation's, and a signal ends it: a checkpoint before it is written."""
        before = self.state.metrics()
        try:
            yield
        except _Asked:
            self.state.set_metrics(before)
            self._write()

    def raise_if_asked(self) -> None:
        """Ends the validation where a signal has come."""
        if self._signal is not None:
            raise _Asked

    def _ask(self, signum: int) -> None:
        self._signal = signum

    def _write(self) -> None:
        """A checkpoint; after a signal the last one, which ends training."""
        if self.checkpoints is None:
            return
        self.checkpoints.write(self.state.checkpoint(**self.facts))
        self._mark()
        if self._signal is not None:
            done = f"{counted(self.state.epoch, 'epoch')} and {counted(self.state.step, 'step')}"
            raise StoppedError(f"Stopped after {done}; all of it is saved. Go on with: {self.go_on}", self._signal)

    def _mark(self) -> None:
        self._written, self._step = time.monotonic(), self.state.step


@contextmanager
def _signals(ask: Any) -> Iterator[None]:
    """The first SIGINT or SIGTERM calls `ask(signum)`, the second ends the process at once.

    A thread hears of signals through a socket, because Python's own handlers wait for the call into TensorFlow to end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)

    def listen() -> None:
        first = True
        while received := ours.recv(1):
            signum = received[0]
            if signum not in SIGNALS:
                continue
            if not first:
                os._exit(128 + signum)
            first = False
            ask(signum)
            console.say("Stopping: the checkpoint is being written. Once more to stop at once, without it.")

    before = {signum: signal.signal(signum, lambda *_: None) for signum in SIGNALS}
    woken = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(woken)
        for signum, handler in before.items():
            signal.signal(signum, handler)
        theirs.close()  # ends the listener
        listener.join()
        ours.close()
