"""Keras's own `Model.quantize("int8")`, then TensorFlow's converter."""

from _peers.given import Given


def make(given: Given) -> bytes:
    import keras
    import tensorflow as tf

    model = keras.saving.load_model(given.model, compile=False)
    model.quantize("int8")
    return tf.lite.TFLiteConverter.from_keras_model(model).convert()
