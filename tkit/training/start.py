"""What passes between the command and the first training steps, by name."""

from __future__ import annotations

import time

import keras

from tkit import _quiet


class StartClock(keras.callbacks.Callback):
    """Seconds of each part of a start; `mark` ends a part, and the first two calls into TensorFlow end the last ones.

    The first call traces the train function and makes the first steps, the second makes as many: their difference is
    the tracing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = {}
        self.first_step_at: float | None = None
        self._last = time.perf_counter()
        self._calls = 0
        if _quiet.import_seconds is not None:
            self.seconds["tensorflow_import"] = _quiet.import_seconds

    def mark(self, part: str) -> None:
        """Ends the part that began at the last mark."""
        now = time.perf_counter()
        self.seconds[part] = now - self._last
        self._last = now

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        """Ends the set-up of training."""
        if self._calls == 0:
            self.mark("setup")
        self._last = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Ends a call into TensorFlow."""
        if self._calls == 0:
            self.mark("first_call")
            self.first_step_at = time.time()
        elif self._calls == 1:
            self.mark("second_call")
            self.seconds["tracing"] = max(self.seconds["first_call"] - self.seconds["second_call"], 0.0)
        self._calls += 1

    def facts(self) -> dict[str, float | None]:
        """For the manifest: rounded seconds, and when (Unix time) the first steps were done."""
        return {**{part: round(value, 3) for part, value in self.seconds.items()}, "first_step_at": self.first_step_at}
