"""Noise: what a generator makes an image of, and the class that it is to be of where it was trained with classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tkit_edge.errors import InputError
from tkit_edge.fields import Fields
from tkit_edge.inputs import Input
from tkit_edge.inputs.tensors import Tensors
from tkit_edge.tensors import Arrays, TensorSpec

SEEDS = 2**32
"""How many different seeds there are."""


@dataclass(frozen=True)
class Noise(Input):
    """Independent normal values of mean 0 and variance 1, float32 [size]; with classes a `label` too, int32 [].

    Args:
        size: of the latent vector.
        classes: their names; none for a generator that knows no classes.
    """

    kind = "noise"
    example = "sample"
    size: int
    classes: tuple[str, ...] = ()

    @property
    def tensors(self) -> tuple[TensorSpec, ...]:
        """The noise, and the label where there are classes."""
        noise = TensorSpec("noise", (self.size,), "float32")
        return (noise, TensorSpec("label", (), "int32")) if self.classes else (noise,)

    @property
    def sizes(self) -> Mapping[str, int]:
        """The number of classes, where there are some."""
        return {"label": len(self.classes)} if self.classes else {}

    def drawn(self, count: int, seed: int, label: str | None = None) -> Arrays:
        """The noise of `count` samples, the same on every machine; classes by turns, or all of `label`.

        Raises:
            InputError: no sample, a seed that isn't from 0 to 4,294,967,295, or a class that the model doesn't know.
        """
        if count < 1:
            raise InputError(f"Expected at least 1 sample, received {count}.")
        if not 0 <= seed < SEEDS:
            raise InputError(f"Expected a seed from 0 to {SEEDS - 1:,}, received {seed}.")
        if label is not None and label not in self.classes:
            known = ", ".join(self.classes) or "none: it was trained without them"
            raise InputError(f"{label!r} is no class of this model; it has {known}.")
        # RandomState's stream is fixed for ever, which default_rng's isn't.
        noise = np.random.RandomState(seed).standard_normal((count, self.size)).astype(np.float32)
        if not self.classes:
            return {"noise": noise}
        labels = np.arange(count) % len(self.classes) if label is None else np.full(count, self.classes.index(label))
        return {"noise": noise, "label": labels.astype(np.int32)}

    def items(self, arguments: Sequence[str]) -> Iterator[Path]:
        """Nothing: raises InputError."""
        raise InputError(
            "This model makes images of noise, so there is nothing to predict for: use `tkit sample`, "
            "on a device `tkit-edge sample`."
        )

    def read(self, item: str | Path | bytes | Arrays) -> Arrays:
        """One sample's tensors, as `tkit_edge.inputs.tensors` reads them from an .npz file."""
        return self._as_tensors.read(item)

    def encoded(self, example: Arrays) -> bytes:
        """An .npz file."""
        return self._as_tensors.encoded(example)

    def suffix(self, data: bytes) -> str:
        """Always the same."""
        return self._as_tensors.suffix(data)

    def difference(self, expected: Arrays, read: Arrays, suffix: str) -> tuple[float, bool]:
        """The largest of any value; nothing may differ."""
        return self._as_tensors.difference(expected, read, suffix)

    @property
    def _as_tensors(self) -> Tensors:
        return Tensors(self.tensors)

    def as_json(self) -> dict[str, Any]:
        """The size, and the classes."""
        return {"size": self.size, **({"classes": list(self.classes)} if self.classes else {})}

    @classmethod
    def from_json(cls, fields: Fields, folder: Path) -> Noise:
        """As `as_json` wrote it; nothing is in the folder."""
        return cls(fields.count("size"), tuple(fields.texts("classes")) if "classes" in fields.value else ())
