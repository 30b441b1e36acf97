"""What a recipe exports, and the bounds that each file must meet."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, field_validator

from tkit.conversion.runtimes import release_of
from tkit_pipelines.config import Config

Format = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
FORMATS: tuple[Format, ...] = ("float32", "float16", "dynamic", "int8", "int16x8")
GOLDEN_SAMPLES = 8


def _release(value: Any) -> Any:
    if isinstance(value, (int, float)):
        raise ValueError(f"expected a version of three numbers, such as 2.14.0; received {value}")
    return release_of(value) if isinstance(value, str) else value


def _split(value: Any) -> Any:
    names = value.split(",") if isinstance(value, str) else value
    return names[0] if isinstance(names, list) and names == ["auto"] else names


class Parity(Config):
    """Bounds of the gate that compares each exported file with the Keras model on validation images."""

    samples: int = Field(500, ge=1)
    """Validation images compared (all, if there are fewer). Below 200, training images are added for everything except
    accuracy."""
    float32: float = Field(1e-3, gt=0)
    """Largest difference of any float32 logit, as a share of the largest logit's magnitude."""
    float16: float = Field(2e-2, gt=0)
    """The same for the float16 file."""
    agreement: float = Field(0.95, ge=0, le=1)
    """Smallest share of images on which a quantized file predicts the Keras model's class, or one that the Keras model
    scores nearly as high (within 5 % of the largest logit); it fails when the whole 95 % interval is below."""
    difference: float = Field(0.5, gt=0)
    """Largest difference of any of a quantized file's logits, as a share of the largest logit's magnitude. Not applied
    to probabilities, which one quantization step of a logit can change by half."""
    mean_difference: float = Field(0.05, gt=0)
    """Largest mean difference of a quantized file's outputs, as the same share."""
    drop: float = Field(0.01, ge=0, le=1)
    """Largest accuracy drop of a quantized file; it fails when the drop's whole 95 % interval is above."""
    psnr: float = Field(30.0, ge=0)
    """Of generated images: the least mean ratio of signal and noise of a quantized file's, in dB."""
    distance: float = Field(0.1, ge=0)
    """How much larger the distance of a quantized file's generated images from real ones may be, as a share of that of
    the Keras model's; it fails when the whole 95 % interval is above."""


class Export(Config):
    """Formats, the quantized files' inputs and outputs, calibration and parity."""

    formats: Annotated[Literal["auto"] | tuple[Format, ...], BeforeValidator(_split)] = "auto"
    """`float32`, `float16`, `dynamic` (dynamic-range int8), `int8` (all integers), `int16x8` (int16 activations).
    `auto`: all of them, without those that the model can't be exported in; float32 and int8 must pass the gate."""
    io: Literal["int8", "uint8", "float32"] = "int8"
    """Type of the int8 file's input and output tensors."""
    calibration_samples: int = Field(500, ge=1)
    """Training images, stratified by class, that calibrate the activation ranges of int8 and int16x8."""
    sparse: bool = True
    """Store a pruned model's float32 and float16 kernels without their zeros, where that makes the file smaller. LiteRT
    loads such files; TFLite Micro and GPU delegates don't."""
    golden: NonNegativeInt | Literal["originals"] = GOLDEN_SAMPLES
    """Number of validation images in the bundle for `tkit-edge check`, re-encoded without metadata; 0 for none.
    `originals`: as many as by default, as their original files, with EXIF data and GPS position."""
    min_runtime: Annotated[str | None, BeforeValidator(_release)] = None
    """The oldest release of the runtime that has to run the files, such as 1.4.0 (ai-edge-litert) or 2.14.0
    (tflite-runtime); a file with an operator that it lacks fails."""
    parity: Parity = Parity()
    """Bounds of the parity gate."""

    @property
    def golden_samples(self) -> int:
        """Number of golden samples in the bundle."""
        return GOLDEN_SAMPLES if self.golden == "originals" else self.golden

    @field_validator("formats")
    @classmethod
    def _at_least_one_and_no_repeats(cls, formats: Any) -> Any:
        if formats == "auto":
            return formats
        if not formats or len(set(formats)) < len(formats):
            raise ValueError(f"expected each format at most once and at least one of {', '.join(FORMATS)}")
        return formats
