"""The classes that a model's JSON may name: stock Keras, free of code and of other files. Needs no Keras itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tkit_edge.errors import InputError

# By name, so that a layer which a later Keras brings isn't let in before somebody has looked at it. Not here: Lambda,
# TFSMLayer, TorchModuleWrapper, JaxLayer and FlaxLayer, which run code; StringLookup, IntegerLookup and
# TextVectorization, which read the files that their vocabulary names.
_LAYERS = """
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
    AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention AugMix
    AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization Bidirectional
    CategoryEncoding CenterCrop Concatenate ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D
    Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D CutMix
    Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU EinsumDense Embedding Equalization Flatten GRU
    GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention Hashing
    HashedCrossing Identity InputLayer LSTM LSTMCell LayerNormalization LeakyReLU Masking MaxNumBoundingBoxes
    MaxPooling1D MaxPooling2D MaxPooling3D Maximum MelSpectrogram Minimum MixUp MultiHeadAttention Multiply
    Normalization PReLU Permute Pipeline RMSNormalization RNN RandAugment RandomBrightness RandomColorDegeneration
    RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur
    RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation
    RandomSharpness RandomShear RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape Resizing
    ReversibleEmbedding STFTSpectrogram SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax Solarization
    SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells Subtract TimeDistributed
    UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
"""
LAYERS = frozenset(_LAYERS.split())
"""Of Keras 3.15, those that a model may have."""
_INITIALIZERS = """
    Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal LecunUniform Ones
    Orthogonal OrthogonalInitializer RandomNormal RandomUniform STFT STFTInitializer TruncatedNormal VarianceScaling
    Zeros
"""
# Operations of keras.ops on tensors alone. Not here: those that call functions (Map, Scan, Cond, WhileLoop ...), draw
# random numbers, or have outputs whose shape depends on values (Unique, Nonzero ...), which no device could run.
_CORE = "Cast ConvertToTensor SaturateCast Slice SliceUpdate Unstack"
_IMAGE = "CropImages PadImages RGBToGrayscale Resize"
_MATH = "Erf Logsumexp Rsqrt TopK"
_NN = """
    AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm Celu Conv ConvTranspose DepthToSpace DepthwiseConv
    DotProductAttention Elu Gelu Glu HardShrink HardSigmoid HardSilu HardTanh LayerNorm LeakyRelu LogSigmoid LogSoftmax
    MaxPool Moments Normalize OneHot RMSNorm Relu Relu6 Selu SeparableConv Sigmoid Silu SoftShrink Softmax Softplus
    Softsign SpaceToDepth SparsePlus SparseSigmoid Sparsemax Squareplus TanhShrink Threshold
"""
_NUMPY = """
    Abs Absolute Add All Amax Amin Any Append Arctan Argmax Argmin ArraySplit Average BroadcastTo Ceil Clip Concatenate
    Copy Cos Cumsum Diff Divide DivideNoNan Dot Einsum Equal Exp Exp2 ExpandDims Expm1 Flip Fliplr Flipud Floor
    FloorDivide FullLike GetItem Greater GreaterEqual Hstack Hypot Inner Isclose Less LessEqual Log Log10 Log1p Log2
    Logaddexp LogicalAnd LogicalNot LogicalOr LogicalXor Matmul Max Maximum Mean Min Minimum Mod Moveaxis Multiply
    Negative NotEqual OnesLike Outer Pad Power Prod Ravel Reciprocal Repeat Reshape Roll Rot90 Round Select Sign Sin
    Sinh Split Sqrt Square Squeeze Stack Std Subtract Sum Swapaxes Take TakeAlongAxis Tan Tanh Tensordot Tile Transpose
    Tril Triu TrueDivide Trunc Var Vdot Vstack Where ZerosLike
