"""Looking at data before anyone trains on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tkit import _quiet, console, files
from tkit_edge.errors import InputError
from tkit_edge.files import npz_bytes
from tkit_edge.text import counted

if TYPE_CHECKING:
    from tkit_pipelines.data.images import Images
    from tkit_pipelines.source import Shape
    from tkit_pipelines.survey import Survey

IMAGE_SIZE, CHANNELS = (64, 64), 3
"""At which images are compared and shown, by default."""
CLASSES_SHOWN = 300
IMAGE_INCHES, NAME_INCHES, NAME_COLUMNS = 0.7, 2.0, 28


@_quiet.silenced()
def data(
    source: str | Path,
    *,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    skip_bad: bool = False,
    overrides: Sequence[str] = (),
    output: str | Path | None = None,
) -> Survey:
    """Reads a whole data set and reports counts, sizes, damage, repeats and what would stop training.

    Args:
        source: a name or path, as `data.source` in a recipe.
        image_size: height and width in pixels at which images are compared, shown and written; 64 x 64 by default.
        channels: 1 or 3 (the default).
        skip_bad: damaged files are no problem; they are listed in any case.
        overrides: such as "data.resize=keras".
        output: a file to write: a .png with a few images of each class, or an .npz with the test images (uint8
            [n, height, width, channels]) and labels (int32 [n]), as `tkit-edge bench --test` takes them.

    Returns:
        What was found; `problems` is empty where a recipe can train on it.

    Raises:
        InputError: it can't be read at all, or the file can't be written; for an .npz also damaged images, without
            `skip_bad`.

    Example:
        >>> tkit.data("./images", image_size=(32, 32)).problems
        []
    """
    from tkit.recipe_loading import data_with_overrides
    from tkit_pipelines.data.images import Images
    from tkit_pipelines.source import Shape
    from tkit_pipelines.survey import survey

    if channels not in (None, 1, 3):
        raise InputError(f"channels={channels}: expected 1 (grey) or 3 (colour).")
    height, width = image_size or IMAGE_SIZE
    if height < 1 or width < 1:
        raise InputError(f"image_size={height},{width}: expected a height and a width of at least 1 pixel.")
    suffix = None if output is None else Path(output).suffix.lower()
    if suffix not in (None, ".png", ".npz"):
        raise InputError(f"output={output}: expected the name of a .png or .npz file.")
    wanted = Images(source=str(source), image_size=(height, width), channels=channels or CHANNELS, skip_bad=skip_bad)
    wanted = data_with_overrides(wanted, overrides)
    shape = Shape(*wanted.image_size, wanted.channels, wanted.resize)
    found = survey(wanted.source, shape, wanted.skip_bad)
    if output is not None:
        try:
            files.write_bytes(Path(output), grid_png(found) if suffix == ".png" else test_npz(wanted))
        except OSError as error:
            raise InputError(f"Cannot write {output}: {error.strerror}.") from error
    return found


def test_npz(wanted: Images) -> bytes:
    """An .npz file of the test images, those that a recipe with this data measures on, and their labels."""
    test = wanted.load(seed=0).test  # which no seed changes
    size = "x".join(map(str, test.images.shape[1:]))
    console.say(f"{counted(len(test), 'test image')} of {size} (--image-size, --channels) for `tkit-edge bench --test`")
    return npz_bytes({"images": np.asarray(test.images), "labels": test.labels.astype(np.int32)})


def grid_png(found: Survey) -> bytes:
    """A PNG with one row of images per class; past `CLASSES_SHOWN` classes it tells how many are left out."""
    from matplotlib.figure import Figure

    from tkit.plotting import all_shortened, lettering, png

    having = [index for index, name in enumerate(found.class_names) if found.shown[name]]
    chosen = having[:CLASSES_SHOWN]
    shown = [found.shown[found.class_names[index]] for index in chosen]
    blocks = round(math.sqrt(len(shown) / 9)) or 1  # of rows side by side: about as wide as high
    rows = -(-len(shown) // blocks) or 1
    columns = max(map(len, shown), default=1)
    tall, wide = IMAGE_INCHES * rows, IMAGE_INCHES * columns * found.shape.width / found.shape.height
    with lettering(found.class_names) as (names, _):
        short = all_shortened(names, NAME_COLUMNS)
        names = [short[index] for index in chosen]
        figure = Figure(figsize=(blocks * (wide + NAME_INCHES), tall))
        for block in range(blocks):
            part = slice(block * rows, (block + 1) * rows)
            left = (block + NAME_INCHES / (wide + NAME_INCHES)) / blocks
            axes = figure.add_axes((left, 0, wide / (wide + NAME_INCHES) / blocks, 1))
            montage = _montage(shown[part], rows, columns, found.shape)
            axes.imshow(montage, aspect="auto")
            height = len(montage) / rows
            axes.set_yticks([(row + 0.48) * height for row in range(len(names[part]))], names[part], fontsize=8)
            axes.tick_params(length=0)
            axes.set_xticks([])
            axes.spines[:].set_visible(False)
        figure.text(0, 1 + 0.15 / tall, _grid_title(len(found.class_names), len(having), len(chosen)), fontsize=11)
        return png(figure)


def _grid_title(classes: int, having: int, shown: int) -> str:
    title = counted(classes, "class", "classes")
    title += f", {classes - having:,} without images" if having < classes else ""
    return title + (f"; the first {shown:,} are shown, {having - shown:,} are left out" if shown < having else "")


def _montage(classes: Sequence[Sequence[np.ndarray]], rows: int, columns: int, shape: Shape) -> np.ndarray:
    """Images side by side, one row per class, on white: uint8 [height, width, 3]."""
    gap = 1 + shape.height // 40
    height, width = shape.height + gap, shape.width + gap
    canvas = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for row, images in enumerate(classes):
        for column, image in enumerate(images):
            top, left = row * height, column * width
            canvas[top : top + shape.height, left : left + shape.width] = image
    return canvas
