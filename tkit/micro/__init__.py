"""Microcontrollers without the hardware: TFLite Micro's runtime, and the compiler of Arm's Ethos-U NPUs."""