"""
_OPERATIONS: dict[str | None, frozenset[str]] = {
    "keras.src.activations.activations": frozenset({"Mish", "ReLU"}),
    "keras.src.ops.core": frozenset(_CORE.split()),
    "keras.src.ops.einops": frozenset({"Rearrange"}),
    "keras.src.ops.image": frozenset(_IMAGE.split()),
    "keras.src.ops.linalg": frozenset({"Norm"}),
    "keras.src.ops.math": frozenset(_MATH.split()),
    "keras.src.ops.nn": frozenset(_NN.split()),
    "keras.src.ops.numpy": frozenset(_NUMPY.split()),
}
_CONSTANTS = frozenset({"__tensor__", "__numpy__"})
_NUMBERS = re.compile(r"bool|u?int(8|16|32|64)|b?float(16|32|64)|float8_\w{1,9}")
_MODULES: dict[str | None, frozenset[str]] = {
    None: frozenset({"__keras_tensor__", "__slice__", "__ellipsis__"}) | _CONSTANTS,
    "keras": frozenset({"Functional", "Sequential", "DTypePolicy"}),
    "keras.layers": LAYERS,
    "keras.initializers": frozenset(_INITIALIZERS.split()),
    "keras.regularizers": frozenset({"L1", "L1L2", "L2", "OrthogonalRegularizer"}),
    "keras.constraints": frozenset({"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"}),
    "keras.src.models.functional": frozenset({"Functional"}),
    **_OPERATIONS,
}
_LAYER_MODULES = ("keras.layers", "keras.src.models.functional", "keras")
_OTHER_MODULES = ("keras.initializers", "keras.regularizers", "keras.constraints", *_OPERATIONS)
_BUILD_KEYS = {"input_shape", "shapes_dict"}


def is_operation(module: Any, name: Any) -> bool:
    """Whether this is a bare operation of `keras.ops` that tkit takes: mathematics on tensors."""
    return isinstance(module, str) and isinstance(name, str) and name in _OPERATIONS.get(module, ())


def module_of(name: str, *, layer: bool) -> str | None:
    """The module of the class of this name, a layer or model or else what belongs to one; None where tkit has none."""
    kinds = _LAYER_MODULES if layer else _OTHER_MODULES
    return next((module for module in kinds if name in _MODULES[module]), None)


def check_classes(config: Any, path: Path | str) -> None:
    """Raises InputError where a Keras JSON config names a class that isn't stock Keras and free of code."""
    waiting = [config]
    while waiting:  # not by recursion: a hostile file may nest deeper than Python's stack goes
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                _check_class(value, path)
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _check_class(value: dict[str, Any], path: Path | str) -> None:
    name, module, registered = value["class_name"], value.get("module"), value.get("registered_name")
    known = isinstance(name, str) and (module is None or isinstance(module, str)) and name in _MODULES.get(module, ())
    # A registered name would be looked up before the module is.
    if not known or registered not in (None, name):
        shown = re.sub(r"[^\w.>]", "?", f"{module}.{name}" if known or not registered else f"{module}.{registered}")
        raise InputError(f"{path} names the class {shown[:200]}, which tkit doesn't load.")
    if name in _CONSTANTS:
        _check_constant(value.get("config"), path)
    if is_operation(module, name):
        _check_operation(value, path)
    build = value.get("build_config")
    if build is not None and not (isinstance(build, dict) and set(build) <= _BUILD_KEYS and _is_shape(build)):
        raise InputError(f"{path}: the build_config of a {name} is no shape, which Keras's own always is.")


def _check_constant(constant: Any, path: Path | str) -> None:
    """A constant is nested lists of numbers of a known type: numpy would make others of any size out of a few bytes."""
    known = isinstance(constant, dict) and set(constant) == {"value", "dtype"}
    if known and isinstance(constant["dtype"], str) and _NUMBERS.fullmatch(constant["dtype"]):
        waiting = [constant["value"]]
        while waiting:
            value = waiting.pop()
            if isinstance(value, list):
                waiting += value
            elif not isinstance(value, (int, float)):
                break
        else:
            return
    raise InputError(f"{path} holds a constant that is no array of numbers, which Keras's own always are.")


def _check_operation(value: dict[str, Any], path: Path | str) -> None:
    """Each call of a bare operation takes a tensor of the graph: without one, Keras would compute it while it loads."""
    for call in value.get("inbound_nodes") or ():
        if "__keras_tensor__" not in _class_names(call):
            raise InputError(f"{path}: its operation {value['class_name']} takes no tensor. It is not computed.")


def _class_names(config: Any) -> Iterator[str]:
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value.get("class_name", "")
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _is_shape(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_shape, value.values()))
    if isinstance(value, list):
        return all(map(_is_shape, value))
    return value is None or (isinstance(value, int) and value >= 0)
