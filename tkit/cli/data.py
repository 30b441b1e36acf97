"""Look at data before training: counts, sizes, damaged files, repeats.

Reads everything once, skips bad files, and lists what would stop a recipe from
training on it. Ends with exit code 0 if it could be read, even with problems.

Examples:
  tkit data ./images
  tkit data ./images.zip --output grid.png
  tkit data ./images --output test.npz --image-size 32,32
  tkit data ./labels.csv --image-size 96,96 --channels 1
  tkit data ./images data.resize=keras
  tkit data tfds:cifar10 --json
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tkit.cli import _complete, _options
from tkit.cli._command import tkit_command
from tkit_edge.table import aligned
from tkit_edge.text import counted

if TYPE_CHECKING:
    from tkit_pipelines.survey import Repeats, Survey

LISTED = 20  # bad files
LARGEST, SMALL = 96, 16
"""Pixels per side: more is too slow for a start; less is too small for cifar10_cnn's pools."""
GREY = (" L", " 1", " I", " I;16", " LA")
"""Pillow's modes, the last part of a kind."""
CLASSES = 40
BAR = 24  # characters for the largest class


def _size(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    try:
        sides = [int(part) for part in value.split(",")]
        height, width = sides * 2 if len(sides) == 1 else sides
    except ValueError:
        raise click.BadParameter(f"expected HEIGHT,WIDTH in pixels, such as 32,32; received {value!r}.") from None
    return height, width


@tkit_command(__doc__)
@click.argument("source", metavar="DATA", shell_complete=_complete.files)
@click.option(
    "--image-size",
    metavar="H,W",
    callback=_size,
    help="Size in pixels at which images are compared, shown and written. [default: 64,64]",
)
@click.option("--channels", type=click.Choice(["1", "3"]), help="1 for grey, 3 for colour. [default: 3]")
@click.option("--skip-bad", is_flag=True, help="Don't count damaged files as a problem, as with data.skip_bad=true.")
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="A .png with a few images of each class, or an .npz of the test images.",
)
@_options.json_option
@_options.overrides_argument
def command(
    source: str,
    image_size: tuple[int, int] | None,
    channels: str | None,
    skip_bad: bool,
    output: Path | None,
    as_json: bool,
    overrides: tuple[str, ...],
) -> None:
    """`tkit data`."""
    with _options.results(as_json, "data") as show:
        _options.silence_tensorflow()
        from tkit.stages.data import data

        found = data(
            source,
            image_size=image_size,
            channels=None if channels is None else int(channels),
            skip_bad=skip_bad,
            overrides=overrides,
            output=output,
        )
        show(_document(found), "\n".join(map(_printable, _lines(found, _options.stdout_width()))))


def _document(found: Survey) -> dict[str, Any]:
    """The survey as JSON values."""
    return {
        "source": found.name,
        "compared_at": list(found.shape.array),
        "class_names": list(found.class_names),
        "splits": found.splits,
        "imbalance": found.imbalance if found.imbalance != float("inf") else None,
        "height": _spread(found.heights),
        "width": _spread(found.widths),
        "aspect": _spread([width / height for height, width in zip(found.heights, found.widths, strict=True)]),
        "kinds": dict(found.kinds.most_common()),
        "turned_upright": found.turned,
        "bad": [bad._asdict() for bad in found.bad],
        "repeats": [vars(repeats) for repeats in found.repeats],
        "contradictions": vars(found.contradictions) if found.contradictions else None,
        "strays": found.strays,
        "notes": found.notes,
        "problems": found.problems,
        "command": None if found.problems else _command(found),
    }


