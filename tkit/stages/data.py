"""Looking at data before anyone trains on it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tkit import _quiet, console, files
from tkit_edge.errors import InputError
from tkit_edge.files import npz_bytes
from tkit_edge.judge import array_name
from tkit_edge.text import counted

if TYPE_CHECKING:
    from tkit_pipelines.data import Data
    from tkit_pipelines.data.images import Images
    from tkit_pipelines.data.texts import Texts
    from tkit_pipelines.source import Shape
    from tkit_pipelines.survey import Survey
    from tkit_pipelines.text_survey import TextSurvey

IMAGE_SIZE, CHANNELS = (64, 64), 3
"""At which images are compared and shown, by default."""
CLASSES_SHOWN = 300
IMAGE_INCHES, NAME_INCHES, NAME_COLUMNS = 0.7, 2.0, 28


@_quiet.silenced()
def data(
    source: str | Path,
    *,
    texts: bool = False,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    skip_bad: bool = False,
    overrides: Sequence[str] = (),
    output: str | Path | None = None,
) -> Survey | TextSurvey:
    """Reads a whole data set and reports counts, sizes, damage, repeats and what would stop training.

    Args:
        source: a name or path, as `data.source` in a recipe.
        texts: it holds texts. Not needed where its name, suffix or columns show it, or an override is of texts.
        image_size: height and width in pixels at which images are compared, shown and written; 64 x 64 by default.
        channels: 1 or 3 (the default).
        skip_bad: damaged images and empty texts are no problem; they are listed in any case.
        overrides: such as "data.resize=keras" or "data.text=review".
        output: a file to write. A .png with a few images of each class, or with the lengths of texts by class. An .npz
            with the test images (uint8 [n, height, width, channels]) or the tokens of test texts (int32 [n, length]),
            and labels (int32 [n]), as `tkit-edge bench --test` takes them.

    Returns:
        What was found; `problems` is empty where a recipe can train on it.

    Raises:
        InputError: it can't be read at all, or the file can't be written; for an .npz also damaged images or empty
            texts, without `skip_bad`.

    Example:
        >>> tkit.data("./images", image_size=(32, 32)).problems
        []
    """
    from tkit_pipelines.reads_texts import reads_texts

    if channels not in (None, 1, 3):
        raise InputError(f"channels={channels}: expected 1 (grey) or 3 (colour).")
    suffix = None if output is None else Path(output).suffix.lower()
    if suffix not in (None, ".png", ".npz"):
        raise InputError(f"output={output}: expected the name of a .png or .npz file.")
    wanted: Data
    found: Survey | TextSurvey
    if texts or _are_of_texts(overrides) or reads_texts(str(source)):
        if image_size is not None or channels is not None:
            raise InputError(
                f"image_size and channels are of images, and data {str(source)!r} holds texts. Leave them out."
            )
        wanted, found = _texts(str(source), skip_bad, overrides)
    else:
        wanted, found = _images(str(source), image_size or IMAGE_SIZE, channels or CHANNELS, skip_bad, overrides)
    if output is not None:
        try:
            files.write_bytes(Path(output), test_npz(wanted) if suffix == ".npz" else _png(found))
        except OSError as error:
            raise InputError(f"Cannot write {output}: {error.strerror}.") from error
    return found


def _are_of_texts(overrides: Sequence[str]) -> bool:
    """Whether an override is of a field that texts have and images don't."""
    from tkit_pipelines.data.images import Images
    from tkit_pipelines.data.texts import Texts

    of_texts = Texts.model_fields.keys() - Images.model_fields.keys()
    return any(re.split("[.=]", f"{override}.")[1] in of_texts for override in overrides)


def _texts(source: str, skip_bad: bool, overrides: Sequence[str]) -> tuple[Texts, TextSurvey]:
    from tkit.recipe_loading import data_with_overrides
    from tkit_pipelines.data.texts import Texts
    from tkit_pipelines.text_survey import text_survey

    wanted = data_with_overrides(Texts(source=source, skip_bad=skip_bad), overrides)
    return wanted, text_survey(wanted)


def _images(
    source: str, size: tuple[int, int], channels: int, skip_bad: bool, overrides: Sequence[str]
) -> tuple[Images, Survey]:
    from tkit.recipe_loading import data_with_overrides
    from tkit_pipelines.data.images import Images
    from tkit_pipelines.source import Shape
    from tkit_pipelines.survey import survey

    if min(size) < 1:
        raise InputError(f"image_size={size[0]},{size[1]}: expected a height and a width of at least 1 pixel.")
    wanted = Images(source=source, image_size=size, channels=channels, skip_bad=skip_bad)
    wanted = data_with_overrides(wanted, overrides)
    return wanted, survey(wanted.source, Shape(*wanted.image_size, wanted.channels, wanted.resize), wanted.skip_bad)


def test_npz(wanted: Data) -> bytes:
    """An .npz file of the test examples, those that a recipe with this data measures on, and what is right for them."""
    if wanted.target is None:
        raise InputError("data.labels=none: without labels nothing says what is right, so there is no test file.")
    splits = wanted.load(seed=0)  # the test part is the same with any
    test, specs = splits.test, splits.input.tensors
    size = "x".join(map(str, specs[0].shape))
    how = {
        "image": f"of {size} (--image-size, --channels)",
        "text": f"of at most {size} tokens, as a run with these settings of data and seed=0 reads them,",
    }
    what = counted(len(test), f"test {splits.input.example}")
    console.say(f"{what} {how[wanted.takes]} for `tkit-edge bench --test`")
    names = [*(spec.name for spec in specs), wanted.target]
    return npz_bytes({array_name(name): np.asarray(test.columns[name]) for name in names})


def _png(found: Survey | TextSurvey) -> bytes:
    """A plot of what was found."""
    from tkit.stages._lengths import lengths_png
    from tkit_pipelines.text_survey import TextSurvey

    return lengths_png(found) if isinstance(found, TextSurvey) else grid_png(found)


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
