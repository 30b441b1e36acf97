"""HGQ2: training with a learned number of bits for each weight, on Keras 3; then the weights in the plain network.

Its own file is one of fake quantization, so that the trained weights, which have few bits, go through the converter.
"""

from __future__ import annotations

from typing import Any

from _peers.given import Given, converted, rebuild, train

RATE = 3e-3
"""Its guides': numbers of bits are weights too, and wouldn't move far at a rate of fine-tuning."""


def make(given: Given, bits: str, price: str) -> bytes:
    """`bits` is the fractional bits of a weight at the start; `price` what a bit operation costs in the loss, as a share of what all of them cost at the start."""
    import keras
    from hgq.config import LayerConfigScope, QuantizerConfigScope
    from hgq.layers import QConv2D, QDense

    plain = keras.saving.load_model(given.model, compile=False)
    replaced = {
        "Conv2D": lambda config: QConv2D(**config),
        "Dense": lambda config: QDense(**config),
    }
    with (
        QuantizerConfigScope(place="all", default_q_type="kif", f0=int(bits), overflow_mode="SAT_SYM"),
        QuantizerConfigScope(place="datalane", i0=4, f0=4, overflow_mode="WRAP"),
        LayerConfigScope(enable_ebops=True, beta0=0.0),
    ):
        model = rebuild(keras, given, replaced)
    for layer in given.layers:
        _copy(plain.get_layer(layer["name"]), model.get_layer(layer["name"]))
    pixels, _ = next(given.batches())
    model(pixels, training=True)  # which counts the bit operations
    counted = [layer for layer in model.layers if hasattr(layer, "ebops")]
    beta = float(price) / sum(float(layer.ebops) for layer in counted)
    for layer in counted:
        layer._beta.assign(beta)
    train(keras, model, given, RATE)
    for layer in given.layers:
        trained = model.get_layer(layer["name"])
        if layer["class"] in replaced:
            arrays = [trained.qkernel] + ([trained.qbias] if trained.use_bias else [])
            plain.get_layer(layer["name"]).set_weights([keras.ops.convert_to_numpy(array) for array in arrays])
        elif layer["arrays"]:
            plain.get_layer(layer["name"]).set_weights(trained.get_weights())
    return converted(plain, given)


def _copy(source: Any, target: Any) -> None:
    """Sets a layer's own weights, not those of its quantizers."""
    for name in ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"):
        weight = getattr(source, name, None)
        if weight is not None:
            getattr(target, f"_{name}" if name == "kernel" else name).assign(weight)
