"""Small jobs whose outcome must not change: the digests of what they give, as JSON.

    python tests/frozen/jobs.py             # prints the digests of this tree
    python tests/frozen/jobs.py --record    # keeps them for machines like this one, in digests.json

Trained weights depend on the processor's kernels and the number of threads, so each kind of machine has digests of its
own; augmentation computes with integers and stateless draws and is the same everywhere.
"""

import hashlib
import json
import re
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

import tkit
from tkit_edge import machine
from tkit_edge.bundle import Bundle
from tkit_edge.files import read_arrays

HERE = Path(__file__).parent
RECORDED = HERE / "digests.json"
AUGMENTATION = (
    "flip",
    "alternating_flip",
    "translate:pixels=1",
    "crop:padding=2",
    "cutout:size=3",
    "colour",
    "random_resized_crop",
    "randaugment",
    "mixup",
    "cutmix",
)
DETERMINED = ("accuracy", "val_accuracy", "loss", "val_loss", "bytes", "same_top1", "drop", "max_difference", "samples")


def kind_of_machine() -> str:
    """What trained weights depend on beside the code."""
    described = Path("/proc/cpuinfo")
    text = described.read_text() if described.exists() else ""
    facts = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", text, re.MULTILINE))  # the last core's
    # What the kernels are chosen and blocked by; virtual machines call processors of different generations the same.
    sizes = ", ".join(f"{key} {facts.get(key, '?')}" for key in ("cpu family", "model", "cache size"))
    flags = hashlib.sha256(" ".join(sorted(facts.get("flags", "").split())).encode()).hexdigest()[:8]
    found = machine.describe()
    packages = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras", "ai-edge-litert", "numpy"))
    return f"{found['cpu']} ({sizes}, flags {flags}), {found['cores']} cores, {packages}"


def digest(*arrays: np.ndarray) -> str:
    made = hashlib.sha256()
    for array in arrays:
        made.update(f"{array.dtype} {array.shape} ".encode() + np.ascontiguousarray(array).tobytes())
    return made.hexdigest()[:16]


def weights(run: tkit.Run, variant: str) -> str:
    path = run.folder / variant / "weights.npz"
    return digest(*read_arrays(path, str(path), path.stat().st_size).values())


def figures(value: object) -> object:
    """The numbers of a manifest's metrics that don't depend on time."""
    if isinstance(value, dict):
        kept = {key: figures(item) for key, item in value.items() if isinstance(item, dict) or key in DETERMINED}
        return {key: item for key, item in kept.items() if item != {}}
    return value


def exported(run: tkit.Run, variant: str, *overrides: str) -> dict:
    """The digests of a variant's files and golden samples, and the gate's figures."""
    entry = tkit.export(run, variant=variant, overrides=overrides)
    bundle = Bundle.read(run.folder / variant / "export")
    files = {fmt: hashlib.sha256(bundle.path(fmt).read_bytes()).hexdigest()[:16] for fmt in bundle.models}
    golden = run.folder / variant / "export" / "golden.npz"
    arrays = read_arrays(golden, str(golden), golden.stat().st_size)
    return {"files": files, "golden": digest(*(arrays[name] for name in sorted(arrays))), **figures(entry["metrics"])}


def demo(folder: Path) -> dict:
    """The job of `make demo`, two epochs long: training, five files, compression, its files."""
    run = tkit.fit("digits_cnn", overrides=["fit.epochs=2"], runs_dir=folder)
    found = {"fit": {"weights": weights(run, "float"), **figures(run.entry("fit", "float")["metrics"])}}
    # Two epochs are no model to judge a gate by.
    loose = ("export.parity.agreement=0", "export.parity.drop=1", "export.parity.mean_difference=1e9")
    found["export"] = exported(run, "float", *loose)
    steps = ["prune:sparsity=0.5,epochs=1", "cluster:clusters=16,epochs=1", "quantize:aware=true,epochs=1"]
    tkit.compress(run, steps)
    found["compress"] = {"weights": weights(run, run.variant), "variant": run.variant}
    found["compress_export"] = exported(run, run.variant, *loose)
    return found


def resumed(folder: Path) -> dict:
    """A run that stopped after an epoch, as `tests/frozen/runs-1` holds it, gone on with."""
    copy = folder / "runs-1"
    shutil.copytree(HERE / "runs-1", copy)
    run = tkit.fit(resume=copy / "stopped-1")
    return {"weights": weights(run, "float"), **figures(run.entry("fit", "float")["metrics"])}


def augmentation() -> dict:
    """One batch of each augmentation op."""
    import tensorflow as tf

    from tkit_pipelines.batches import Batches
    from tkit_pipelines.data.images import Images

    found = {}
    for op in AUGMENTATION:
        data = Images.model_validate(
            {"source": "synthetic", "image_size": (8, 8), "channels": 3, "batch_size": 32, "augment": (op,)}
        )
        splits = data.load(seed=0)
        batches = Batches(splits.train, data, lambda columns: tf.one_hot(columns["label"], 10), seed=7)
        batch = batches.batch(epoch=1, step=3)
        found[op] = digest(*(part.numpy() for part in batch))
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        trained = {"demo": demo(Path(folder)), "resumed": resumed(Path(folder))}
    found = {"everywhere": {"augmentation": augmentation()}, kind_of_machine(): trained}
    if "--record" in sys.argv[1:]:
        kept = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
        RECORDED.write_text(json.dumps({**kept, **found}, indent=1, sort_keys=True) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
