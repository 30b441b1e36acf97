"""What a .tflite file is made of: where its bytes are, how it is quantized, and which runtimes can run it.

Sources: the operators of TFLite Micro are those of its micro_mutable_op_resolver.h (tensorflow/tflite-micro); what
XNNPACK takes over is listed in the README of TensorFlow Lite's delegate; the custom operators that LiteRT brings along
are those of its BuiltinOpResolver.
"""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from dataclasses import dataclass

import numpy as np

from tkit_edge import flatbuffer
from tkit_edge.graph import UNPACKING, Graph, Tensor, macs, operator_macs, parameters, unpacked_from, values

_WEIGHTS_AT, _BIAS_AT = 1, 2  # the places of a layer's inputs
_LAYERS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "CONV_3D", "TRANSPOSE_CONV", "BATCH_MATMUL"}
_NUMERIC = ("float32", "float16", "int16", "int8", "uint8", "int4")
_INDEX_TYPES = {"int32", "int64", "bool"}
_BUNDLED_CUSTOM = {"TFLite_Detection_PostProcess", "Mfcc", "AudioSpectrogram", "NumericVerify"}
_MICRO = """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS
    BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTH_TO_SPACE DEPTHWISE_CONV_2D DEQUANTIZE DIV
    ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER
    GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND LOGICAL_NOT
    LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU
    QUANTIZE READ_VARIABLE REDUCE_MAX RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR ROUND RSQRT SELECT_V2
    SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE
    STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE
    ZEROS_LIKE
"""


@dataclass(frozen=True)
class OperatorKind:
    """All operators of one name."""

    name: str
    count: int
    macs: int


@dataclass(frozen=True)
class Stored:
    """A constant of the graph, as it lies in the file."""

    name: str
    kind: str
    """"weights", "biases" or "constants" (shapes, axes, scalars)."""
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    quantization: str
    """"per channel", "per tensor" or "none"."""
    scales: tuple[float, float] | None
    """The least and the largest."""
    sparsity: float | None
    """Share of zeros, of weights."""
    codes: int | None
    """Distinct values, of int8 and uint8 weights."""


@dataclass(frozen=True)
class Verdict:
    """Whether a runtime can run the file, and why."""

    runtime: str
    runs: bool
    why: str


@dataclass(frozen=True)
class Anatomy:
    """One .tflite file, taken apart."""

    bytes: int
    zip_bytes: int
    """After deflate, as in an app's package or a download."""
    description: str
    arithmetic: str
    """"float32", "int8", "int16", "dynamic range", "float16 weights" or "mixed ..."."""
    graphs: int
    macs: int | None
    parameters: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    operators: tuple[OperatorKind, ...]
    bytes_by_kind: dict[str, int]
    stored: tuple[Stored, ...]
    """The constants, largest first."""
    activation_scales: tuple[float, float] | None
    runtimes: tuple[Verdict, ...]


def dissect(data: bytes, name: str = "the data") -> Anatomy:
    """A .tflite file taken apart; nothing in it is run.

    Raises:
        InputError: the bytes are no whole .tflite file.

    Example: `dissect(Path("model.tflite").read_bytes()).bytes_by_kind["weights"]`
    """
    graph, storage = flatbuffer.read(data, name), flatbuffer.storage(data, name)
    roles = _roles(graph)
    stored: dict[int, Stored] = {}
    for index, tensor in enumerate(graph.tensors):
        if len(tensor.data) and tensor.buffer not in stored:
            stored[tensor.buffer] = _stored(tensor, roles.get(index) or _role_by_look(tensor))
    counts = Counter(operator.name for operator in graph.operators)
    work: Counter = Counter()
    for operator in graph.operators:
        work[operator.name] += operator_macs(graph, operator)
    order = sorted(counts, key=lambda kind: (-work[kind], -counts[kind], kind))
    computed = [tensor for tensor in graph.tensors if not len(tensor.data) and len(tensor.scales)]
    arithmetic = _arithmetic(graph, list(stored.values()))
    return Anatomy(
        bytes=len(data),
        zip_bytes=zip_bytes(data),
        description=storage.description,
        arithmetic=arithmetic,
        graphs=storage.graphs,
        macs=macs(graph),
        parameters=parameters(graph),
        inputs=tuple(describe(graph.tensors[index]) for index in graph.inputs),
        outputs=tuple(describe(graph.tensors[index]) for index in graph.outputs),
        operators=tuple(OperatorKind(kind, counts[kind], work[kind]) for kind in order),
        bytes_by_kind=_bytes_by_kind(len(data), stored, storage),
        stored=tuple(sorted(stored.values(), key=lambda item: -item.bytes)),
        activation_scales=_extremes(np.concatenate([tensor.scales for tensor in computed])) if computed else None,
        runtimes=_verdicts(graph, arithmetic, counts),
    )


