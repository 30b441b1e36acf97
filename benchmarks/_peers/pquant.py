"""PQuantML: pruning and fixed-point training on Keras 3; then the weights in the plain network.

`add_compression_layers` puts one layer behind the other, which a residual network isn't: its layers are put in here.
"""

from __future__ import annotations

from typing import Any

from _peers.given import Given, retrained


def make(given: Given, sparsity: str) -> bytes:
    """`sparsity` is the share of the weights that become 0; 0 for no pruning."""
    import keras
    import pquant
    from pquant.core.keras.train import PQuantCallback
    from pquant.layers import PQConv2d, PQDense

    config = _config(pquant, given, float(sparsity))
    replaced = {
        "Conv2D": lambda settings: PQConv2d(config, **_without_activation(settings)),
        "Dense": lambda settings: PQDense(config, **_without_activation(settings)),
    }
    return retrained(keras, given, replaced, _rounded, callbacks=(PQuantCallback(config, log_ebops=False),))


def _rounded(layer: Any) -> dict[str, Any]:
    return {"kernel": layer.kernel} | ({"bias": layer.bias} if layer.use_bias else {})


def _without_activation(settings: dict[str, Any]) -> dict[str, Any]:
    """Its layers have none; the network's own are linear."""
    return {key: value for key, value in settings.items() if key != "activation"}


def _config(pquant: Any, given: Given, sparsity: float) -> Any:
    """8 bits by channel, ranges from the data; PDP prunes in two thirds of the epochs, and keeps the zeros after."""
    settings = pquant.pdp_config().model_dump()
    fine_tuning = given.epochs // 3
    settings["training_parameters"] |= {
        "pretraining_epochs": 0,
        "epochs": given.epochs - fine_tuning,
        "fine_tuning_epochs": fine_tuning,
    }
    settings["quantization_parameters"] |= {
        "granularity": "per_channel",
        "dynamic_data_quantization": True,
        "default_data_keep_negatives": 1.0,
    }
    settings["pruning_parameters"] |= {
        "enable_pruning": sparsity > 0,
        "epsilon": 1 / (given.epochs - fine_tuning),  # the whole sparsity in the last of those epochs
    }
    if sparsity:  # a sparsity of 0 fails, even where nothing is pruned
        settings["pruning_parameters"]["sparsity"] = sparsity
    return pquant.load_from_dictionary(settings)
