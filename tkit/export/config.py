"""What a recipe exports, and the bounds that each file must keep."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from tkit_pipelines.config import Config

Format = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
FORMATS: tuple[Format, ...] = ("float32", "float16", "dynamic", "int8", "int16x8")


class Parity(Config):
    """Bounds of the gate that compares each exported file with the Keras model on validation pictures."""

    samples: int = Field(500, ge=1)
    """Validation pictures compared (all, where there are fewer)."""
    float32: float = Field(1e-3, gt=0)
    """Largest difference of any float32 logit, as a share of the largest logit's magnitude."""
    float16: float = Field(2e-2, gt=0)
    """The same for the float16 file."""
    agreement: float = Field(0.95, ge=0, le=1)
    """Least share of pictures on which a quantized file and the Keras model name the same class."""
    drop: float = Field(0.01, ge=0, le=1)
    """Largest accuracy drop of a quantized file; it fails when the drop's whole 95 % interval lies above."""


class Export(Config):
    """Formats, the quantized files' inputs and outputs, calibration and parity."""

    formats: tuple[Format, ...] = FORMATS
    """`float32`, `float16`, `dynamic` (dynamic-range int8), `int8` (all integers), `int16x8` (int16 activations)."""
    io: Literal["int8", "uint8", "float32"] = "int8"
    """Type of the int8 file's input and output tensors."""
    calibration_samples: int = Field(500, ge=1)
    """Training pictures, stratified by class, that the activation ranges of int8 and int16x8 come from."""
    sparse: bool = True
    """Store a pruned model's float32 and float16 kernels without their zeros, where that makes the file smaller. LiteRT
    loads it; TFLite Micro and GPU delegates don't."""
    parity: Parity = Parity()
    """Bounds of the parity gate."""

    @field_validator("formats")
    @classmethod
    def _at_least_one_and_no_repeats(cls, formats: tuple[Format, ...]) -> tuple[Format, ...]:
        if not formats or len(set(formats)) < len(formats):
            raise ValueError(f"expected each format at most once and at least one of {', '.join(FORMATS)}")
        return formats