def describe(tensor: Tensor) -> str:
    """A tensor in a few words: `image int8 [1, 32, 32, 3], scale 1, zero point -128`."""
    text = f"{tensor.name} {tensor.dtype} {list(tensor.signature)}"
    if len(tensor.scales) > 1:
        return f"{text}, {len(tensor.scales)} scales along axis {tensor.axis}"
    if len(tensor.scales) and len(tensor.zero_points):
        text += f", scale {tensor.scales[0]:.6g}, zero point {tensor.zero_points[0]}"
    return text


def _roles(graph: Graph) -> dict[int, str]:
    """Constants that are a layer's weights or biases, also where an operator unpacks them first."""
    source = unpacked_from(graph)
    roles: dict[int, str] = {}
    for operator in graph.operators:
        if operator.name in _LAYERS:
            shift = operator.name == "TRANSPOSE_CONV"  # its data come third, its bias fourth
            for place, kind in ((_WEIGHTS_AT, "weights"), (_BIAS_AT + shift, "biases")):
                if place < len(operator.inputs):
                    index = operator.inputs[place]
                    roles[source.get(index, index)] = kind
    return roles


def _role_by_look(tensor: Tensor) -> str:
    numeric = "float" in tensor.dtype or len(tensor.scales)
    return "weights" if numeric and len(tensor.shape) >= 2 and tensor.size > 16 else "constants"


def _stored(tensor: Tensor, kind: str) -> Stored:
    quantization = "none" if not len(tensor.scales) else "per channel" if len(tensor.scales) > 1 else "per tensor"
    sparsity = codes = None
    if kind == "weights" and tensor.dtype in _NUMERIC:
        weights = values(tensor)
        zero = int(tensor.zero_points[0]) if len(tensor.zero_points) else 0
        sparsity = float(np.mean(weights == zero)) if weights.size else None
        codes = len(np.unique(weights)) if tensor.dtype in ("int8", "uint8", "int4") else None
    return Stored(
        name=tensor.name,
        kind=kind,
        shape=tensor.shape,
        dtype=tensor.dtype,
        bytes=len(tensor.data),
        quantization=quantization,
        scales=_extremes(tensor.scales),
        sparsity=sparsity,
        codes=codes,
    )


def _extremes(scales: np.ndarray) -> tuple[float, float] | None:
    return (float(scales.min()), float(scales.max())) if len(scales) else None


def _bytes_by_kind(total: int, stored: dict[int, Stored], storage: flatbuffer.Storage) -> dict[str, int]:
    metadata = {buffer for _, buffer in storage.metadata}
    found = dict.fromkeys(("weights", "biases", "constants", "metadata", "other graphs", "overhead"), 0)
    for number, size in enumerate(storage.buffers):
        if number in stored:
            found[stored[number].kind] += size
        else:
            found["metadata" if number in metadata or storage.graphs < 2 else "other graphs"] += size
    found["overhead"] = max(0, total - sum(found.values()))
    return found


def zip_bytes(data: bytes) -> int:
    """The size of a file after deflate, as in an app's package or a download."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.tflite", data)
    return len(buffer.getvalue())


def _arithmetic(graph: Graph, stored: list[Stored]) -> str:
    """What the operators compute in, by the types of their inputs and outputs; conversions don't count."""
    computing = [operator for operator in graph.operators if operator.name not in ("QUANTIZE", "DEQUANTIZE")]
    tensors = [graph.tensors[index] for item in computing for index in (*item.inputs, *item.outputs) if index >= 0]
    unpacked = {output for item in graph.operators if item.name in UNPACKING for output in item.outputs}
    known = {id(graph.tensors[index]) for index in unpacked}
    types = {item.dtype for item in tensors if not len(item.data) and id(item) not in known} - _INDEX_TYPES
    weights = {item.dtype for item in stored if item.kind == "weights"}
    if types <= {"float32"}:
        if weights & {"int8", "int4"}:
            return "dynamic range"
        return "float16 weights" if "float16" in weights else "float32"
    if types <= {"int8", "uint8"}:
        return "int8"
    return "int16" if types == {"int16"} else f"mixed {', '.join(sorted(types))}"


