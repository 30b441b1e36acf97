"""Compute precision chosen by hardware, with the reason."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

Policy = Literal["float32", "mixed_float16", "mixed_bfloat16"]


class Precision(NamedTuple):
    """A Keras dtype policy and why it was chosen."""

    policy: Policy
    reason: str


def choose(wanted: str) -> Precision:
    """The policy asked for, or with "auto" the fastest that this hardware computes natively.

    float16 (with loss scaling) on NVIDIA GPUs of compute capability 7 and up, bfloat16 on TPUs and on CPUs with
    AVX512-BF16 or AMX-BF16, float32 elsewhere.
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
    flags = cpu_flags()
    for flag, name in (("amx_bf16", "AMX-BF16"), ("avx512_bf16", "AVX512-BF16")):
        if flag in flags:
            return Precision("mixed_bfloat16", f"CPU with {name}")
    return Precision("float32", "CPU without AVX512-BF16 or AMX")


def cpu_flags() -> frozenset[str]:
    """The processor's feature flags as Linux names them; empty where it doesn't say."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return frozenset()
    for line in text.splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()
