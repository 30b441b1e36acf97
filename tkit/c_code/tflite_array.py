"""A .tflite file as a C array, with the operators that TFLite Micro needs for it.

Source: tensorflow/lite/micro/micro_mutable_op_resolver.h of tflite-micro.
"""

from __future__ import annotations

from tkit.c_code import text
from tkit_edge.graph import Graph

_METHODS = {"BATCH_MATMUL": "AddBatchMatMul"}
"""Those that aren't made of the operator's name."""
_LACKING = ("RELU_N1_TO_1",)


def methods(graph: Graph) -> list[str]:
    """The methods of `MicroMutableOpResolver` that register a graph's operators, in alphabetical order."""
    return sorted({_method(operator.name) for operator in graph.operators if operator.name not in _LACKING})


def lacking(graph: Graph) -> list[str]:
    """The operators of a graph that TFLite Micro doesn't have, of those that C can be written for."""
    return sorted({operator.name for operator in graph.operators if operator.name in _LACKING})


def source(data: bytes) -> str:
    """`model_tflite.c`."""
    values = text.wrapped([f"0x{byte:02x}" for byte in data])
    return f"""\
/* The .tflite file. Made by tkit. */
#include "model_tflite.h"

#if defined(__GNUC__)
__attribute__((aligned(16)))
#endif
const unsigned char model_tflite[MODEL_TFLITE_BYTES] = {{
{values}
}};
"""


def header(data: bytes, graph: Graph) -> str:
    """`model_tflite.h`."""
    names = methods(graph)
    calls = "\n".join(f"     resolver.{name}();" for name in names)
    missing = "".join(f"\n   TFLite Micro has no {name}." for name in lacking(graph))
    return f"""\
/* The .tflite file as an array, for TFLite Micro. Made by tkit. Its operators:

     tflite::MicroMutableOpResolver<MODEL_TFLITE_OPERATORS> resolver;
{calls}
{missing}*/
#ifndef MODEL_TFLITE_H
#define MODEL_TFLITE_H

#define MODEL_TFLITE_BYTES {len(data)}
#define MODEL_TFLITE_OPERATORS {len(names)}

#ifdef __cplusplus
extern "C" {{
#endif

extern const unsigned char model_tflite[MODEL_TFLITE_BYTES];

#ifdef __cplusplus
}}
#endif

#endif
"""


def _method(operator: str) -> str:
    parts = (part if part[:1].isdigit() else part.capitalize() for part in operator.split("_"))
    return _METHODS.get(operator, f"Add{''.join(parts)}")
