"""The builtin options of a .tflite file's operators: their fields, in the order of the schema.

Source: TensorFlow Lite's schema.fbs (version 3). A field's place never changes; newer ones are appended.
"""

from __future__ import annotations

from typing import Any, NamedTuple

PADDINGS = ("SAME", "VALID")
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")


class Field(NamedTuple):
    """One field of an options table."""

    name: str
    kind: str
    """A `struct` letter."""
    default: Any
    values: tuple[str, ...] = ()
    """What an enumeration's numbers mean."""


class Layout(NamedTuple):
    """The options table of an operator."""

    number: int
    """Its number in the union BuiltinOptions."""
    fields: tuple[Field, ...]


_PADDING = Field("padding", "b", 0, PADDINGS)
_STRIDES = (Field("stride_width", "i", 0), Field("stride_height", "i", 0))
_DILATIONS = (Field("dilation_width", "i", 1), Field("dilation_height", "i", 1))
_ACTIVATION = Field("activation", "b", 0, ACTIVATIONS)
_POOL = Layout(5, (_PADDING, *_STRIDES, Field("filter_width", "i", 0), Field("filter_height", "i", 0), _ACTIVATION))
_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")

LAYOUTS = {
    "ADD": Layout(11, (_ACTIVATION,)),
    "AVERAGE_POOL_2D": _POOL,
    "BATCH_MATMUL": Layout(101, (Field("adjoint_x", "?", False), Field("adjoint_y", "?", False))),
    "CONCATENATION": Layout(10, (Field("axis", "i", 0), _ACTIVATION)),
    "CONV_2D": Layout(1, (_PADDING, *_STRIDES, _ACTIVATION, *_DILATIONS)),
    "DEPTHWISE_CONV_2D": Layout(2, (_PADDING, *_STRIDES, Field("multiplier", "i", 0), _ACTIVATION, *_DILATIONS)),
    "FULLY_CONNECTED": Layout(8, (_ACTIVATION, Field("weights_format", "b", 0, ("DEFAULT", "SHUFFLED4x16INT8")))),
    "GATHER": Layout(23, (Field("axis", "i", 0), Field("batch_dimensions", "i", 0))),
    "LEAKY_RELU": Layout(75, (Field("alpha", "f", 0.0),)),
    "MAX_POOL_2D": _POOL,
    "MUL": Layout(21, (_ACTIVATION,)),
    "RESIZE_NEAREST_NEIGHBOR": Layout(
        74, (Field("align_corners", "?", False), Field("half_pixel_centers", "?", False))
    ),
    "SOFTMAX": Layout(9, (Field("beta", "f", 0.0),)),
    "STRIDED_SLICE": Layout(32, (*(Field(name, "i", 0) for name in _MASKS), Field("offset", "?", False))),
    "SUB": Layout(28, (_ACTIVATION,)),
    "TRANSPOSE_CONV": Layout(49, (_PADDING, *_STRIDES, _ACTIVATION)),
}
"""By the operator's name; what an operator does that isn't here follows from its tensors, or isn't known."""
