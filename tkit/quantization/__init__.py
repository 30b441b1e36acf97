"""The int8 graph of a Keras model: which tensors are rounded, where, and to which ranges."""
