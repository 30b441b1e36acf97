"""What `tkit data` prints of images."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from tkit.cli._survey import bad_ones, class_table, head, imbalance, spread, verdict
from tkit_edge.text import counted

if TYPE_CHECKING:
    from tkit_pipelines.survey import Repeats, Survey

LARGEST, SMALL = 96, 16
"""Pixels per side: more is too slow for a start; less is too small for cifar10_cnn's pools."""
GREY = (" L", " 1", " I", " I;16", " LA")
"""Pillow's modes, the last part of a kind."""


def document(found: Survey) -> dict[str, Any]:
    """The survey as JSON values."""
    return {
        "texts": False,
        "source": found.name,
        "compared_at": list(found.shape.array),
        "class_names": list(found.class_names),
        "splits": found.splits,
        "imbalance": found.imbalance if found.imbalance != float("inf") else None,
        "height": spread(found.heights),
        "width": spread(found.widths),
        "aspect": spread([width / height for height, width in zip(found.heights, found.widths, strict=True)]),
        "kinds": dict(found.kinds.most_common()),
        "turned_upright": found.turned,
        "bad": [bad._asdict() for bad in found.bad],
        "repeats": [vars(repeats) for repeats in found.repeats],
        "contradictions": vars(found.contradictions) if found.contradictions else None,
        "strays": found.strays,
        "notes": found.notes,
        "problems": found.problems,
        "command": _command(found),
    }


def lines(found: Survey, columns: int | None) -> list[str]:
    """The survey as lines of text."""
    lines = head(found.name, found.class_names, found.splits, "image")
    lines += [*found.notes, "", *class_table(found.class_names, found.splits, columns), ""]
    if found.heights:
        height, width = spread(found.heights), spread(found.widths)
        aspect = spread([wide / high for high, wide in zip(found.heights, found.widths, strict=True)])
        assert height and width and aspect
        lines += [
            f"height  {height['min']} to {height['max']}, median {height['median']} pixels",
            f"width   {width['min']} to {width['max']}, median {width['median']} pixels",
            f"aspect  {aspect['min']:.2f} to {aspect['max']:.2f}, median {aspect['median']:.2f} (width / height)",
        ]
        lines.append("kinds   " + ", ".join(f"{kind} {count:,}" for kind, count in found.kinds.most_common()))
    if found.turned:
        lines.append(f"turned  {counted(found.turned, 'is', 'are')} rotated upright, according to EXIF data")
    lines += imbalance(found.imbalance, "image")
    lines += [f"repeats {_repeats(repeats, found)}" for repeats in found.repeats]
    if found.contradictions:
        first, second = found.contradictions.example
        equal = counted(found.contradictions.count, "equal image is", "equal images are")
        lines.append(f"labels  {equal} in two classes: {first} and {second}")
    if found.strays:
        strays = counted(len(found.strays), "file that is not an image is", "files that are not images are")
        lines.append(f"strays  {strays} skipped: {found.strays[0]} ...")
    lines += bad_ones(found.bad, f"{counted(len(found.bad), 'file')} can't be read")
    return [*lines, *verdict(found.problems, _command(found))]


def _command(found: Survey) -> str | None:
    """The command that trains on the data as it is: its size, at most `LARGEST` pixels per side, and its channels.

    None where there are problems.
    """
    if found.problems:
        return None
    height, width, channels = found.shape.array
    if found.heights:
        spreads = spread(found.heights), spread(found.widths)
        height, width = (int(sides["median"]) for sides in spreads if sides)
        scale = min(1.0, LARGEST / max(height, width))
        height, width = (max(1, round(side * scale)) for side in (height, width))
        channels = 1 if all(kind.endswith(GREY) for kind in found.kinds) else 3
    recipe = "digits_cnn" if min(height, width) < SMALL else "cifar10_cnn"
    size = f"{height}" if height == width else f"{height},{width}"
    return f"tkit run {recipe} --data {shlex.quote(found.name)} data.image_size={size} data.channels={channels}"


def _repeats(repeats: Repeats, found: Survey) -> str:
    where = "twice in" if repeats.first == repeats.second else f"in {repeats.first} too, of"
    first, second = repeats.example
    size = f"{found.shape.height}x{found.shape.width}"
    count = counted(repeats.count, "image is", "images are")
    return f"{count} {where} {repeats.second}: {second} is {first} (compared at {size})"
