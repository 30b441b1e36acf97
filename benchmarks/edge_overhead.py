"""What tkit-edge costs itself: its p50 against a bare loop of `interpreter.invoke()`, and its import.

    make bench, or: python benchmarks/edge_overhead.py

Each file, with weights drawn at random (latency doesn't depend on their values), is run by two processes in turns, one
thread, XNNPACK, on the same inputs: `tkit_edge.worker`, which times each run, and one that has NumPy and LiteRT alone
and times blocks of runs as a whole. A pair of processes gives the median of its rounds' ratios; other pairs follow,
because where a process's memory lies changes its speed by some per cent.

The import is measured in a process that has imported NumPy and LiteRT already: the least processor time of
some processes, files being in the cache, and resident memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _report import publish
from _sides import RESULTS, append, read

FOLDER = Path(tempfile.gettempdir()) / f"tkit-edge-overhead-{os.getuid()}"
FILES = {
    "digits_cnn, int8": "digits_cnn-int8.tflite",
    "ResNet-8, int8": "resnet8-int8.tflite",
    "ResNet-8, float32": "resnet8-float32.tflite",
}
PACKAGES = ("tkit-edge", "ai-edge-litert", "numpy")
PAIRS, ROUNDS, SECONDS, IMPORTS = 9, 15, 0.2, 15
BARE = """
import sys, time
import numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=1)
interpreter.allocate_tensors()
random = np.random.default_rng(0)
for item in interpreter.get_input_details():
    dtype = np.dtype(item["dtype"])
    if dtype.kind == "f":
        values = random.uniform(0, 255, item["shape"])
    else:
        values = random.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, item["shape"], dtype, endpoint=True)
    interpreter.set_tensor(item["index"], values.astype(dtype))
invoke, clock = interpreter.invoke, time.perf_counter_ns
invoke()
began = clock()
for _ in range(10):
    invoke()
count = max(1, 2_000_000 // (clock() - began))  # about 0.2 ms: few blocks are interrupted
for line in sys.stdin:
    end, blocks = clock() + int(float(line) * 1e9), []
    while clock() < end:
        began = clock()
        for _ in range(count):
            invoke()
        blocks.append((clock() - began) / count)
    print(sorted(blocks)[len(blocks) // 2], flush=True)
"""
IMPORT = """
import sys, time
def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))
import numpy
import ai_edge_litert.interpreter
memory, began = resident(), time.process_time()
for name in sys.argv[1:]:
    __import__(name)
print(1e3 * (time.process_time() - began), resident() - memory)
"""
PARTS = {
    "`from tkit_edge import Classifier`": ["tkit_edge.classifier"],
    "`tkit-edge bench`": ["tkit_edge.__main__", "tkit_edge.commands.bench", "tkit_edge.bench", "tkit_edge.table"],
}


def prepare(folder: Path) -> None:
    """The files."""
    import keras

    from tkit.conversion.converter import Converter
    from tkit.models import Spec, Statistics
    from tkit.models.cnn import CNN
    from tkit.models.resnet import ResNet

    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    for name, model, shape in (
        ("digits_cnn", CNN(depth=2, width=24), (8, 8, 1)),
        ("resnet8", ResNet(depth=8), (32, 32, 3)),
    ):
        built = model.build(Spec.of_images(shape, 10, Statistics(120.0, 4000.0)))
        images = random.integers(0, 256, (64, *shape), dtype=np.uint8)
        built.predict(images.astype(np.float32), verbose=0)
        with Converter(built, {"image": images}, io="int8") as convert:
            for fmt in ("float32", "int8"):
                (folder / f"{name}-{fmt}.tflite").write_bytes(convert(fmt))


def pair(path: Path) -> dict[str, float]:
    """Two fresh processes in turns: the medians of their rounds in us, and of the rounds' ratios."""
    from tkit_edge.worker import Worker

    command = [sys.executable, "-c", BARE, str(path)]
    with (
        Worker(path, 1, "xnnpack", 60.0) as worker,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as bare,
    ):
        assert bare.stdin is not None and bare.stdout is not None
        worker.ask("load")
        rounds = []
        for _ in range(ROUNDS + 1):
            own = float(np.median(worker.run(seconds=SECONDS, runs=20)))
            print(SECONDS, file=bare.stdin, flush=True)
            rounds.append((own, float(bare.stdout.readline())))
        bare.stdin.close()
    ours, theirs = zip(*rounds[1:], strict=True)  # the first round warms up
    ratio = median(own / other for own, other in zip(ours, theirs, strict=True))
    return {"p50_us": median(ours) / 1e3, "bare_us": median(theirs) / 1e3, "ratio": ratio}


def imported(modules: list[str]) -> dict[str, float]:
    """The least time of some processes, as what disturbs only adds to it, and the median memory."""
    command = [sys.executable, "-c", IMPORT, *modules]
    compiled = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    found = [
        subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=compiled).stdout
        for _ in range(IMPORTS + 1)
    ]
    times, memories = zip(*(map(float, line.split()) for line in found[1:]), strict=True)
    return {"milliseconds": min(times), "mebibytes": median(memories)}


def main() -> None:
    path = RESULTS / "edge_overhead.jsonl"
    if not all((FOLDER / file).is_file() for file in FILES.values()):
        prepare(FOLDER)
    for name, file in FILES.items():
        for _ in range(sum(row["run"] == name for row in read(path, packages=PACKAGES)), PAIRS):
            append(path, {"run": name, **pair(FOLDER / file)}, PACKAGES)
    for name, modules in PARTS.items():
        if all(row["run"] != name for row in read(path, packages=PACKAGES)):
            append(path, {"run": name, **imported(modules)}, PACKAGES)
    rows = read(path, packages=PACKAGES)
    report({name: [row for row in rows if row["run"] == name] for name in (*FILES, *PARTS)})


def report(measured: dict[str, list[dict[str, Any]]]) -> None:
    """The page's section and the README's rows."""
    lines = [
        "| file | tkit-edge's p50, µs | bare loop, µs | ratio, median of pairs (range) |",
        "| --- | --- | --- | --- |",
    ]
    worst = 0.0
    for name in FILES:
        own = measured[name]
        ratios = [row["ratio"] for row in own]
        ours, bare = (median(row[key] for row in own) for key in ("p50_us", "bare_us"))
        worst = max(worst, median(ratios))
        lines.append(
            f"| {name} | {ours:.2f} | {bare:.2f} | {median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}) |"
        )
    lines += ["", "| import | ms | MiB |", "| --- | --- | --- |"]
    parts = {name: measured[name][0] for name in PARTS}
    lines += [f"| {name} | {row['milliseconds']:.0f} | {row['mebibytes']:.1f} |" for name, row in parts.items()]
    body = "\n".join(
        [
            "The same file, one thread, XNNPACK; at most 1.02 is wanted. Imports on top of NumPy and LiteRT, in",
            "processor time and resident memory; at most 50 ms and 10 MiB are wanted.",
            "",
            *lines,
        ]
    )
    milliseconds = " / ".join(f"{row['milliseconds']:.0f}" for row in parts.values())
    memory = " / ".join(f"{row['mebibytes']:.1f}" for row in parts.values())
    rows = [
        ("`tkit-edge bench`'s p50 / a bare loop of `interpreter.invoke()`, the worst of 3 files", f"{worst:.3f} x"),
        (f"{' / '.join(PARTS)}, import over NumPy and LiteRT alone", f"{milliseconds} ms, {memory} MiB"),
    ]
    publish("edge_overhead", "What tkit-edge costs itself", body, rows, measured)


if __name__ == "__main__":
    main()
