"""The input pipeline alone: flip, translate and cutout of 32x32x3 images, against a bare gather and PyTorch's
loader.

    make bench, or: pip install -e ".[bench]"; python benchmarks/input_pipeline.py

50,000 random uint8 images in memory, batches of 128, every epoch in a new order. The bare gather is tkit's own
pipeline without ops: what fetching the same rows costs. PyTorch's side is a map-style dataset whose items are
flipped, shifted and cut out with torch operations, in a DataLoader with two workers, as its documentation shows.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np
from _report import publish
from _sides import Turns, compare, ratios, table

BATCH, IMAGES, SHIFT, SQUARE, REPEATS = 128, 50_000, 3, 8, 7


def originals() -> tuple[np.ndarray, np.ndarray]:
    """uint8 [50000, 32, 32, 3] and int32 labels."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    return images, random.integers(0, 10, IMAGES).astype(np.int32)


def timed(batches: Iterable[Any], count: int) -> dict[str, float]:
    """Images a second over `count` batches after five that start the pipeline."""
    iterator = iter(batches)
    for _ in islice(iterator, 5):
        pass
    began = time.perf_counter()
    for _ in islice(iterator, count):
        pass
    return {"images_per_second": count * BATCH / (time.perf_counter() - began)}


def _tkit(turns: Turns, names: tuple[str, ...], count: int) -> None:
    import tensorflow as tf

    from tkit_pipelines.batches import Batches
    from tkit_pipelines.data.images import Images
    from tkit_pipelines.dataset import labelled
    from tkit_pipelines.ops.cutout import Cutout
    from tkit_pipelines.ops.flip import Flip
    from tkit_pipelines.ops.translate import Translate

    ops = {"flip": Flip(), "translate": Translate(pixels=SHIFT), "cutout": Cutout(size=SQUARE)}
    data = Images(source="digits", image_size=(32, 32), batch_size=BATCH, augment=tuple(ops[name] for name in names))
    batches = Batches(labelled(*originals()), data, lambda columns: tf.one_hot(columns["label"], 10), seed=0)
    turns.measure(lambda: timed(batches.dataset(), count))


def gather(turns: Turns) -> None:
    """The pipeline without ops."""
    _tkit(turns, (), 20_000)


def augmented(turns: Turns) -> None:
    """Flip, translate and cutout."""
    _tkit(turns, ("flip", "translate", "cutout"), 3_000)


def torch_loader(turns: Turns) -> None:
    """torch's DataLoader, two workers."""
    import torch
    from torch.utils.data import DataLoader, Dataset

    images, labels = originals()
    stored = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()

    class Augmented(Dataset):
        def __len__(self) -> int:
            return IMAGES

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            image = stored[index]
            draws = torch.randint(0, 2**31, (5,)).tolist()
            if draws[0] % 2:
                image = image.flip(2)
            down, right = draws[1] % (2 * SHIFT + 1), draws[2] % (2 * SHIFT + 1)
            image = torch.nn.functional.pad(image, (SHIFT,) * 4)[:, down : down + 32, right : right + 32].clone()
            top, left = draws[3] % 32 - SQUARE // 2, draws[4] % 32 - SQUARE // 2
            image[:, max(top, 0) : top + SQUARE, max(left, 0) : left + SQUARE] = 0
            return image, int(labels[index])

    loader = DataLoader(Augmented(), BATCH, shuffle=True, num_workers=2, drop_last=True, persistent_workers=True)
    turns.measure(lambda: timed(loader, 150))


GATHER, TKIT, TORCH = "bare gather of the same rows", "tkit, flip + translate + cutout", "torch DataLoader, 2 workers"
SIDES = {TKIT: augmented, GATHER: gather, TORCH: torch_loader}


def main() -> None:
    measured = compare("input_pipeline", SIDES, REPEATS)
    body = f"""Images a second, 32x32x3, batches of 128 from memory, no model.

{table(measured, "images_per_second", against=TKIT)}"""
    gathered = ratios(measured, "images_per_second", TKIT, GATHER)
    loader = ratios(measured, "images_per_second", TKIT, TORCH)
    rows = [
        ("input pipeline, flip + translate + cutout: tkit / torch DataLoader, 2 workers", f"{loader:.1f} x"),
        ("the same: tkit / a bare gather of the same rows", f"{gathered:.3f} x"),
    ]
    publish("input_pipeline", "Input pipeline: flip, translate and cutout", body, rows, measured)


if __name__ == "__main__":
    main()
