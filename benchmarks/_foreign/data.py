"""Small images of classes that aren't trivial: gratings of one direction and a tint each, both noisy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

TRAIN, TEST = 100, 75
"""Images per class."""


def images(classes: int, height: int, width: int, channels: int, per_class: int, seed: int) -> list[np.ndarray]:
    """For each class, uint8 images [per_class, height, width, channels]."""
    random = np.random.default_rng(seed)
    tints = np.random.default_rng(0).uniform(-30, 30, (classes, channels))
    rows, columns = np.mgrid[:height, :width]
    found = []
    for label in range(classes):
        shape = (per_class, 1, 1)
        angle = np.pi * (label + random.uniform(-0.25, 0.25, shape)) / classes
        waves = 2 * np.pi * random.uniform(2.5, 4.5, shape)
        along = columns / width * np.cos(angle) + rows / height * np.sin(angle)
        grating = np.sin(waves * along + random.uniform(0, 2 * np.pi, shape)) * random.uniform(20, 60, shape)
        tint = 128 + tints[label] + random.normal(0, 25, (per_class, 1, 1, channels))
        noise = random.normal(0, 25, (per_class, height, width, channels))
        found.append(np.clip(grating[..., None] + tint + noise, 0, 255).astype(np.uint8))
    return found


def folder(parent: Path, classes: int, shape: tuple[int, int, int], train: int = TRAIN, test: int = TEST) -> Path:
    """`train/` and `test/` with one folder of PNG files per class, made where they aren't there yet."""
    root = parent / f"{classes}-{'x'.join(map(str, shape))}-{train}"
    done = root.with_suffix(".done")
    if not done.exists():
        for seed, (split, count) in enumerate((("train", train), ("test", test))):
            for label, made in enumerate(images(classes, *shape, count, seed)):
                target = root / split / f"class{label}"
                target.mkdir(parents=True, exist_ok=True)
                for number, image in enumerate(made):
                    Image.fromarray(image.squeeze(-1) if shape[2] == 1 else image).save(target / f"{number:03}.png")
        done.touch()
    return root


def arrays(root: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The images of a split, uint8 [n, height, width, channels], and their labels int32 [n]."""
    found, labels = [], []
    for label, target in enumerate(sorted((root / split).iterdir())):
        for path in sorted(target.glob("*.png")):
            image = np.asarray(Image.open(path))
            found.append(image if image.ndim == 3 else image[..., None])
            labels.append(label)
    return np.stack(found), np.array(labels, np.int32)
