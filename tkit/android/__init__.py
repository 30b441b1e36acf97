"""Android devices: `adb`, and LiteRT's `benchmark_model`, which measures files there."""
