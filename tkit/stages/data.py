"""Looking at data before anyone trains on it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from tkit import files
from tkit_edge.errors import InputError

if TYPE_CHECKING:
    from tkit_pipelines.survey import Survey

IMAGE_SIZE, CHANNELS = (64, 64), 3
"""At which pictures are compared and shown, where nothing is said."""
CLASSES_SHOWN = 30


def data(
    source: str | Path,
    *,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    skip_bad: bool = False,
    output: str | Path | None = None,
) -> Survey:
    """Reads a data set whole and says what it is: counts, sizes, damage, repeats, what would stop training.

    Args:
        source: a name or path, as `data.source` in a recipe.
        image_size: height and width in pixels at which pictures are compared and shown; 64 x 64 by default.
        channels: 1 or 3 (the default).
        skip_bad: damaged files are no problem; they are listed in any case.
        output: a .png file to write, with a few pictures of each class.

    Returns:
        What was found; `problems` is empty where a recipe can train on it.

    Raises:
        InputError: it can't be read at all, or the picture can't be written.

    Example:
        >>> tkit.data("./pictures", image_size=(32, 32)).problems
        []
    """
    from tkit_pipelines.source import Shape
    from tkit_pipelines.survey import survey

    if channels not in (None, 1, 3):
        raise InputError(f"channels={channels}: expected 1 (grey) or 3 (colour).")
    height, width = image_size or IMAGE_SIZE
    if height < 1 or width < 1:
        raise InputError(f"image_size={height},{width}: expected a height and a width of at least 1 pixel.")
    if output is not None and Path(output).suffix.lower() != ".png":
        raise InputError(f"output={output}: expected the name of a .png file.")
    found = survey(str(source), Shape(height, width, channels or CHANNELS), skip_bad)
    if output is not None:
        try:
            files.write_bytes(Path(output), grid_png(found))
        except OSError as error:
            raise InputError(f"Cannot write {output}: {error.strerror}.") from error
    return found


def grid_png(found: Survey) -> bytes:
    """A PNG with a row of pictures for each class."""
    from matplotlib.figure import Figure

    shown = [(name, pictures) for name, pictures in found.shown.items() if pictures][:CLASSES_SHOWN]
    columns = max((len(pictures) for _, pictures in shown), default=1)
    figure = Figure(figsize=(1.2 * columns + 2, 1.2 * max(len(shown), 1)), layout="constrained")
    grid = figure.subplots(max(len(shown), 1), columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for row, (name, pictures) in zip(grid, shown, strict=False):
        # Plain text: a class name may hold a $, which would begin a formula.
        row[0].text(-0.1, 0.5, name, transform=row[0].transAxes, ha="right", va="center", parse_math=False)
        for axes, picture in zip(row, pictures, strict=False):
            axes.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()
