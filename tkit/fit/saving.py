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
from tkit.fit.checkpoint import Checkpoint, Checkpoints
from tkit.fit.state import TrainingState
from tkit_edge.errors import StoppedError

SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
        self._before: Checkpoint | None = None

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
        self.raise_if_asked()
        if self.checkpoints is None:
            return
        late = self.minutes is not None and time.monotonic() - self._written >= 60 * self.minutes
        many = self.steps is not None and self.state.step - self._step >= self.steps
        if late or many:
            self._write(self.state.checkpoint(**self.facts))

    def epoch_ended(self) -> None:
        """Writes the epoch's checkpoint."""
        if self.checkpoints is not None:
            self._write(self.state.checkpoint(**self.facts))
        self.raise_if_asked()

    @contextmanager
    def restartable(self) -> Iterator[None]:
        """While inside, the state changes in ways that can't go on from the middle: a signal saves what was before."""
        self._before = None if self.checkpoints is None else self.state.checkpoint(**self.facts)
        try:
            yield
        finally:
            self._before = None

    def raise_if_asked(self) -> None:
        """Ends training with a checkpoint and StoppedError where a signal has come."""
        if self._signal is None or self.checkpoints is None:
            return
        checkpoint = self._before or self.state.checkpoint(**self.facts)
        self.checkpoints.write(checkpoint)
        done = f"{checkpoint.facts['epoch']} epochs and {checkpoint.facts['step']} steps"
        raise StoppedError(f"Stopped after {done}; all of it is saved. Go on with: {self.go_on}", self._signal)

    def _ask(self, signum: int) -> None:
        self._signal = signum

    def _write(self, checkpoint: Checkpoint) -> None:
        assert self.checkpoints is not None
        self.checkpoints.write(checkpoint)
        self._mark()

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
