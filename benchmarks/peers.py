"""tkit beside what a user has without it: the same trained Keras 3 models to int8 files, the same extra epochs.

    python benchmarks/peers.py                      # both models: cifar10_resnet8 needs $TKIT_TEST_DATA
    python benchmarks/peers.py --quick              # digits_cnn only
    python benchmarks/peers.py --sides A,B          # these sides, those that failed before too
    python benchmarks/peers.py --report             # measures nothing: the tables

Each peer runs in an environment of its own that pip makes (`--environments DIR`, or $TKIT_PEERS). All get the same
weights, calibration images and augmented training batches; the test images stay here. A side that fails is a row that
says how. Rows are JSON lines in benchmarks/results/peers.jsonl, known by the model's digest, the side and the epochs,
and aren't measured again.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _latency import speedup
from _peer_environments import Environments, PeerError
from _peer_handout import hand_out
from _sides import RESULTS, setup

PACKAGES = ("keras-tkit", "tensorflow", "keras", "ai-edge-litert", "numpy")
FILE = RESULTS / "peers.jsonl"
FLOAT = ("export.formats=float32", "export.parity.drop=1", "export.parity.agreement=0")
INT8 = ("export.formats=int8", "export.parity.drop=1", "export.parity.agreement=0")
MINUTES = 60
"""The longest that one side may take."""


class Base(NamedTuple):
    """A model that is quantized: its recipe with overrides, and how many epochs the sides that train add."""

    recipe: str
    overrides: tuple[str, ...]
    epochs: int


BASES = {
    "digits_cnn": Base("digits_cnn", (), 30),
    "cifar10_resnet8": Base("cifar10_resnet8", ("fit.epochs=15",), 3),
}


class Side(NamedTuple):
    """What makes an int8 file of a model: a module of `_peers` with its arguments, or steps of `tkit.compress`."""

    title: str
    module: str | None = None
    arguments: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    """Of its environment; none: tkit's own has what it needs."""
    python: str | None = None
    """The newest Python that its packages run on, where that isn't every one of tkit's."""
    steps: tuple[str, ...] = ()
    """With {all} for the epochs, {third} and {rest} for parts of them."""


HGQ = ("hgq2==0.2.0", "tensorflow==2.21.0", "keras==3.15.1")
PQUANT = ("pquant-ml[tensorflow]==0.1.0",)
MCT = ("model-compression-toolkit==2.6.1", "tensorflow==2.15.1")
SIDES = {
    "tkit-ptq": Side("tkit, PTQ"),
    "tkit-qat": Side("tkit, QAT", steps=("quantize:aware=true,epochs={all}",)),
    "tkit-pcqat": Side(
        "tkit, 50 % pruned, 16 clusters, QAT (PCQAT)",
        steps=(
            "prune:sparsity=0.5,epochs={third}",
            "cluster:clusters=16,epochs={third}",
            "quantize:aware=true,epochs={rest}",
        ),
    ),
    "tkit-pcqat-taught": Side(
        "tkit, 65 % pruned, 12 clusters for all layers, QAT, taught (PCQAT)",
        steps=(
            "prune:sparsity=0.65,scope=global,teacher=self,epochs={third}",
            "cluster:clusters=12,scope=global,teacher=self,epochs={third}",
            "quantize:aware=true,teacher=self,epochs={rest}",
        ),
    ),
    "converter": Side("TensorFlow's converter, PTQ", "converter"),
    "litert-quantizer": Side(
        "litert-quantizer, static int8", "litert_quantizer", packages=("litert-quantizer==0.11.0",)
    ),
    "keras-quantize": Side('Keras\'s `quantize("int8")`', "keras_quantize"),
    "tfmot-qat": Side("TFMOT, QAT", steps=("tfmot_quantize:epochs={all}",)),
    "hgq2": Side("HGQ2, QAT, from 5 fractional bits", "hgq", ("5", "1"), HGQ),
    "hgq2-3-bits": Side("HGQ2, QAT, from 3 fractional bits", "hgq", ("3", "1"), HGQ),
    "hgq2-2-bits": Side("HGQ2, QAT, from 2 fractional bits", "hgq", ("2", "1"), HGQ),
    "pquantml": Side("PQuantML, QAT", "pquant", ("0",), PQUANT),
    "pquantml-pruned": Side("PQuantML, 50 % pruned, QAT", "pquant", ("0.5",), PQUANT),
    "mct-ptq": Side("Sony MCT, PTQ", "mct", ("ptq",), MCT, "3.11"),
    "mct-gptq": Side("Sony MCT, GPTQ", "mct", ("gptq",), MCT, "3.11"),
    "mct-qat": Side("Sony MCT, QAT", "mct", ("qat",), MCT, "3.11"),
    "mct-channels": Side("Sony MCT, channels pruned, PTQ", "mct", ("channels",), MCT, "3.11"),
}
TKIT_PTQ, TKIT_QAT = "tkit-ptq", "tkit-qat"
"""Whose files the others' latency and accuracy are compared with."""


