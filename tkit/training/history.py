"""history.csv: one row an epoch, written as training goes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import keras


class HistoryFile(keras.callbacks.Callback):
    """Appends each epoch's figures to a CSV file, its header first; begins with the rows of the epochs already done."""

    def __init__(self, path: Path, done: Sequence[dict[str, float]] = ()) -> None:
        super().__init__()
        self.path = path
        path.unlink(missing_ok=True)
        for epoch, row in enumerate(done):
            self.on_epoch_end(epoch, row)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Adds the epoch's row."""
        row = {"epoch": epoch + 1, **dict(sorted((logs or {}).items()))}  # Keras sorts them too
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)