def _spread(values: list[Any]) -> dict[str, float] | None:
    """Minimum, median and maximum."""
    if not values:
        return None
    ordered = sorted(values)
    return {"min": ordered[0], "median": ordered[len(ordered) // 2], "max": ordered[-1]}


def _lines(found: Survey, columns: int | None) -> list[str]:
    total = sum(map(sum, found.splits.values()))
    parts = ", ".join(f"{sum(counts):,} {split}" for split, counts in found.splits.items())
    lines = [
        f"{found.name}: {counted(total, 'image')} ({parts}), {counted(len(found.class_names), 'class', 'classes')}"
    ]
    if "test" not in found.splits:
        lines.append("no test images of its own: tkit holds out a fixed fifth of each class")
    lines += [*found.notes, "", *_classes(found, columns), ""]
    if found.heights:
        height, width = _spread(found.heights), _spread(found.widths)
        aspect = _spread([wide / high for high, wide in zip(found.heights, found.widths, strict=True)])
        assert height and width and aspect
        lines += [
            f"height  {height['min']} to {height['max']}, median {height['median']} pixels",
            f"width   {width['min']} to {width['max']}, median {width['median']} pixels",
            f"aspect  {aspect['min']:.2f} to {aspect['max']:.2f}, median {aspect['median']:.2f} (width / height)",
        ]
        lines.append("kinds   " + ", ".join(f"{kind} {count:,}" for kind, count in found.kinds.most_common()))
    if found.turned:
        lines.append(f"turned  {counted(found.turned, 'is', 'are')} rotated upright, according to EXIF data")
    if found.imbalance >= 3:
        lines.append("uneven  " + _imbalance(found.imbalance))
    lines += [f"repeats {_repeats(repeats, found)}" for repeats in found.repeats]
    if found.contradictions:
        first, second = found.contradictions.example
        equal = counted(found.contradictions.count, "equal image is", "equal images are")
        lines.append(f"labels  {equal} in two classes: {first} and {second}")
    if found.strays:
        strays = counted(len(found.strays), "file that is not an image is", "files that are not images are")
        lines.append(f"strays  {strays} skipped: {found.strays[0]} ...")
    if found.bad:
        lines += [
            "",
            f"{counted(len(found.bad), 'file')} can't be read:",
            *(f"  {bad.reason}" for bad in found.bad[:LISTED]),
        ]
        if len(found.bad) > LISTED:
            lines.append(f"  ... and {len(found.bad) - LISTED:,} more")
    lines += ["", *(f"problem: {problem}" for problem in found.problems)]
    return lines if found.problems else [*lines, "no problems: a recipe can train on it", f"  {_command(found)}"]


def _command(found: Survey) -> str:
    """The command that trains on the data as it is: its size, at most `LARGEST` pixels per side, and its channels."""
    height, width, channels = found.shape.array
    if found.heights:
        spreads = _spread(found.heights), _spread(found.widths)
        height, width = (int(spread["median"]) for spread in spreads if spread)
        scale = min(1.0, LARGEST / max(height, width))
        height, width = (max(1, round(side * scale)) for side in (height, width))
        channels = 1 if all(kind.endswith(GREY) for kind in found.kinds) else 3
    recipe = "digits_cnn" if min(height, width) < SMALL else "cifar10_cnn"
    size = f"{height}" if height == width else f"{height},{width}"
    return f"tkit run {recipe} --data {shlex.quote(found.name)} data.image_size={size} data.channels={channels}"


def _classes(found: Survey, width: int | None) -> list[str]:
    """One line per class: its name, its images in each split, a bar."""
    rows = list(zip(found.class_names, zip(*found.splits.values(), strict=True), strict=True))[:CLASSES]
    most = max(1, *(sum(counts) for _, counts in rows))
    bars = ["#" * round(BAR * sum(counts) / most) for _, counts in rows]
    cells = [[name, *(f"{count:,}" for count in counts), bar] for (name, counts), bar in zip(rows, bars, strict=True)]
    last = len(found.splits) + 1
    lines = aligned([["class", *found.splits, ""], *cells], left=(0, last), width=width, spare=(last,))
    if len(found.class_names) > CLASSES:
        lines.append(f"... and {len(found.class_names) - CLASSES:,} more classes")
    return lines


def _imbalance(ratio: float) -> str:
    if ratio == float("inf"):
        return "a class has no images"
    return f"{ratio:.1f} images of the largest class for one of the smallest (data.balance=weights or oversample)"


def _repeats(repeats: Repeats, found: Survey) -> str:
    where = "twice in" if repeats.first == repeats.second else f"in {repeats.first} too, of"
    first, second = repeats.example
    size = f"{found.shape.height}x{found.shape.width}"
    count = counted(repeats.count, "image is", "images are")
    return f"{count} {where} {repeats.second}: {second} is {first} (compared at {size})"


def _printable(line: str) -> str:
    """File names can be any bytes; a terminal takes text."""
    return line.encode("utf-8", "replace").decode()
