"""The progress of training: a bar with rate and ETA in a terminal, a line that is replaced in a notebook, in a log file
one line an epoch."""

from __future__ import annotations

import time

import keras
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tkit import console
from tkit_edge.outputs import Measure
from tkit_edge.text import columns
from tkit_pipelines import notebook

SECONDS_BETWEEN_LINES = 30.0


class TrainingProgress(keras.callbacks.Callback):
    """Says how far training is, how fast, and what it has reached.

    Args:
        validation: number of examples that are validated on after each epoch.
        measure: what the model is scored by; None where no example is right or wrong.
        example: what an example is called.
    """

    def __init__(self, validation: int, measure: Measure | None, example: str) -> None:
        super().__init__()
        self.validation, self.measure, self.example = validation, measure, example
        self.bar: Progress | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Starts the bar where one can be drawn."""
        self.began = time.perf_counter()
        self.epoch = 0
        if console.live():
            console.rest()
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=10),
                TextColumn("{task.fields[figures]}  ETA"),
                TimeRemainingColumn(),
                console=console.console(),
                transient=True,
            )
            total = self.params["epochs"] * self.params["steps"]
            self.task = self.bar.add_task("training", total=total, figures="")
            self.bar.start()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Notes where the epoch starts."""
        self.epoch = epoch
        self.epoch_began = self.said = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Moves the bar; without one, a line every half minute, in a notebook always."""
        now = time.perf_counter()
        done = batch + 1
        rate = done * self.params["batch_size"] / (now - self.epoch_began)
        if self.bar is not None:
            self.bar.update(
                self.task,
                completed=self.epoch * self.params["steps"] + done,
                description=f"epoch {self.epoch + 1}/{self.params['epochs']}",
                figures="  ".join([*self._running(logs or {}), f"{rate:,.0f} {self.example}s/s"]),
            )
        elif notebook.running() or now - self.said > SECONDS_BETWEEN_LINES:
            self.said = now
            step = f"epoch {self.epoch + 1}/{self.params['epochs']}  step {done}/{self.params['steps']}"
            console.progress("  ".join([step, *self._running(logs or {}), f"{rate:,.0f} {self.example}s/s"]))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """One line with the epoch's figures and the time left."""
        logs = logs or {}
        elapsed = time.perf_counter() - self.began
        left = elapsed / (epoch + 1) * (self.params["epochs"] - epoch - 1)
        digits = len(str(self.params["epochs"]))
        parts = [
            f"epoch {epoch + 1:>{digits}}/{self.params['epochs']}",
            *self._figures(logs),
            f"{logs.get('images_per_second', 0.0):,.0f} {self.example}s/s",
            f"{_clock(left)} left",
        ]
        width = console.width()
        while width is not None and columns("  ".join(parts)) > width:
            parts.pop()  # the bar shows the last ones too
        console.progress("  ".join(parts))

    def _figures(self, logs: dict) -> list[str]:
        """The epoch's scores, with the number of examples that each is of, and its losses."""
        losses = [f"{float(logs[name]):.4f}" for name in ("loss", "val_loss") if name in logs]
        found = ["loss " + "/".join(losses)] if losses else []
        if self.measure is None:
            more = ("discriminator_loss", "distance")
            return found + [f"{name.replace('_', ' ')} {float(logs[name]):.4g}" for name in more if name in logs]
        trained, key = self.params["steps"] * self.params["batch_size"], self.measure.key
        shares = (("train", key, trained), ("val", f"val_{key}", self.validation))
        scores = [
            f"{split} {self.measure.text(float(logs[name]))} of {count:,}"
            for split, name, count in shares
            if name in logs
        ]
        return scores + found

    def _running(self, logs: dict) -> list[str]:
        """What the steps of the epoch have reached so far, on training batches."""
        figures = [f"loss {float(logs['loss']):.4f}"] if "loss" in logs else []
        if self.measure is None or self.measure.key not in logs:
            return figures
        return [*figures, f"train {self.measure.text(float(logs[self.measure.key]))}"]

    def on_train_end(self, logs: dict | None = None) -> None:
        """Ends the bar."""
        self.stop()

    def stop(self) -> None:
        """Gives the terminal back, after an error too."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
