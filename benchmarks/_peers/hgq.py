"""HGQ2: training with a learned number of bits for each weight, on Keras 3; then the weights in the plain network.

LiteRT doesn't load the file of its own layers, so that the trained weights, which have few bits, go through the
converter.
"""

from __future__ import annotations

from typing import Any

from _peers.given import Given, retrained

RATE = 3e-3
"""Its guides': numbers of bits are weights too, and wouldn't move far at a rate of fine-tuning."""


def make(given: Given, bits: str, price: str) -> bytes:
    """The plain network's int8 file with the trained weights.

    Args:
        given: the network.
        bits: fractional bits of each weight at the start.
        price: what all bit operations of the start cost in the loss.
    """
    import keras
    from hgq.config import LayerConfigScope, QuantizerConfigScope
    from hgq.layers import QConv2D, QDense

    def set_price(model: Any) -> None:
        pixels, _ = next(given.batches())
        model(pixels, training=True)  # which counts the bit operations
        counted = [layer for layer in model.layers if hasattr(layer, "ebops")]
        for layer in counted:
            layer._beta.assign(float(price) / sum(float(layer.ebops) for layer in counted))

    replaced = {"Conv2D": lambda config: QConv2D(**config), "Dense": lambda config: QDense(**config)}
    with (
        QuantizerConfigScope(place="all", default_q_type="kif", f0=int(bits), overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", i0=4, f0=4, overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=True, beta0=0.0),
    ):
        return retrained(keras, given, replaced, _rounded, rate=RATE, before=set_price)


def _rounded(layer: Any) -> dict[str, Any]:
    return {"kernel": layer.qkernel} | ({"bias": layer.qbias} if layer.use_bias else {})
