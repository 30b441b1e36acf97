"""The whole way of one model in the process that it is given: save, evaluate, export, compress, export again.

Each stage is the command that a user would type, run in this process: its exit code and its message are what is judged.
Before anything counts as right, the exported files are run on test images against the model itself.
"""

from __future__ import annotations

import io
import re
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from _foreign import Entry, data

STEPS = ("prune:sparsity=0.5", "cluster:clusters=16", "quantize:aware=true")
STAGES = ("evaluate", "export", "compress", "export again")
FORMATS = ("float32", "float16", "dynamic", "int8", "int16x8")
EPOCHS, BATCH, RATE = 30, 32, 3e-3
FLOAT_DIFFERENCE = 1e-2
"""Of a float file's outputs, as a share of the largest; tkit's own bound is smaller."""
DECISIVE, AGREEMENT = 0.1, 0.8
"""Least share of a quantized file's top-1 answers that are Keras's, among images whose margin is so large a share of
the largest output: on what an untrained model can't tell apart, rounding decides."""
DROP = 0.05
"""Of a trained model's accuracy; past it, only with a warning."""
_FLOAT_ENDS = ("QUANTIZE", "DEQUANTIZE")
Report = Callable[[dict[str, Any]], None]


def one_step() -> None:
    """Has compression train one step without tracing it, and measure no latency: a model's way in a few seconds."""
    import tensorflow as tf

    from tkit.compression.ledger import Ledger
    from tkit.compression.workbench import Workbench

    make, train = Workbench.__init__, Workbench.train

    def short(work: Any, *arguments: Any, **settings: Any) -> None:
        make(work, *arguments, **{**settings, "max_steps": 1})

    def eagerly(work: Any, *arguments: Any, **settings: Any) -> Any:
        tf.config.run_functions_eagerly(True)
        try:
            return train(work, *arguments, **settings)
        finally:
            tf.config.run_functions_eagerly(False)

    Workbench.__init__ = short  # type: ignore[method-assign]
    Workbench.train = eagerly  # type: ignore[method-assign]
    Ledger.measure = lambda ledger: [row.update(p50_ms=1.0, speedup=1.0) for row in ledger.rows]  # type: ignore


def go(entry: Entry, folder: Path, report: Report) -> None:
    """Takes the model through the stages; `report` gets what each came to, as soon as it is known."""
    import keras

    keras.utils.set_random_seed(0)
    model = entry.build()
    shape = tuple(model.inputs[0].shape[1:])
    images = data.folder(folder.parent, entry.classes, shape, *((100, 75) if entry.trained else (60, 30)))
    if entry.trained:
        _train(entry, model, images)
    model = entry.finish(model)
    path = folder / entry.file
    model.save(path)
    tests, labels = data.arrays(images, "test")
    scores = _scores(entry, model, tests)
    kinds = {layer.name: type(layer).__name__ for layer in model._flatten_layers()}
    report(
        {
            "trained": entry.trained,
            "parameters": int(model.count_params()),
            "keras": _accuracy(scores, labels),
            "layers": kinds,
        }
    )
    names = set(kinds)
    pixels = [] if entry.pixels is None else [f"--pixels={entry.pixels}"]
    given = [str(path), "--data", str(images), *pixels, "--runs-dir", str(folder / "runs")]
    if not _stage("evaluate", ["evaluate", *given], names, report):
        return
    run = next((folder / "runs").iterdir())
    _stage("export", ["export", str(run)], names, report)
    _files(entry, run / "float", tests, labels, scores, report, "export")
    steps = STEPS if entry.trained else tuple(f"{step},epochs=1" for step in STEPS)
    if not _stage("compress", ["compress", str(run), *steps], names, report):
        return
    (variant,) = (item for item in run.iterdir() if (item / "compress.json").exists())
    report({"kept": _kept(variant), "warnings": _warnings(variant)})
    _stage("export again", ["export", str(run)], names, report)
    compressed = keras.saving.load_model(variant / "model.keras")
    own = np.asarray(compressed.predict(tests.astype(np.float32), verbose=0))
    _files(entry, variant, tests, labels, own, report, "export again")


def _train(entry: Entry, model: Any, images: Path) -> None:
    import keras

    tests, labels = data.arrays(images, "train")
    losses = {
        "logits": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "softmax": keras.losses.SparseCategoricalCrossentropy(),
        "sigmoid": keras.losses.BinaryCrossentropy(),
        "logit": keras.losses.BinaryCrossentropy(from_logits=True),
    }
    trained = keras.Model(model.inputs, keras.tree.flatten(model.outputs)[0])
    trained.compile(keras.optimizers.Adam(RATE), losses[entry.output])
    trained.fit(_scaled(tests, entry), labels, batch_size=BATCH, epochs=EPOCHS, verbose=0)


