"""TensorFlow's own converter: post-training quantization to int8."""

from _peers.given import Given, converted


def make(given: Given) -> bytes:
    import keras

    return converted(keras.saving.load_model(given.model, compile=False), given)