def _verdicts(graph: Graph, arithmetic: str, counts: Counter) -> tuple[Verdict, ...]:
    custom = [name.partition(":")[2] for name in sorted(counts) if name.startswith("CUSTOM:")]
    flex = [name for name in custom if name.startswith("Flex")]
    foreign = [name for name in custom if name not in flex and name not in _BUNDLED_CUSTOM]
    unknown = [name for name in sorted(counts) if name.startswith("BUILTIN_")]
    if flex:
        why = f"TensorFlow operators {', '.join(flex)}: needs a build with Flex, such as TensorFlow's tf.lite"
    elif foreign:
        why = f"custom operators {', '.join(foreign)}: needs code that registers them"
    elif unknown:
        why = f"operators newer than this reader: {', '.join(unknown)}"
    else:
        why = "builtin operators only" if not custom else f"builtin operators and the bundled {', '.join(custom)}"
    return (
        Verdict("LiteRT", not (flex or foreign or unknown), why),
        _xnnpack(arithmetic, bool(flex or foreign or unknown)),
        _micro(arithmetic, counts),
    )


def _xnnpack(arithmetic: str, lost: bool) -> Verdict:
    if lost:
        return Verdict("XNNPACK", False, "LiteRT cannot load the file")
    if arithmetic == "int16":
        return Verdict("XNNPACK", False, "takes float32 and 8-bit operators; 16-bit ones run on the builtin kernels")
    return Verdict("XNNPACK", True, "takes the float32 and 8-bit operators that it has; LiteRT runs the rest itself")


def _micro(arithmetic: str, counts: Counter) -> Verdict:
    missing = sorted(
        name for name in counts if name not in _MICRO.split() and name != "CUSTOM:TFLite_Detection_PostProcess"
    )
    if missing:
        return Verdict("TFLite Micro", False, f"has no {', '.join(missing)}")
    if arithmetic in ("dynamic range", "float16 weights"):
        return Verdict("TFLite Micro", False, f"has no kernels for {arithmetic}: use float32 or int8")
    integers = " in integers, as chips without a float unit want it" if arithmetic in ("int8", "int16") else ""
    return Verdict("TFLite Micro", True, f"has every operator{integers}")


def output_of(graph: Graph) -> str:
    """ "probabilities" where the graph ends in a softmax or sigmoid, else "logits"."""
    makers = {output: operator for operator in graph.operators for output in operator.outputs}
    index = graph.outputs[0] if graph.outputs else -1
    for _ in graph.operators:  # at most once through, whatever a damaged graph refers to
        maker = makers.get(index)
        if maker is None or maker.name not in ("QUANTIZE", "DEQUANTIZE", "RESHAPE") or not maker.inputs:
            break
        index = maker.inputs[0]
    return "probabilities" if index in makers and makers[index].name in ("SOFTMAX", "LOGISTIC") else "logits"


def pixels_of(graph: Graph) -> str | None:
    """The pixels that a quantized input's range spans, of `runtime.PIXELS`; None where it doesn't tell."""
    tensor = graph.tensors[graph.inputs[0]] if graph.inputs else None
    if tensor is None or tensor.dtype not in ("int8", "uint8") or not len(tensor.scales) or not len(tensor.zero_points):
        return None
    limits = np.iinfo(tensor.dtype)
    scale, zero_point = float(tensor.scales[0]), int(tensor.zero_points[0])
    low, high = scale * (limits.min - zero_point), scale * (limits.max - zero_point)
    if -1.05 < low < -0.5 and 0.5 < high < 1.05:
        return "-1-1"
    if -2.2 < low < -1.5 and 1.5 < high < 2.7:
        return "torch"
    if -130 < low < -90 and 90 < high < 155:
        return "caffe"
    if abs(low) > 0.02 * high:
        return None
    # The range is that of the calibration images, whose brightest pixel may be less than white.
    return "0-255" if 16 < high < 260 else "0-1" if 0.1 < high < 1.05 else None
