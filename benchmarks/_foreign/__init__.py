"""Models as Keras users write them, and the whole way of one of them through tkit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

Output = Literal["logits", "softmax", "sigmoid", "logit"]


class Entry(NamedTuple):
    """One model of the list."""

    name: str
    build: Callable[[], Any]
    """Makes the Keras model, with automatic names as users leave them."""
    kinds: tuple[str, ...] = ()
    """The layer classes that the model stands for in the matrix; empty for a style or a whole network."""
    trained: bool = False
    """Whether it is trained for some seconds, so that accuracy means something."""
    output: Output = "logits"
    """What the model outputs: `sigmoid` and `logit` are a single score of two classes."""
    classes: int = 3
    pixels: str | None = None
    """What --pixels is given, where the model doesn't begin with its own scaling of raw pixels."""
    finish: Callable[[Any], Any] = lambda model: model
    """What is done to the model between training and saving."""
    file: str = "model.keras"
    """The name that it is saved under; the suffix decides the format."""
    large: bool = False
    """A network whose whole way takes minutes."""


def entries() -> dict[str, Entry]:
    """All models, by name."""
    from _foreign import applications, layers_1d, layers_2d, layers_other, networks, styles, tutorials

    modules = (layers_2d, layers_1d, layers_other, styles, tutorials, networks, applications)
    found = [entry for module in modules for entry in module.ENTRIES]
    names = [entry.name for entry in found]
    assert len(set(names)) == len(names), "two models of one name"
    return {entry.name: entry for entry in found}
