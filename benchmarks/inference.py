"""Latency of tkit's exported files through LiteRT against ONNX Runtime on the same weights, one image, one thread.

    make bench, or: pip install -e ".[bench]"; python benchmarks/inference.py

The models are ResNet-8 and ResNet-20 on 32x32x3 with weights and batch-norm statistics drawn at random: latency
doesn't depend on their values. tkit's side is its export stage's float32 and int8 files under XNNPACK; ONNX Runtime's
is Keras's own ONNX export, with all graph optimizations, and the same quantized by ONNX Runtime's static quantizer
(int8, a scale a channel, QDQ).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
from _latency import CALLS, latency, litert, onnx
from _report import publish
from _sides import Side, Turns, compare, ratios, table

DEPTHS, REPEATS = (8, 20), 9
FOLDER = Path(tempfile.gettempdir()) / f"tkit-inference-{os.getuid()}"


def prepare(depth: int, folder: Path) -> None:
    """The four files of a depth in `folder`."""
    import keras
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from tkit.conversion.converter import Converter
    from tkit.models import Spec, Statistics
    from tkit.models.resnet import ResNet

    keras.utils.set_random_seed(0)
    model = ResNet(depth=depth).build(Spec.of_images((32, 32, 3), 10, Statistics(120.0, 4000.0)))
    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.gamma.shape[0]
            scale, offset = random.uniform(0.5, 1.5, count), random.normal(0, 0.3, count)
            layer.set_weights([scale, offset, *layer.get_weights()[2:]])
    images = random.integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
    model.predict(images.astype(np.float32), verbose=0)
    with Converter(model, {"image": images}, io="int8") as convert:
        for fmt in ("float32", "int8"):
            (folder / f"{fmt}.tflite").write_bytes(convert(fmt))
    spec = [keras.InputSpec(shape=(1, 32, 32, 3), dtype="float32", name="image")]
    model.export(folder / "float32.onnx", format="onnx", verbose=False, input_signature=spec)

    class Images(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = [{"image": image[None].astype(np.float32)} for image in images]

        def get_next(self) -> dict[str, np.ndarray] | None:
            return self.left.pop() if self.left else None

    quant_pre_process(folder / "float32.onnx", folder / "prepared.onnx")
    quantize_static(
        folder / "prepared.onnx",
        folder / "int8.onnx",
        Images(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
    )


def file_side(turns: Turns, load: Callable[[Path, np.ndarray], Callable[[], object]], path: Path) -> None:
    """A file's latency on an image."""
    call = load(path, np.zeros((1, 32, 32, 3), np.float32))
    turns.measure(lambda: latency(call))


def sides(depth: int) -> dict[str, Side]:
    """The sides of a depth by name."""
    folder = FOLDER / f"resnet{depth}"
    return {
        f"ResNet-{depth}, LiteRT float32": partial(file_side, load=litert, path=folder / "float32.tflite"),
        f"ResNet-{depth}, LiteRT int8": partial(file_side, load=litert, path=folder / "int8.tflite"),
        f"ResNet-{depth}, ONNX Runtime float32": partial(file_side, load=onnx, path=folder / "float32.onnx"),
        f"ResNet-{depth}, ONNX Runtime int8": partial(file_side, load=onnx, path=folder / "int8.onnx"),
    }


def main() -> None:
    if sys.argv[1:2] == ["--prepare"]:
        prepare(int(sys.argv[2]), Path(sys.argv[3]))
        return
    if "--side" not in sys.argv:
        for depth in DEPTHS:
            folder = FOLDER / f"resnet{depth}"
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run([sys.executable, __file__, "--prepare", str(depth), str(folder)], check=True)
    parts, rows = [], []
    everything = {name: side for depth in DEPTHS for name, side in sides(depth).items()}
    measured = compare("inference", everything, REPEATS)
    for depth in DEPTHS:
        names = list(sides(depth))
        own = {name: measured[name] for name in names}
        best = min(names[2:], key=lambda name: median(row["microseconds"] for row in measured[name]))
        parts.append(table(own, "microseconds", against=names[1], digits=1))
        for ours, theirs in ((names[0], names[2]), (names[1], names[3]), (names[1], best)):
            label = "ONNX Runtime's best" if theirs == best and ours == names[1] else theirs.partition(", ")[2]
            ratio = ratios(measured, "microseconds", ours, theirs)
            row = (f"{ours} / {label}, latency, one thread", f"{ratio:.2f} x")
            if row not in rows:
                rows.append(row)
    body = f"Microseconds an image, median of {CALLS:,} calls a round.\n\n" + "\n\n".join(parts)
    publish("inference", "Latency: LiteRT and ONNX Runtime", body, rows, measured)


if __name__ == "__main__":
    main()
