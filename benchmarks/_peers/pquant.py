"""PQuantML: pruning and fixed-point training on Keras 3; then the weights in the plain network.

`add_compression_layers` puts one layer behind the other, which a residual network isn't: its layers are put in here.
"""

from __future__ import annotations

from typing import Any

from _peers.given import Given, converted, rebuild, train


def make(given: Given, sparsity: str) -> bytes:
    """`sparsity` is the share of the weights that become 0; 0 for no pruning."""
    import keras
    import pquant
    from pquant.core.keras.train import PQuantCallback
    from pquant.layers import PQConv2d, PQDense

    config = _config(pquant, given, float(sparsity))
    plain = keras.saving.load_model(given.model, compile=False)
    replaced = {
        "Conv2D": lambda settings: PQConv2d(config, **_without_activation(settings)),
        "Dense": lambda settings: PQDense(config, **_without_activation(settings)),
    }
    model = rebuild(keras, given, replaced)
    for layer in given.layers:
        target, source = model.get_layer(layer["name"]), plain.get_layer(layer["name"])
        if layer["class"] in replaced:
            target._kernel.assign(source.kernel)
            if source.use_bias:
                target._bias.assign(source.bias)
        elif layer["arrays"]:
            target.set_weights(source.get_weights())
    train(keras, model, given, callbacks=(PQuantCallback(config, log_ebops=False),))
    for layer in given.layers:
        trained = model.get_layer(layer["name"])
        if layer["class"] in replaced:
            arrays = [trained.kernel] + ([trained.bias] if trained.use_bias else [])
            plain.get_layer(layer["name"]).set_weights([keras.ops.convert_to_numpy(array) for array in arrays])
        elif layer["arrays"]:
            plain.get_layer(layer["name"]).set_weights(trained.get_weights())
    return converted(plain, given)


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


def _without_activation(settings: dict[str, Any]) -> dict[str, Any]:
    """Its layers have none; the network's own are linear."""
    return {key: value for key, value in settings.items() if key != "activation"}
