"""C files on an emulated Cortex-M4: memory beside TFLite Micro's arena, instructions beside plain loops.

    make bench, or: pip install -e ".[bench,tflm]"; python benchmarks/c_code.py    # minutes

It needs Debian's gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm. ResNet-8 and MobileNetV2 0.5 have
weights drawn at random: neither memory nor instructions depend on them. QEMU counts instructions (`-icount shift=0`),
not cycles. The plain loops are a nest for each convolution, with the same constants and the same rounding.
"""

from __future__ import annotations

import datetime
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _report import publish
from _sides import setup

from tkit.c_code.cortex_m import emulator
from tkit.c_code.text import kernel

PLAIN = Path(__file__).parent / "_plain_loops"
SIDES = ("plain loops", "patches, two by two", "and pairs of 16 bits")
_WITHOUT_PAIRS = "#undef __ARM_FEATURE_SIMD32\n"


def main() -> None:
    if emulator.missing():
        print(f"c_code.py is left out: {', '.join(emulator.missing())} not found; apt install {emulator.PACKAGES}.")
        return
    with tempfile.TemporaryDirectory(prefix="tkit-c-") as scratch:
        rows = [measured(name, path, Path(scratch)) for name, path in subjects(Path(scratch)).items()]
    report(rows)


def subjects(scratch: Path) -> dict[str, Path]:
    """int8 files by name, or bundles."""
    import tkit
    from tkit.models.mobilenet import MobileNet
    from tkit.models.resnet import ResNet

    made = {"ResNet-8": untrained(ResNet(depth=8)), "MobileNetV2 0.5": untrained(MobileNet(width=0.5, output_stride=8))}
    found = {}
    for name, data in made.items():
        found[name] = scratch / f"{name}.tflite"
        found[name].write_bytes(data)
    demo = tkit.run("digits_cnn_edge", dry_run=True, runs_dir=scratch).folder
    for variant in ("float", "prune-0.5+cluster-16+int8-qat"):
        found[f"digits_cnn_edge, {variant}"] = demo / variant / "export"
    overrides = ["data.source=sentences", "data.tokenizer=known_ngrams"]
    texts = tkit.fit("sst2_fasttext", dry_run=True, runs_dir=scratch, overrides=overrides)
    tkit.export(texts)
    found["sst2_fasttext"] = texts.folder / "float" / "export"
    return found


def untrained(family: Any) -> bytes:
    """The int8 file of a network for 32x32 images in colour."""
    import keras
    import numpy as np

    from tkit.conversion.converter import Converter
    from tkit.models import Spec, Statistics

    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    model = family.build(Spec.of_images((32, 32, 3), 10, Statistics(120.0, 4000.0)))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.gamma.shape[0]
            scale, offset = random.uniform(0.5, 1.5, count), random.normal(0, 0.3, count)
            layer.set_weights([scale, offset, *layer.get_weights()[2:]])
    with Converter(model, {"image": random.integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)}, io="int8") as convert:
        return convert("int8")


def measured(name: str, path: Path, scratch: Path) -> dict[str, Any]:
    """What a file takes, and what its run costs each side."""
    import tkit

    folder = scratch / "c" / name
    folder.parent.mkdir(exist_ok=True)
    made = tkit.hand_over(path, "c", out=folder)
    file = path if path.is_file() else path / "model-int8.tflite"
    sides = []
    for side, source in versions((folder / "model.c").read_text()).items():
        built = shutil.copytree(folder, scratch / side / name)
        (built / "model.c").write_text(source)
        found = emulator.golden(built, scratch)
        if found.equal < found.samples:
            raise SystemExit(f"{name}, {side}: {found}")
        sides.append({"side": side, **emulator.cost(built, scratch)._asdict()})
    size = emulator.footprint(folder, scratch)
    return {
        "model": name,
        "arena_bytes": made["metrics"]["arena_bytes"],
        "tflm_bytes": tflm_arena(file),
        "flash_bytes": size.flash_bytes,
        "sides": sides,
        "setup": setup(("keras-tkit", "tensorflow", "numpy")) + f"; {tools()}",
        "date": str(datetime.date.today()),
    }


def versions(source: str) -> dict[str, str]:
    """model.c of each side."""
    plain = source
    for path in PLAIN.glob("*.c"):
        plain = plain.replace(kernel(path.stem), path.read_text())
    return dict(zip(SIDES, (plain, _WITHOUT_PAIRS + source, source), strict=True))


def tflm_arena(path: Path) -> int | None:
    """TFLite Micro's smallest arena for a file; None where it can't run it."""
    from tkit.micro.tflm import TflmModel
    from tkit_edge.errors import InputError

    try:
        with TflmModel(path) as model:
            return model.arena().total
    except InputError as error:
        print(error, file=sys.stderr)
        return None


def tools() -> str:
    """The compiler and QEMU, with their versions."""
    lines = (
        subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
        for program in (emulator.COMPILER, emulator.EMULATOR)
    )
    return ", ".join(lines)


def report(rows: list[dict[str, Any]]) -> None:
    """The section of docs/benchmarks.md and the README's rows."""
    memory = [
        "| model | arena | stack | TFLM's arena | arena + stack / TFLM's arena | flash |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    instructions = [f"| model | {' | '.join(SIDES)} | plain / last |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        stack, theirs = row["sides"][-1]["stack_bytes"], row["tflm_bytes"]
        ratio = f"{(row['arena_bytes'] + stack) / theirs:.2f}" if theirs else "-"
        cells = (row["arena_bytes"], stack, theirs, ratio, row["flash_bytes"])
        shown = (f"{cell:,}" if isinstance(cell, int) else cell or "can't run it" for cell in cells)
        memory.append(f"| {row['model']} | {' | '.join(shown)} |")
        counts = [side["instructions"] for side in row["sides"]]
        instructions.append(
            f"| {row['model']} | {' | '.join(f'{count:,}' for count in counts)} | {counts[0] / counts[-1]:.2f} |"
        )
    body = "\n".join(
        [
            "Bytes of RAM and flash of `model.c` (`arm-none-eabi-size`, `-O2`, without the C library), the stack that",
            "one run uses, and TFLite Micro's smallest arena for the same file (`tflite-micro` on x86-64, whose",
            "pointers are twice as long; its stack isn't counted).",
            "",
            *memory,
            "",
            "Instructions of one run on a Cortex-M4 in QEMU: a plain loop nest for each convolution; then zero points",
            "in the biases, windows copied to patches and two of them computed with two filters at a time, in plain",
            "C99; then products of 16 bits in pairs (SMLAD), codes of patches with 16 bits. In each the golden samples",
            "are byte for byte those of LiteRT's reference kernels.",
            "",
            *instructions,
        ]
    )
    resnet = rows[0]
    ratio = (resnet["arena_bytes"] + resnet["sides"][-1]["stack_bytes"]) / (resnet["tflm_bytes"] or 1)
    faster = resnet["sides"][0]["instructions"] / resnet["sides"][-1]["instructions"]
    lines = [
        ("C, ResNet-8, RAM / TFLite Micro's arena", f"{ratio:.2f} x"),
        ("C, ResNet-8 on a Cortex-M4, plain loops / tkit, instructions", f"{faster:.2f} x"),
    ]
    publish("c_code", "C for microcontrollers", body, lines, {"all": rows})


if __name__ == "__main__":
    main()
