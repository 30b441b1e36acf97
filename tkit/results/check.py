"""What `tkit.check` returns: whether a device computes what the exporting machine did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tkit.device_figures import facts_line
from tkit.results.display import Display
from tkit.results.result import Result
from tkit_edge.table import heading

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class CheckResult(Result):
    """The document of `tkit-edge check`, with `device` and `cannot`."""

    def records(self) -> list[dict[str, Any]]:
        """A row per file."""
        return self["files"]

    def display(self) -> Display:
        """Each file's largest difference, and whether it is allowed."""
        rows = [
            [
                row["format"],
                str(_same(row)),
                str(row["samples"]),
                difference(row["max_difference"], row["unit"]),
                difference(row["tolerance"], row["unit"]),
                "FAILED" if row["failed"] else "ok",
            ]
            for row in self["files"]
        ]
        return Display(
            title=f"{self['bundle']} on {self['name']}",
            header=["file", "same answer", "of", "largest difference", "tolerance", ""],
            rows=rows,
            left=(0, 5),
            notes=[*remarks(self)],
        )

    def draw(self, axes: Axes) -> None:
        """A bar for the largest difference of each file, as a share of what is tolerated."""
        rows = [row for row in self["files"] if row["max_difference"] is not None][::-1]
        shares = [row["max_difference"] / row["tolerance"] if row["tolerance"] else 0.0 for row in rows]
        axes.barh([row["format"] for row in rows], shares, color="tab:blue")
        axes.axvline(1.0, color="tab:red", linewidth=1)
        axes.set_xlabel("largest difference / tolerance")
        axes.spines[["top", "right"]].set_visible(False)


def difference(value: float | None, unit: str) -> str:
    """A difference in steps, or as a share."""
    if value is None:
        return "not finite"
    return f"{value:.0f} {unit}" if unit == "steps" else f"{value:.2%}"


def remarks(document: dict[str, Any]) -> list[str]:
    """How the golden inputs read there, what ran the files, and what the device can't tell."""
    found = [
        f"{row['format']}: {difference(row['reference_difference'], row['unit'])} from LiteRT's same kernels here"
        for row in document.get("files", ())
        if "reference_difference" in row
    ]
    for key, read in document.items():
        if isinstance(read, dict) and "differing" in read:
            same = read["samples"] - len(read["differing"])
            verdict = "FAILED" if read["failed"] else "ok"
            found.append(f"{key}: {same} of {read['samples']} read as expected: {verdict}")
    return [*found, f"ran by {ran_by(document)}", *cannot(document)]


def ran_by(document: dict[str, Any]) -> str:
    """What ran the files, in one line."""
    facts = facts_line(document["device"])
    return ", ".join([*([heading(document)] if "machine" in document else []), *([facts] if facts else [])])


def cannot(document: dict[str, Any]) -> list[str]:
    """What the device can't tell, a line each."""
    return [f"can't tell {what}" for what in document["cannot"]]


def _same(row: dict[str, Any]) -> int:
    return next(value for key, value in row.items() if key.startswith("same_"))
