"""int8 .tflite files in exact integer arithmetic: `model` computes them, `differences` compares kernels."""
