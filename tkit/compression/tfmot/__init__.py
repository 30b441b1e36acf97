"""The TensorFlow Model Optimization Toolkit, which works on Keras 2 models, on translated ones."""
