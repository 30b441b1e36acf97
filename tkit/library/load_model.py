"""Loads a model that was saved while it is made smaller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras


def load_model(path: str | Path, **keywords: Any) -> keras.Model:
    """A model that `model.save` wrote in mid-training, with its optimizer's state where it was compiled.

    It is `keras.saving.load_model` with tkit's layers registered; of a file that isn't your own, know that Keras runs
    what its `safe_mode` lets pass.

    Args:
        path: of the .keras file.
        keywords: of `keras.saving.load_model`.

    Example:
        >>> model = tkit.load_model("checkpoint.keras")
        >>> model.fit(x, y, initial_epoch=3, epochs=5, callbacks=[tkit.Schedule()])
    """
    import tkit.layers  # noqa: F401  # which registers them

    return keras.saving.load_model(path, **keywords)
