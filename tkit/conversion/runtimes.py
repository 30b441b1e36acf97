"""Which release of the runtime has which versions of each operator, and what of a file an older one lacks.

Measured: in each release from PyPI, for each operator and version, a file that names it was loaded. `tflite-runtime` up
to 2.14 goes on as `ai-edge-litert` from 1.0 on (1.1.0 loads no file at all). TensorFlow's own table
(lite/tools/versioning/runtime_version.cc), which `min_runtime_version` in a file's metadata comes from, names some
releases too early: version 4 of SELECT came with 2.14, not 2.12, version 7 of CONV_2D with 2.12, not 2.11.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

_MEASURED = """
2.7.0
    ADD_N ASSIGN_VARIABLE BROADCAST_ARGS CALL_ONCE CEIL COMPLEX_ABS CONV_3D CONV_3D_TRANSPOSE COS CUMSUM DENSIFY
    ELU EMBEDDING_LOOKUP_SPARSE EXP EXPAND_DIMS FLOOR FLOOR_MOD HARD_SWISH HASHTABLE HASHTABLE_FIND
    HASHTABLE_IMPORT HASHTABLE_LOOKUP HASHTABLE_SIZE IF IMAG L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOG
    LOGICAL_AND LOGICAL_NOT LOGICAL_OR LSH_PROJECTION MATRIX_DIAG MATRIX_SET_DIAG NEG NON_MAX_SUPPRESSION_V4
    NON_MAX_SUPPRESSION_V5 ONE_HOT POW PRELU RANDOM_STANDARD_NORMAL RANGE RANK READ_VARIABLE REAL REDUCE_ALL
    REDUCE_ANY RELU_N1_TO_1 RESHAPE REVERSE_SEQUENCE RFFT2D ROUND SCATTER_ND SEGMENT_SUM SELECT_V2 SHAPE SIN
    SKIP_GRAM SQRT SQUARE UNIQUE VAR_HANDLE WHERE WHILE ZEROS_LIKE 1
    ARG_MAX ARG_MIN CAST DEPTH_TO_SPACE DIV FAKE_QUANT FLOOR_DIV GREATER GREATER_EQUAL L2_NORMALIZATION
    LEAKY_RELU LESS LESS_EQUAL LOG_SOFTMAX MIRROR_PAD REDUCE_PROD RSQRT SELECT SPACE_TO_DEPTH SPLIT_V
    SQUARED_DIFFERENCE SQUEEZE SUM TILE TOPK_V2 2
    AVERAGE_POOL_2D BATCH_TO_SPACE_ND BIDIRECTIONAL_SEQUENCE_LSTM BIDIRECTIONAL_SEQUENCE_RNN BROADCAST_TO
    CONCATENATION EMBEDDING_LOOKUP EQUAL FILL GATHER_ND LOGISTIC MAX_POOL_2D MEAN NOT_EQUAL PACK QUANTIZE
    REDUCE_MAX REDUCE_MIN RELU RELU6 REVERSE_V2 RNN SOFTMAX SPACE_TO_BATCH_ND SPARSE_TO_DENSE TANH
    TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNIDIRECTIONAL_SEQUENCE_RNN 3
    ABS ADD BATCH_MATMUL LSTM MAXIMUM MINIMUM PAD PADV2 RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR SPLIT SVDF
    UNPACK 4
    CONV_2D DEQUANTIZE GATHER MUL SLICE SUB TRANSPOSE 5
    DEPTHWISE_CONV_2D STRIDED_SLICE 6
    FULLY_CONNECTED 9

2.8.0
    BUCKETIZE 1 CAST 3 GELU 1 MULTINOMIAL 1 RANDOM_UNIFORM 1 TILE 3 WHERE 2

2.9.1
    ARG_MAX 3 ARG_MIN 3 CAST 4 CONV_2D 6 DYNAMIC_UPDATE_SLICE 1 GELU 2

2.10.0
    ATAN2 1 RELU_0_TO_1 1 UNSORTED_SEGMENT_MAX 1 UNSORTED_SEGMENT_PROD 1 UNSORTED_SEGMENT_SUM 1

2.11.0
    MUL 6 SIGN 1 UNSORTED_SEGMENT_MIN 1

2.12.0
    ABS 5 CONV_2D 7 FILL 4 SELECT 3 SIGN 2 TRANSPOSE 6 TRANSPOSE_CONV 4 UNIDIRECTIONAL_SEQUENCE_LSTM 4

2.13.0
    ADD 5 BATCH_TO_SPACE_ND 4 BITCAST 1 BITWISE_XOR 1 CAST 5 DEPTHWISE_CONV_2D 7 EQUAL 4 EXP 2 FLOOR_DIV 3
    FLOOR_MOD 2 FULLY_CONNECTED 10 GATHER 6 GATHER_ND 4 GREATER_EQUAL 3 LESS 3 MIRROR_PAD 3 MUL 7 RIGHT_SHIFT 1
    SPACE_TO_BATCH_ND 4 TOPK_V2 3

