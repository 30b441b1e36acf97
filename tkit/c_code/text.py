"""Pieces of C text: names, arrays, nested loops."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files

import numpy as np

_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "bool": "uint8_t",
    "int32": "int32_t",
    "float32": "float",
    "float64": "double",
}
TYPES = tuple(_TYPES)
_KEYWORDS = """
    auto break case char const continue default do double else enum extern float for goto if inline int long register
    restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
"""
_WIDTH = 116


def c_type(dtype: str) -> str:
    """The C type of a tensor's type, one of `TYPES`."""
    return _TYPES[dtype]


def identifier(text: str) -> str:
    """A C identifier made of a name."""
    found = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_")
    return f"{found}_" if found in _KEYWORDS.split() else found if found[:1].isalpha() else f"x{found}"


def comment(text: str) -> str:
    """Text that can't end a C comment."""
    return re.sub(r"[^ -~]", "?", text).replace("*/", "* /")


def array(name: str, values: np.ndarray, dtype: str) -> str:
    """The definition of a constant array."""
    flat = values.reshape(-1)
    shown = [float(value).hex() for value in flat] if dtype.startswith("float") else [str(value) for value in flat]
    shown = [f"{item}f" if dtype == "float32" else item for item in shown]
    if dtype == "int32":  # -2147483648 is no int32_t constant in C
        shown = ["INT32_MIN" if item == "-2147483648" else item for item in shown]
    aligned = " ALIGNED" if dtype == "int8" else ""  # words are loaded of them
    return f"static const {c_type(dtype)} {name}[{len(shown)}]{aligned} = {{\n{wrapped(shown)}\n}};\n"


def wrapped(items: Sequence[str]) -> str:
    """Items with commas in indented lines."""
    lines, line = [], ""
    for item in items:
        if len(line) + len(item) + 2 > _WIDTH:
            lines.append(line)
            line = ""
        line += f" {item}," if line else f"{item},"
    return "\n".join(f"    {line}" for line in (*lines, line))


def loops(sizes: Sequence[int], body: str, names: str = "ijklmnop", braces: bool = False) -> str:
    """Loops over axes, the last innermost; an axis of one has none, as in `offset`.

    Args:
        sizes: the axes' sizes.
        body: what is repeated; several statements need `braces`.
        names: the axes' variables.
    """
    lines, depth = [], 0
    for name, size in zip(names, sizes, strict=False):
        if size > 1:
            lines.append(f"{'    ' * depth}for (int {name} = 0; {name} < {size}; {name}++)")
            depth += 1
    inner = [f"{'    ' * depth}{line}" for line in body.splitlines()]
    if braces:
        inner = [f"{'    ' * depth}{{", *(f"    {line}" for line in inner), f"{'    ' * depth}}}"]
    return "\n".join((*lines, *inner))


def offset(sizes: Sequence[int], strides: Sequence[int], start: int = 0, names: str = "ijklmnop") -> str:
    """An element's index in the variables of `loops`."""
    terms = [
        name if stride == 1 else f"{name} * {stride}" if stride > 0 else f"{name} * ({stride})"
        for name, size, stride in zip(names, sizes, strides, strict=False)
        if size > 1 and stride
    ]
    return " + ".join([*([str(start)] if start or not terms else []), *terms])


def structure(kind: str, name: str, fields: dict[str, object]) -> str:
    """The definition of a constant structure."""
    items = wrapped([f".{field} = {value}" for field, value in fields.items()])
    return f"static const struct {kind} {name} = {{\n{items}\n}};\n"


def kernel(name: str) -> str:
    """The C text of a kernel, of `tkit/c_code/kernels`."""
    return files("tkit.c_code").joinpath("kernels", f"{name}.c").read_text(encoding="utf-8")