def main() -> None:
    parser = argparse.ArgumentParser(description="tkit beside its peers.", allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="digits_cnn only")
    parser.add_argument(
        "--sides", type=lambda text: text.split(","), metavar="A,B", help="only these; failed ones anew"
    )
    parser.add_argument("--epochs", type=int, help="that each side which trains adds; by default as `BASES` says")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    parser.add_argument(
        "--environments",
        type=Path,
        default=os.environ.get("TKIT_PEERS", Path.home() / ".cache" / "tkit-peers"),
        metavar="DIR",
        help="where the peers' environments are, about 2 GB each [$TKIT_PEERS, else %(default)s]",
    )
    arguments = parser.parse_args()
    unknown = [name for name in arguments.sides or () if name not in SIDES]
    if unknown:
        sys.exit(f"No side is called {', '.join(unknown)}: {', '.join(SIDES)}.")
    environments = Environments(Path(arguments.environments).expanduser())
    for name, base in () if arguments.report else chosen(arguments.quick).items():
        compare(name, base._replace(epochs=arguments.epochs or base.epochs), arguments.sides, environments)
    if rows := read():
        from _peer_page import report

        report(list(rows.values()), {name: side.title for name, side in SIDES.items()})


def chosen(quick: bool) -> dict[str, Base]:
    """The models; those of CIFAR-10 only where it is."""
    if quick:
        return {"digits_cnn": BASES["digits_cnn"]}
    if "TKIT_TEST_DATA" not in os.environ:
        print("cifar10_resnet8 is left out: TKIT_TEST_DATA doesn't say where cifar10-jpeg.tar.gz is.")
        return {"digits_cnn": BASES["digits_cnn"]}
    data = json.dumps(str(Path(os.environ["TKIT_TEST_DATA"]) / "cifar10-jpeg.tar.gz"))
    resnet = BASES["cifar10_resnet8"]
    return BASES | {"cifar10_resnet8": resnet._replace(overrides=(f"data.source={data}", *resnet.overrides))}


def read() -> dict[str, dict[str, Any]]:
    """The rows by their keys; the last of a key counts."""
    lines = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    return {row["key"]: row for row in map(json.loads, lines)}


def keep(row: dict[str, Any]) -> None:
    """Adds a row, or puts it in the place of an older one."""
    rows = read() | {row["key"]: {**row, "setup": setup(PACKAGES), "date": str(datetime.date.today())}}
    FILE.parent.mkdir(exist_ok=True)
    whole = FILE.with_suffix(".new")
    whole.write_text("".join(f"{json.dumps(item)}\n" for item in rows.values()), encoding="utf-8")
    whole.replace(FILE)


def compare(name: str, base: Base, sides: Sequence[str] | None, environments: Environments) -> None:
    """Measures what isn't measured yet of one model."""
    run = trained(base)
    weights = run.entry("fit", "float")["outputs"]["float/weights.npz"]
    folder = RESULTS / "peers" / f"{name}-{weights[:12]}-{base.epochs}"
    rows = read()
    for side in sides or SIDES:
        key = digest(weights, side, SIDES[side], base.epochs)
        if key in rows and not (sides and "error" in rows[key]):
            continue
        print(f"{name}: {side} ...", file=sys.stderr, flush=True)
        if not (folder / "settings.json").exists():
            hand_out(run, folder, base.epochs)
        row = {"key": key, "model": name, "side": side, "epochs": base.epochs, "trained": run.recipe.fit.epochs}
        try:
            file, versions = made(side, run, folder, base.epochs, environments)
            row |= {"versions": versions}
            own = {name: made(name, run, folder, base.epochs, environments)[0] for name in (TKIT_PTQ, TKIT_QAT)}
            row |= measured(file, folder, run, own)
        except PeerError as error:
            row |= {"error": str(error)[:300]}
        keep(row)


