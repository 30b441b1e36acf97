"""What `data=` may be, in its parts.

- `(x, y)`, `x` or `(x,)`: arrays; x a dict or a list of arrays for several inputs.
- A tuple of two such pairs, `(train, test)`, as `keras.datasets.mnist.load_data()` gives them; of three,
  `(train, validation, test)`, where None stands for a part that isn't there.
- A `tf.data.Dataset` or `keras.utils.PyDataset` of (x, y) or x, or a tuple of them in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tkit import console
from tkit.in_memory.arrays import Inputs, Part, part
from tkit.in_memory.datasets import IsExample, is_dataset, read
from tkit_edge.errors import InputError
from tkit_edge.text import counted
from tkit_pipelines.cache import size_text

NAMES = ("train", "validation", "test")
ONE_PASS = "one pass over the data set was recorded; what it draws at random is fixed"


class Parts(NamedTuple):
    """Examples in parts, "train" first; parts that aren't there are missing."""

    by_name: dict[str, Part]
    note: str | None
    """What of the object couldn't be recorded."""

    @property
    def labels(self) -> list[np.ndarray]:
        """Those of all parts; empty where there are none."""
        return [part.y for part in self.by_name.values() if part.y is not None]

    def mapped(self, change: Callable[[Inputs], Inputs]) -> Parts:
        """The same with other inputs."""
        return self._replace(by_name={name: Part(change(part.x), part.y) for name, part in self.by_name.items()})


def parts(data: Any, is_example: IsExample) -> Parts:
    """The examples of data in memory; a data set is read once.

    Raises:
        InputError: another object, or one that can't be read as examples.
    """
    given = _given(data)
    datasets = [item for item in given.values() if is_dataset(item)]
    if datasets:
        console.say("data: reading the data set into memory, once")
    by_name = {name: read(item, is_example) if is_dataset(item) else _pair(item) for name, item in given.items()}
    if len({part.y is None for part in by_name.values()}) > 1:
        raise InputError("Some parts of data have labels and some have none: expected (x, y) in each, or x in each.")
    if datasets:
        count = sum(part.length for part in by_name.values())
        size = sum(values.nbytes for part in by_name.values() for values in part.x.values())
        console.say(f"data: {counted(count, 'example')}, {size_text(size)}; {ONE_PASS}")
    return Parts(by_name, ONE_PASS if datasets else None)


def _given(data: Any) -> dict[str, Any]:
    """The parts by name, each as it was given."""
    if isinstance(data, (str, bytes, Path)) or data is None or callable(data):
        raise _unknown(data)
    divided = isinstance(data, tuple) or (isinstance(data, list) and all(map(is_dataset, data)))
    if not (divided and len(data) in (2, 3) and all(map(_is_part, data))):
        return {"train": data}
    train, *others = data
    if train is None:
        raise InputError("data has no training part: expected (train, test) or (train, validation, test).")
    found = dict(zip(NAMES[1:] if len(others) == 2 else NAMES[2:], others, strict=True))
    return {"train": train, **{name: item for name, item in found.items() if item is not None}}


def _is_part(item: Any) -> bool:
    return item is None or isinstance(item, tuple) or is_dataset(item)


def _pair(data: Any) -> Part:
    """(x, y), (x,) or x."""
    if isinstance(data, tuple):
        if len(data) not in (1, 2):
            raise InputError(
                f"data is a tuple of {len(data)}: expected (x, y), (x,), (train, test) or (train, validation, test) of "
                "such pairs. Weights of examples aren't recorded."
            )
        return part(data[0], data[1] if len(data) == 2 else None)
    if not isinstance(data, (dict, list)) and not np.ndim(data):
        raise _unknown(data)
    return part(data, None)


def _unknown(data: Any) -> InputError:
    return InputError(
        f"data is a {type(data).__name__}: expected a path or name, arrays (x, y), (train, test) or (train, "
        "validation, test) of such pairs, a tf.data.Dataset, a keras.utils.PyDataset, a pandas DataFrame of files and "
        "labels, or a TFDS builder."
    )
