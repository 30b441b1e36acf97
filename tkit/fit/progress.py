"""The progress of training: a bar with rate and ETA in a terminal, one line an epoch in a log file or a notebook."""

from __future__ import annotations

import time

import keras
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tkit import console

SECONDS_BETWEEN_LINES = 30.0


class TrainingProgress(keras.callbacks.Callback):
    """Says how far training is, how fast, and what it has reached."""

    def __init__(self) -> None:
        super().__init__()
        self.bar: Progress | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        """Starts the bar where one can be drawn."""
        self.began = time.perf_counter()
        self.epoch = 0
        if console.live():
            self.bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("steps  {task.fields[figures]}  ETA"),
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
        """Moves the bar; without one, a line every half minute."""
        now = time.perf_counter()
        done = batch + 1
        rate = done * self.params["batch_size"] / (now - self.epoch_began)
        if self.bar is not None:
            self.bar.update(
                self.task,
                completed=self.epoch * self.params["steps"] + done,
                description=f"epoch {self.epoch + 1}/{self.params['epochs']}",
                figures=f"{_figures(logs or {})}  {rate:,.0f} images/s",
            )
        elif now - self.said > SECONDS_BETWEEN_LINES:
            self.said = now
            console.say(f"  step {done}/{self.params['steps']}  {_figures(logs or {})}  {rate:,.0f} images/s")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """One line with the epoch's figures and the time left."""
        logs = logs or {}
        elapsed = time.perf_counter() - self.began
        left = elapsed / (epoch + 1) * (self.params["epochs"] - epoch - 1)
        width = len(str(self.params["epochs"]))
        console.say(
            f"epoch {epoch + 1:>{width}}/{self.params['epochs']}  {_figures(logs)}  "
            f"{logs.get('images_per_second', 0.0):,.0f} images/s  {_clock(left)} left"
        )

    def on_train_end(self, logs: dict | None = None) -> None:
        """Ends the bar."""
        self.stop()

    def stop(self) -> None:
        """Gives the terminal back, after an error too."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def _figures(logs: dict) -> str:
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    return "  ".join(f"{name} {float(logs[name]):.4f}" for name in names if name in logs)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