def _scaled(images: np.ndarray, entry: Entry) -> np.ndarray:
    scale, offset = {"0-1": (1 / 255, 0), "-1-1": (1 / 127.5, -1)}.get(entry.pixels or "", (1, 0))
    return images.astype(np.float32) * scale + offset


def _scores(entry: Entry, model: Any, images: np.ndarray) -> np.ndarray:
    """Float32 [n, classes]: what Keras itself outputs, a single score as two."""
    import keras

    batch = model.inputs[0].shape[0] or 32
    scores = keras.tree.flatten(model.predict(_scaled(images, entry), verbose=0, batch_size=batch))[0]
    scores = np.asarray(scores, np.float32)
    if scores.shape[1] == 1:
        first = 1 - scores if entry.output == "sigmoid" else -scores
        scores = np.concatenate([first, scores], axis=1)
    return scores


def _accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(scores.argmax(axis=1) == labels))


def _stage(stage: str, arguments: list[str], names: set[str], report: Report) -> bool:
    """Runs a command; whether it ended well."""
    report({"stage": stage})
    began, said = time.perf_counter(), io.StringIO()
    from tkit import cli, console

    console.console.cache_clear()
    code, verdict, where = 0, "ok", None
    with redirect_stdout(said), redirect_stderr(said):
        try:
            cli.main(arguments)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
            verdict = "ok" if code == 0 else "refused"
        except BaseException as error:
            frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/tkit" in frame.filename]
            where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else None
            verdict, code = "traceback", 1
            said.write("".join(traceback.format_exception(error)))
    text = said.getvalue()
    lines = [line for line in text.splitlines() if line.strip()]
    message = text[text.rindex("Error: ") + 7 :].strip() if "Error: " in text and code else ""
    message = message or (lines[-1] if code and lines else "")
    quoted = set(re.findall(r"'([^']+)'", message))
    made_up = sorted(name for name in quoted if name not in names and any(name.startswith(own) for own in names))
    report(
        {
            stage: {
                "verdict": verdict,
                "code": code,
                "seconds": round(time.perf_counter() - began, 1),
                "message": message[:1000],
                "where": where,
                "made_up": made_up,
                "log": text[-3000:] if code else "\n".join(line for line in lines if line.startswith(FORMATS)),
            }
        }
    )
    return verdict == "ok"


def _files(
    entry: Entry,
    variant: Path,
    images: np.ndarray,
    labels: np.ndarray,
    scores: np.ndarray,
    report: Report,
    stage: str,
) -> None:
    """Runs the exported files on test images."""
    from tkit_edge import flatbuffer
    from tkit_edge.runtime import Model

    found: dict[str, Any] = {}
    top = np.sort(scores, axis=1)
    decisive = top[:, -1] - top[:, -2] > DECISIVE * max(np.abs(scores).max(), 1e-9)
    for fmt in FORMATS:
        path = variant / "export" / f"model-{fmt}.tflite"
        if not path.exists():
            continue
        bytes_ = path.read_bytes()
        outputs = Model(bytes_).predict(images)
        same = outputs.argmax(axis=1) == scores.argmax(axis=1)
        item = {
            "accuracy": _accuracy(outputs, labels),
            "difference": float(np.abs(outputs - scores).max() / max(np.abs(scores).max(), 1e-9)),
            "agreement": float(np.mean(same)),
            "decisive": float(np.mean(same[decisive])) if decisive.any() else 1.0,
        }
        limit = FLOAT_DIFFERENCE if fmt == "float32" else 3 * FLOAT_DIFFERENCE
        wrong = item["difference"] > limit if fmt.startswith("float") else item["decisive"] < AGREEMENT
        item["wrong"] = bool(wrong or (entry.trained and _accuracy(scores, labels) - item["accuracy"] > DROP))
        if fmt == "int8":
            graph = flatbuffer.read(bytes_)
            item["float_operators"] = sorted(
                {
                    operator.name
                    for operator in graph.operators
                    if operator.name not in _FLOAT_ENDS
                    and any(graph.tensors[index].dtype == "float32" for index in operator.outputs)
                }
            )
        found[fmt] = item
    report({f"{stage} files": found})


def _kept(variant: Path) -> dict[str, list[str]]:
    """Which layers compression pruned, clustered, quantized and left in float."""
    import json

    kept = json.loads((variant / "compress.json").read_text())
    quantized = kept.get("quantized") or {}
    return {
        "pruned": sorted(kept["pruned"]),
        "clustered": sorted(kept["clustered"]),
        "quantized": sorted(quantized.get("scales", {})),
        "float": sorted(quantized.get("float_layers", ())),
    }


def _warnings(variant: Path) -> list[str]:
    """Lines of the ledger that warn."""
    lines = (variant / "ledger.txt").read_text().splitlines()
    return [line for line in lines if "warning" in line.lower() or "lost" in line.lower()]
