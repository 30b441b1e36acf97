"""history.csv: one row an epoch, written as training goes."""

from __future__ import annotations

import csv
from pathlib import Path

import keras


class HistoryFile(keras.callbacks.Callback):
    """Appends each epoch's figures to a CSV file, its header first."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Adds the epoch's row."""
        row = {"epoch": epoch + 1, **(logs or {})}
        with open(self.path, "a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)