2.14.0
    CONCATENATION 4 PACK 4 RANGE 2 SELECT 4 SELECT_V2 2 SLICE 6 STRIDED_SLICE 8

1.0.0
    CAST 6 CONV_2D 8 DEQUANTIZE 6 DILATE 1 DYNAMIC_UPDATE_SLICE 2 EMBEDDING_LOOKUP 4 FULLY_CONNECTED 13 GATHER 7
    GATHER_ND 5 LOG 2 REDUCE_WINDOW 1 RSQRT 3 STABLEHLO_ADD 1 STABLEHLO_COMPOSITE 1 STABLEHLO_GATHER 1
    STABLEHLO_MAXIMUM 1 STABLEHLO_MINIMUM 1 STABLEHLO_MULTIPLY 1 STABLEHLO_PAD 1 STABLEHLO_REDUCE_WINDOW 1
    STABLEHLO_RNG_BIT_GENERATOR 1 STABLEHLO_SCATTER 1 TRANSPOSE_CONV 5

1.0.1

1.1.1
    CAST 7 DYNAMIC_UPDATE_SLICE 3 STABLEHLO_AND 1 STABLEHLO_CASE 1 STABLEHLO_SHIFT_LEFT 1

1.1.2

1.2.0
    TRANSPOSE 7

1.3.0
    DYNAMIC_UPDATE_SLICE 4

1.4.0

2.0.2
    PAD 5 PADV2 5 SQRT 2

2.0.3

2.1.0
    CAST 8 DEQUANTIZE 7 EQUAL 5 FULLY_CONNECTED 14 NOT_EQUAL 4 QUANTIZE 4 SLICE 7

2.1.1

2.1.2
    CONCATENATION 5 DYNAMIC_UPDATE_SLICE 5 EMBEDDING_LOOKUP 5

2.1.3
    DEQUANTIZE 8 QUANTIZE 6 UNPACK 5

2.1.4

2.1.5

2.1.6
    ADD 6 CONCATENATION 6 COS 2 DYNAMIC_UPDATE_SLICE 6 GELU 3 MUL 8 SIN 2 SLICE 8 SOFTMAX 4 TRANSPOSE 9

2.2.0
    BROADCAST_TO 4 CAST 9 CONCATENATION 7 DEQUANTIZE 9 FILL 5 GATHER 8 GATHER_ND 6 PACK 5 PAD 6 PADV2 6
    REVERSE_V2 4 SPLIT 5 SPLIT_V 3 UNPACK 6

2.3.0
"""
"""By a release, the operators whose highest version rose in it; a number is that of all the names before it."""


class Lack(NamedTuple):
    """An operator of a file that a release is too old for."""

    operator: str
    version: int
    had: int
    """The highest version that the release has; 0 for none."""
    since: str | None
    """The first release that has the version; None where no known one does."""


def lacking(operators: Sequence[tuple[str, int]], release: str) -> list[Lack]:
    """The operators of a .tflite file that a release lacks; custom ones aren't the runtime's.

    Args:
        operators: those of the file, each with its version, as `tkit_edge.flatbuffer.storage` gives them.
        release: one of `RELEASES`.
    """
    had = _versions(release)
    newer = RELEASES[RELEASES.index(release) + 1 :]
    return [
        Lack(name, version, had.get(name, 0), next((r for r in newer if _versions(r).get(name, 0) >= version), None))
        for name, version in operators
        if version > had.get(name, 0) and not name.startswith("CUSTOM")
    ]


def named(release: str) -> str:
    """A release with its package: "tflite-runtime 2.14.0"."""
    old = RELEASES.index(release) < _PREDECESSORS
    return f"{'tflite-runtime' if old else 'ai-edge-litert'} {release}"


def release_of(text: str) -> str:
    """The release that a version means, such as "2.14"; the first of several.

    Raises:
        ValueError: none that is known.
    """
    found = next((release for release in RELEASES if f"{release}.".startswith(f"{text}.")), None)
    if found is None:
        old, new = (RELEASES[:_PREDECESSORS], RELEASES[_PREDECESSORS:])
        raise ValueError(
            f"no known release {text!r}: expected one of tflite-runtime ({', '.join(old)}) or of ai-edge-litert "
            f"({', '.join(new)})"
        )
    return found


@cache
def _versions(release: str) -> dict[str, int]:
    """The highest version of each operator that a release has."""
    found: dict[str, int] = {}
    for name, rises in _rises():
        found |= rises
        if name == release:
            break
    return found


def _rises() -> Iterator[tuple[str, dict[str, int]]]:
    for part in _MEASURED.strip().split("\n\n"):
        release, *words = part.split()
        rises: dict[str, int] = {}
        names: list[str] = []
        for word in words:
            if word.isdigit():
                rises.update(dict.fromkeys(names, int(word)))
                names = []
            else:
                names.append(word)
        yield release, rises


RELEASES = tuple(release for release, _ in _rises())
"""The known ones, the oldest first."""
_PREDECESSORS = RELEASES.index("2.14.0") + 1
"""How many of them are of tflite-runtime."""
