"""The TensorFlow Model Optimization Toolkit, which supports only Keras 2, applied to translated models."""
