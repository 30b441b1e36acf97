"""Keras's file formats, and the pixel ranges of their models."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Pixels = Literal["0-255", "0-1", "-1-1", "caffe", "torch"]
PIXELS_CHOICES = (
    "--pixels 0-255 (raw bytes), --pixels 0-1 (divided by 255), --pixels=-1-1 (divided by 127.5, less 1), "
    "--pixels caffe or --pixels torch (the modes of keras.applications' preprocess_input)"
)
SUFFIXES = (".keras", ".h5", ".hdf5")


def is_model(path: Path) -> bool:
    """Whether this is a Keras model: a .keras or .h5 file, in upper or lower case, or the folder of a SavedModel."""
    return path.suffix.lower() in SUFFIXES or (path / "saved_model.pb").is_file()
