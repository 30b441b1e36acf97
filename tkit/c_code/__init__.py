"""int8 .tflite files as plain C99: `model.c` and `model.h` without a runtime, for microcontrollers."""
