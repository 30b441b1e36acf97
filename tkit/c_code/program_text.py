"""The text of `model.c` and `model.h`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from tkit.c_code import text
from tkit.c_code.layer import Parts
from tkit.c_code.steps import Step
from tkit_edge.graph import Tensor

_ORDER = (
    "rescale",
    "pairs",
    "dot_one",
    "dot_two",
    "patch",
    "output_channels",
    "convolution",
    "depthwise",
    "transpose_convolution",
    "fully_connected",
    "batch_matmul",
    "addition",
    "multiplication",
    "pools",
    "softmax",
    "gather",
    "floats",
)
"""Kernels, each after those that it needs."""
_INLINE = """\
#if defined(__GNUC__)
#define INLINE inline __attribute__((always_inline))
#define NO_INLINE __attribute__((noinline))
#define ALIGNED __attribute__((aligned(4)))
#else
#define INLINE inline
#define NO_INLINE
#define ALIGNED
#endif
"""
_ARENA = """\
static union {
    int8_t bytes[MODEL_ARENA_BYTES];
    int32_t words[MODEL_ARENA_BYTES / 4];
    float reals[MODEL_ARENA_BYTES / 4];
    uint64_t fours[MODEL_ARENA_BYTES / 8];
} arena;
"""


class Port(NamedTuple):
    """An input or output of the program."""

    name: str
    """The function that returns a pointer to it is `model_<name>`."""
    number: int
    """Of its tensor."""
    tensor: Tensor
    address: str
    """A C expression."""

    @property
    def c_type(self) -> str:
        """The C type of its values."""
        return text.c_type(self.tensor.dtype)


def source(name: str, parts: Parts, functions: Sequence[tuple[str, str]], ports: Sequence[Port]) -> str:
    """`model.c`.

    Args:
        name: the .tflite file's.
        parts: constants and kernels.
        functions: of each operator its definition and its call.
        ports: inputs and outputs.
    """
    code = "\n".join(definition for definition, _ in functions)
    calls = "\n".join(f"    {call}" for _, call in functions)
    pointers = "\n".join(f"{_prototype(port)}\n{{\n    return {port.address};\n}}\n" for port in ports)
    return "\n".join(
        [
            f"/* {text.comment(name)}: byte for byte what LiteRT's reference kernels compute. Made by tkit. */",
            '#include "model.h"\n\n#include <string.h>\n',
            _INLINE,
            *(text.kernel(kernel) for kernel in _ORDER if kernel in parts.kernels),
            *parts.definitions,
            _ARENA,
            code,
            pointers,
            f"int model_run(void)\n{{\n{calls}\n    return 0;\n}}\n",
        ]
    )


def header(name: str, inputs: Sequence[Port], outputs: Sequence[Port], arena: int) -> str:
    """`model.h`."""
    parts = [
        f"/* {text.comment(name)} as C. Made by tkit. */",
        "#ifndef MODEL_H\n#define MODEL_H\n\n#include <stdint.h>\n",
        '#ifdef __cplusplus\nextern "C" {\n#endif\n',
        "/* Static memory for all that is computed, inputs and outputs included. */",
        f"#define MODEL_ARENA_BYTES {arena}\n",
    ]
    for port in (*inputs, *outputs):
        parts.append(f"/* {'Input' if port in inputs else 'Output'} {_described(port)} */")
        parts.append(_constants(port))
        parts.append(f"{_prototype(port)};\n")
    parts += [
        "/* Computes the outputs from the inputs, which have to be written before each call: their memory is used",
        "   again. Returns 0, or -1 where an id is outside its table. */",
        "int model_run(void);\n",
        "#ifdef __cplusplus\n}\n#endif\n\n#endif\n",
    ]
    return "\n".join(parts)


def function(step: Step, output: Tensor, pointers: Sequence[str], body: str) -> tuple[str, str]:
    """An operator's function, and its call in `model_run`."""
    code = re.sub(r"\$(\d+)", r"t\1", body).replace("$scratch", "scratch")
    fails = "return -1" in code
    lines = [*pointers, *code.splitlines(), *(["return 0;"] if fails else [])]
    inside = "\n".join(f"    {line}" for line in lines)
    title = text.comment(f"{step.node.operator.name} {list(output.shape)} {output.name}")
    name = f"operator_{step.number}"
    call = f"if ({name}())\n        return -1;" if fails else f"{name}();"
    return f"/* {title} */\nstatic {'int' if fails else 'void'} {name}(void)\n{{\n{inside}\n}}\n", call


def _prototype(port: Port) -> str:
    return f"{port.c_type} *model_{port.name}(void)"


def _described(port: Port) -> str:
    tensor = port.tensor
    shown = f"{text.comment(port.name)} {list(tensor.shape)}, {tensor.dtype}"
    if len(tensor.scales):
        return f"{shown}: value = scale * (code - zero point)"
    return shown


def _constants(port: Port) -> str:
    tensor, prefix = port.tensor, f"MODEL_{port.name.upper()}"
    lines = [f"#define {prefix}_SIZE {tensor.size}"]
    if len(tensor.scales) == 1:
        lines += [
            f"#define {prefix}_SCALE {float(tensor.scales[0])!r}f",
            f"#define {prefix}_ZERO_POINT ({int(tensor.zero_points[0])})",
        ]
    return "\n".join(lines)
