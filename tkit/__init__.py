"""tkit: from a Keras 3 recipe to a measured .tflite."""
__version__ = "0.1.0"
