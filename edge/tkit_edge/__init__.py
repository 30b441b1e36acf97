"""tkit_edge: the part of tkit that runs on the device, on the standard library, numpy and the LiteRT runtime."""

__version__ = "0.1.0"
