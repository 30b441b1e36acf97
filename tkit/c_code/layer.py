"""What an operator's emitter works with: its tensors as C expressions, its constants, and the kernels it calls."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from tkit.c_code import text
from tkit.integer.fixed_point import Factor
from tkit.integer.node import Node
from tkit_edge.graph import values


@dataclass
class Parts:
    """What all operators of a program share."""

    arrays: dict[tuple[str, bytes], str] = field(default_factory=dict)
    """Names of constant arrays, by type and content: equal ones are stored once."""
    definitions: list[str] = field(default_factory=list)
    """Their C text, and that of structures."""
    kernels: set[str] = field(default_factory=set)
    """Names of the kernels that are called, and of those that these need."""


@dataclass
class Layer:
    """One operator on its way to C.

    The memory of tensor 12 is written `$12` in the code, scratch memory `$scratch`; the program puts addresses there
    once it knows them.
    """

    node: Node
    number: int
    """Its index in the file."""
    parts: Parts
    inputs: tuple[int, ...]
    """The numbers of the tensors that it reads, -1 where one is left out."""
    output: int
    scratch: int = 0
    """Bytes of scratch memory."""

    def read(self, place: int) -> str:
        """A pointer to an input: memory, or a constant array."""
        tensor = self.node.tensor(place)
        if len(tensor.data):
            return self.array(f"constant_{place}", values(tensor))
        return f"${self.inputs[place]}"

    @property
    def write(self) -> str:
        """A pointer to the output."""
        return f"${self.output}"

    def produces(self, *sizes: int) -> None:
        """Raises InputError unless the file has as many output values."""
        if math.prod(sizes) != self.node.output.size:
            raise self.node.error(f"gives {list(sizes)}; the file has {list(self.node.output.shape)}")

    def use(self, *kernels: str) -> None:
        """Adds kernels to the program, and those that they need."""
        self.parts.kernels |= set(kernels)

    def array(self, name: str, content: np.ndarray, dtype: str | None = None) -> str:
        """The name of a constant array with this content."""
        dtype = dtype or content.dtype.name
        key = dtype, content.astype(dtype).tobytes()
        if key not in self.parts.arrays:
            self.parts.arrays[key] = f"{name}_{self.number}"
            self.parts.definitions.append(text.array(f"{name}_{self.number}", content, dtype))
        return self.parts.arrays[key]

    def structure(self, kind: str, **fields: object) -> str:
        """A pointer to a constant structure."""
        name = f"{kind}_{self.number}"
        self.parts.definitions.append(text.structure(kind, name, fields))
        return f"&{name}"

    def call(self, name: str, *arguments: object) -> str:
        """A call of a kernel."""
        return f"{name}({', '.join(map(str, arguments))});"


def single(by: Factor) -> tuple[int, int]:
    """Multiplier and shift of one factor."""
    return int(by.multiplier), int(by.shift)
