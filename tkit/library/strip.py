"""A model in training as its stock Keras model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tkit_edge.errors import InputError

if TYPE_CHECKING:
    import keras


def strip(model: keras.Model) -> keras.Model:
    """The stock Keras model of one that `prunable`, `clusterable` or `quantize_aware` returned, as it is trained now.

    Its weights are those of the device: zeros, shared values, int8 codes times scales. It is float32, it loads without
    tkit, and this process remembers its promises, for `to_tflite`. Saved and loaded, it has lost them: save the model
    in training where quantization-aware training is to be exported later.

    Args:
        model: it isn't changed.

    Raises:
        InputError: a model of stock layers, or one whose schedule didn't come to its end.

    Example:
        >>> tkit.strip(model).save("small.keras")
    """
    import keras

    from tkit.compressible.model import Compressible
    from tkit.compressible.stripping import promised, remember, stripped

    if not isinstance(model, Compressible):
        before = isinstance(model, keras.Model) and promised(model) is not None
        raise InputError(
            "strip expected a model that tkit.prunable, tkit.clusterable or tkit.quantize_aware returned, received "
            + ("one that has been stripped: it has stock layers already." if before else f"{type(model).__name__}.")
        )
    return remember(stripped(model), model)
