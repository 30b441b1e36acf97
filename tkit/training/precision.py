"""Compute precision chosen by hardware and model, with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import keras

_BLOCK = 16
"""Channels that the CPU's bfloat16 kernels take at once."""
_PIXEL = 4
"""Channels of pixels at most; the first convolution has kernels of its own."""
Policy = Literal["float32", "mixed_float16", "mixed_bfloat16"]


class Precision(NamedTuple):
    """A Keras dtype policy and why it was chosen."""

    policy: Policy
    reason: str


def choose(wanted: str, model: keras.Model | None = None) -> Precision:
    """The policy asked for, or with "auto" the fastest that this hardware has for the model.

    float16 (with loss scaling) on NVIDIA GPUs of compute capability 7 and up, bfloat16 on TPUs, on CPUs with AMX-BF16
    and on AMD's with AVX512-BF16; there float32 for convolutions of channels that are no multiple of 16, whose bfloat16
    kernels are several times slower. float32 elsewhere. docs/log.md has the figures.
    """
    if wanted != "auto":
        return Precision(wanted, "set by the recipe")  # type: ignore[arg-type]  # the config's Literal allows no other
    import tensorflow as tf

    if tf.config.list_logical_devices("TPU"):
        return Precision("mixed_bfloat16", "TPU")
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        capabilities = [item.get("compute_capability", (0, 0)) for item in details]
        name = details[0].get("device_name", "GPU")
        if min(capabilities) >= (7, 0):
            return Precision("mixed_float16", f"{name}: compute capability {capabilities[0][0]}.{capabilities[0][1]}")
        return Precision("float32", f"{name}: no fast float16")
    return _of_cpu(*cpu(), _odd_channels(model) if model is not None else [])


def _of_cpu(vendor: str, flags: frozenset[str], odd: list[int]) -> Precision:
    amx = "amx_bf16" in flags
    if not amx and "avx512_bf16" not in flags:
        return Precision("float32", "CPU without AVX512-BF16 or AMX")
    if not amx and vendor != "AuthenticAMD":
        return Precision("float32", "CPU without AMX, whose AVX512-BF16 is no faster than float32")
    name = "AMX-BF16" if amx else "AVX512-BF16"
    if odd:
        return Precision("float32", f"convolutions of {odd[0]} channels: {name} is fast in multiples of {_BLOCK}")
    return Precision("mixed_bfloat16", f"CPU with {name}")


def _odd_channels(model: keras.Model) -> list[int]:
    """The numbers of channels of the model's convolutions that are no multiple of 16, less those of the pixels."""
    import keras

    kernels = [layer.kernel.shape for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    found = {size for *_, inputs, outputs in kernels for size in (inputs if inputs > _PIXEL else _BLOCK, outputs)}
    return sorted(size for size in found if size % _BLOCK)


def cpu() -> tuple[str, frozenset[str]]:
    """The processor's vendor and feature flags as Linux names them; empty where it doesn't tell."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return "", frozenset()
    facts = dict(line.replace("\t", "").split(":", 1) for line in text.splitlines() if ":" in line)
    return facts.get("vendor_id", "").strip(), frozenset(facts.get("flags", "").split())