def digest(*what: Any) -> str:
    """Of things that have a JSON form."""
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]


def trained(base: Base) -> Any:
    """The model's run, with its float32 file; trained where it isn't there."""
    import tkit

    wanted = tkit.load_recipe(base.recipe, list(base.overrides)).recipe
    runs = [tkit.Run.open(path.parent) for path in sorted((RESULTS / "runs").glob(f"{wanted.name}-*/manifest.json"))]
    found = [run for run in runs if run.recipe == wanted and "float/fit" in run.manifest["stages"]]
    run = found[0] if found else tkit.fit(wanted, runs_dir=RESULTS / "runs")
    tkit.export(run, variant="float", overrides=FLOAT)
    return run


def made(side: str, run: Any, folder: Path, epochs: int, environments: Environments) -> tuple[Path, dict[str, str]]:
    """A side's file, made where it isn't there, and the versions of what made it.

    Raises:
        PeerError: the side failed.
    """
    spec = SIDES[side]
    file = folder / f"{digest(side, spec)}.tflite"
    if not file.exists():
        if spec.module is None:
            _by_tkit(spec, run, file, epochs)
        else:
            python = environments.python(spec.packages, spec.python)
            environments.run(python, [spec.module, str(folder), str(file), *spec.arguments], MINUTES)
    return file, json.loads(file.with_suffix(".json").read_text())


def _by_tkit(spec: Side, run: Any, file: Path, epochs: int) -> None:
    import tkit
    from tkit_edge.errors import InputError

    parts = {"all": epochs, "third": max(1, epochs // 3), "rest": max(1, epochs - 2 * (epochs // 3))}
    steps = [step.format_map(parts) for step in spec.steps]
    try:
        variant = tkit.compress(run, steps)["variant"] if steps else "float"
        tkit.export(run, variant=variant, overrides=INT8)
    except InputError as error:
        raise PeerError(str(error)) from error
    file.write_bytes((run.variant_folder(variant) / "export" / "model-int8.tflite").read_bytes())
    from importlib.metadata import version

    packages = ["keras-tkit", "tensorflow", "keras"]
    if any("tfmot" in step for step in steps):
        packages += ["tensorflow-model-optimization", "tf_keras"]
    file.with_suffix(".json").write_text(json.dumps({package: version(package) for package in packages}))


def measured(file: Path, folder: Path, run: Any, own: dict[str, Path]) -> dict[str, Any]:
    """A file's figures; `own` are tkit's files that it is compared with, by side.

    Returns:
        Sizes and arithmetic, and, where LiteRT loads the file, accuracy and latency; else why it doesn't.
    """
    from tkit.conversion.statistics import paired_drop
    from tkit.stages._common import data_of
    from tkit_edge import anatomy
    from tkit_edge.accuracy import top1
    from tkit_edge.errors import InputError
    from tkit_edge.isolated import IsolatedModel

    parts = anatomy.dissect(file.read_bytes())
    row: dict[str, Any] = {"bytes": parts.bytes, "zip_bytes": parts.zip_bytes, "arithmetic": parts.arithmetic}
    row |= {"inputs": list(parts.inputs), "operators": {kind.name: kind.count for kind in parts.operators}}
    test = data_of(run).test

    def right(path: Path) -> np.ndarray:
        with IsolatedModel(path) as model:
            return top1(model.predict(test.images)) == test.labels

    try:
        after = right(file)
    except InputError as error:
        return row | {"error": f"LiteRT doesn't run its file: {error}"[:300]}
    before = right(folder / "float32.tflite")
    drop, interval = paired_drop(before, after)
    behind, behind_interval = paired_drop(right(own[TKIT_QAT]), after)
    return row | {
        "float": float(np.mean(before)),
        "accuracy": float(np.mean(after)),
        "drop": drop,
        "interval": list(interval),
        "behind_qat": behind,
        "behind_qat_interval": list(behind_interval),
        "images": len(test.labels),
        "latency": 1 / speedup(own[TKIT_PTQ].read_bytes(), file.read_bytes()),
    }


if __name__ == "__main__":
    main()
