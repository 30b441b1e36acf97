"""Why rounding one site to int8 costs accuracy: rules on measured numbers; the first that applies is the cause.

Source: the causes that Krishnamoorthi 2018 and Nagel et al. 2021, "A White Paper on Neural Network Quantization",
section 3, distinguish.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from tkit.compression.diagnosis.observations import Seen
from tkit.kernels.scales import LARGEST_CODE
from tkit.quantization.fake_quant import CODES

Name = Literal[
    "range outlier",
    "too few calibration samples",
    "saturation",
    "dead channel",
    "unequal channels",
    "rounding",
]
OUTLIER = 8.0
"""Multiple of the bulk's magnitude from which a magnitude is an outlier: it leaves the bulk an eighth of the codes."""
WEIGHTS, VALUES, CHANNELS = 0.99, 0.999, 0.9
"""Shares that define the bulk: of a channel's weights, which are few; of a tensor's values; of a tensor's channels."""
CLIPPING, OUTSIDE = 0.75, 1e-4
"""Shares of the squared error, and of the values, from which clipping rather than rounding is the cause."""
FEW_CODES = 8.0
"""A channel with fewer codes is unequal to the others."""
UNEQUAL = 0.25
"""From this share of channels with few codes, unequal channels are the cause."""


class Cause(NamedTuple):
    """A cause, with its measurements."""

    name: Name
    why: str
    """A sentence with the numbers."""
    measured: dict[str, Any]


def of_kernel(kernel: np.ndarray, rounded: np.ndarray) -> Cause:
    """The cause in a kernel.

    Args:
        kernel: float32 [channels, weights], one row per channel with its own scale.
        rounded: the same, as codes times scales.
    """
    sizes = np.abs(kernel)
    largest = sizes.max(axis=1)
    bulk = np.array([np.quantile(row[row > 0], WEIGHTS, method="lower") if row.any() else 1.0 for row in sizes])
    ratios = largest / bulk
    worst = int(np.argmax(ratios))
    lost = np.flatnonzero((largest > 0) & ~rounded.any(axis=1))
    measured = {
        "outlier_ratio": float(ratios[worst]),
        "outlier_channels": int(np.sum(ratios >= OUTLIER)),
        "channels": len(kernel),
        "lost_channels": len(lost),
        "zero_channels": int(np.sum(largest == 0)),
    }
    if ratios[worst] >= OUTLIER:
        why = (
            f"{measured['outlier_channels']} of {len(kernel)} channels have an outlier; in channel {worst} the largest "
            f"weight is {ratios[worst]:.0f} times what {WEIGHTS:.0%} of the others reach, which leaves them "
            f"{2 * LARGEST_CODE / ratios[worst] + 1:.0f} of the {CODES} codes"
        )
        return Cause("range outlier", why, measured)
    if len(lost):
        why = f"{len(lost)} of {len(kernel)} channels are so small compared with the others that all their codes are 0"
        return Cause("dead channel", why, measured)
    return Cause("rounding", f"no outlier (largest ratio {ratios[worst]:.1f}), no lost channel", measured)


def of_activations(range_: tuple[float, float], seen: Seen, more: Seen, validation: Seen) -> Cause:
    """The cause in a tensor of activations.

    Args:
        range_: the values of the codes -128 and 127.
        seen: its values on the calibration images.
        more: on more training images, including those; the same if there are no more.
        validation: on validation images.
    """
    low, high = range_
    bound = min(max(-low, high), float(max(-seen.low.min(), seen.high.max())))
    measured: dict[str, Any] = {
        "range": [low, high],
        "outlier_ratio": _ratio(bound, seen.reach(VALUES)),
        **_channels(range_, seen, bound),
        **{
            f"{what}_{name}": getattr(item, what)
            for name, item in (("calibration", seen), ("more", more), ("validation", validation))
            for what in ("outside", "clipping")
        },
    }
    return (
        _outlier(measured, bound)
        or _clipped(measured, seen, more, validation)
        or _few_codes(measured)
        or Cause("rounding", "no outlier, no significant clipping, channels with similar ranges", measured)
    )


def _ratio(large: float, small: float) -> float:
    """How many times larger; 1 if there is nothing to compare with."""
    return large / small if small > 0 else 1.0


def _channels(range_: tuple[float, float], seen: Seen, bound: float) -> dict[str, Any]:
    reach = np.maximum(np.abs(seen.low), np.abs(seen.high))
    codes = (seen.high - np.minimum(seen.low, 0.0)) / ((range_[1] - range_[0]) / CODES)
    alive = reach > 0
    bulk = float(np.quantile(reach[alive], CHANNELS, method="lower")) if alive.any() else 0.0
    return {
        "channels": len(reach),
        "largest_channel": int(np.argmax(reach)),
        "channel_ratio": _ratio(bound, bulk),
        "zero_channels": int(np.sum(~alive)),
        "lost_channels": int(np.sum(alive & (codes < 0.5))),
        "few_codes_channels": int(np.sum(alive & (codes < FEW_CODES))),
    }


def _outlier(measured: dict[str, Any], bound: float) -> Cause | None:
    low, high = measured["range"]
    if measured["outlier_ratio"] >= OUTLIER:
        what = f"{measured['outlier_ratio']:.0f} times what {VALUES:.1%} of the values reach"
    elif measured["channel_ratio"] >= OUTLIER:
        what = (
            f"channel {measured['largest_channel']} alone, {measured['channel_ratio']:.0f} times what "
            f"{CHANNELS:.0%} of the {measured['channels']} channels reach"
        )
    else:
        return None
    ratio = max(measured["outlier_ratio"], measured["channel_ratio"])
    why = (
        f"the range {low:.4g} to {high:.4g} is set by a magnitude of {bound:.4g}, {what}, which leaves the others "
        f"about {max(1.0, CODES / ratio):.0f} of the {CODES + 1} codes"
    )
    return Cause("range outlier", why, measured)


def _clipped(measured: dict[str, Any], seen: Seen, more: Seen, validation: Seen) -> Cause | None:
    def clips(item: Seen) -> bool:
        return item.clipping >= CLIPPING and item.outside >= OUTSIDE

    if clips(more) and not clips(seen):
        why = (
            f"{more.outside:.2%} of the values on more training images are past the codes' ends, "
            f"{seen.outside:.2%} on those that calibrated; largest value {more.high.max():.4g} against "
            f"{seen.high.max():.4g}"
        )
        return Cause("too few calibration samples", why, measured)
    if clips(validation):
        low, high = measured["range"]
        why = (
            f"{validation.outside:.2%} of the values on validation images are past the codes' ends "
            f"({low:.4g} to {high:.4g}; {seen.outside:.2%} on the calibration images), and make "
            f"{validation.clipping:.0%} of the squared error"
        )
        return Cause("saturation", why, measured)
    return None


def _few_codes(measured: dict[str, Any]) -> Cause | None:
    if measured["lost_channels"]:
        why = (
            f"{measured['lost_channels']} of {measured['channels']} channels reach less than half a code's step: they "
            "are always 0"
        )
        return Cause("dead channel", why, measured)
    if measured["few_codes_channels"] >= UNEQUAL * measured["channels"]:
        why = (
            f"{measured['few_codes_channels']} of {measured['channels']} channels have fewer than {FEW_CODES:.0f} of "
            f"the {CODES + 1} codes, because all share one range"
        )
        return Cause("unequal channels", why, measured)
    return None
