"""The folder of C files that a model becomes: program, golden samples, the .tflite file as an array, a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tkit import files
from tkit.c_code import tflite_array
from tkit.c_code.golden import golden_codes, golden_source
from tkit.c_code.program import Program, program
from tkit_edge import flatbuffer
from tkit_edge.files import read_bytes
from tkit_edge.tensors import Arrays

BUILD = "cc -std=c99 -O2 -Wall -Wextra -o test_golden test_golden.c model.c && ./test_golden"
"""Compiles and runs the golden samples on the machine at hand."""


def write_project(path: Path, name: str, folder: Path, examples: Arrays | None = None) -> dict[str, Any]:
    """Writes model.c, model.h, test_golden.c, model_tflite.c, model_tflite.h and README.md.

    Args:
        path: an int8 .tflite file.
        name: what comments call the model.
        folder: where to; it exists.
        examples: the golden samples' inputs by name, [n, ...]; None draws some at random.

    Returns:
        Figures: `line` for people, `arena_bytes`, `constant_bytes`, `golden_samples`, `tflm_operators`.

    Raises:
        InputError: as `program`, or the runtime can't run the file.
    """
    data = read_bytes(path)
    made = program(data, path.name)
    golden = golden_codes(made, path, examples)
    graph = flatbuffer.read(data, path.name)
    samples = len(next(iter(golden.inputs.values())))
    for file, content in (
        ("model.c", made.source),
        ("model.h", made.header),
        ("test_golden.c", golden_source(made, golden)),
        ("model_tflite.c", tflite_array.source(data)),
        ("model_tflite.h", tflite_array.header(data, graph)),
        ("README.md", _page(made, name, samples, drawn=examples is None)),
    ):
        files.write_bytes(folder / file, content.encode())
    return {
        "line": f"{made.arena_bytes:,} bytes of RAM, {made.constant_bytes:,} of constants; {samples} golden samples",
        "arena_bytes": made.arena_bytes,
        "constant_bytes": made.constant_bytes,
        "golden_samples": samples,
        "tflm_operators": tflite_array.methods(graph),
    }


def _page(made: Program, name: str, samples: int, drawn: bool) -> str:
    fills = "\n".join(
        f"memcpy(model_{port.name}(), {port.name}, {port.tensor.size} * sizeof(*{port.name}));" for port in made.inputs
    )
    reads = "\n".join(f"const {port.c_type} *{port.name} = model_{port.name}();" for port in made.outputs)
    origin = "drawn at random" if drawn else "of the bundle"
    return f"""\
# {name} in C

`model.c` and `model.h` are the int8 model as C99: no runtime, no heap, {made.arena_bytes:,} bytes of static RAM
(`MODEL_ARENA_BYTES`), {made.constant_bytes:,} bytes of constants. Its outputs are, byte for byte, those of LiteRT's
reference kernels. Shifts of negative numbers are taken to be arithmetic, as all compilers for microcontrollers do.

```c
#include "model.h"

{fills}
if (model_run() == 0) {{
    {reads.replace(chr(10), chr(10) + "    ")}
}}
```

The arena is used again: inputs are written before each run, outputs read before the next. `model.h` has scale and zero
point of each.

`test_golden.c` compares {samples} samples {origin}:

    {BUILD}

`-O2` is enough. On a Cortex-M4, M7 or M33, products of 16 bits are computed in pairs where the compiler is told
the processor (`-mcpu=cortex-m4`).

`model_tflite.c` and `model_tflite.h` are the .tflite file as an array, with the operators that TFLite Micro's resolver
needs; `model.c` doesn't use them.
"""
