"""What `tkit.compare` returns: variants and their files side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tkit.results.display import Display
from tkit.results.result import Result
from tkit_edge.text import figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Comparison(Result):
    """`["rows"]` are those of `tkit.results.variants`: one per exported file, and one for a variant without any."""

    def records(self) -> list[dict[str, Any]]:
        """The rows, `score` as columns."""
        return [
            {
                **{key: value for key, value in row.items() if key != "score"},
                **({row["score"]["name"].replace(" ", "_"): row["score"]["value"]} if row["score"] else {}),
                **{key: row["score"] and row["score"][key] for key in ("samples", "split")},
            }
            for row in self["rows"]
        ]

    def display(self) -> Display:
        """Sizes, scores and latencies."""
        rows, label = self["rows"], self._labels()
        names = list(dict.fromkeys(row["score"]["name"] for row in rows if row["score"]))
        return Display(
            title=", ".join(dict.fromkeys(row["run"] for row in rows)),
            header=["variant", "format", "size KB", "zip KB", *names, "examples", "p50 ms"],
            rows=[
                [
                    name,
                    row["format"] or "-",
                    *("-" if row[key] is None else f"{row[key] / 1e3:,.1f}" for key in ("bytes", "zip_bytes")),
                    *(_value(row["score"]) if row["score"] and row["score"]["name"] == name else "-" for name in names),
                    _examples(row["score"]) if row["score"] else "-",
                    "-" if row["p50_ms"] is None else f"{row['p50_ms']:.3f}",
                ]
                for name, row in zip(label, rows, strict=True)
            ],
            left=(0, 1),
            spare=(4 + len(names), 3),
        )

    @property
    def has_files(self) -> bool:
        """Whether any variant has an exported file."""
        return any(row["zip_bytes"] is not None for row in self["rows"])

    def draw(self, axes: Axes) -> None:
        """The score of each file against its size after deflate, in the colour of its variant."""
        known = [
            (label, row)
            for label, row in zip(self._labels(), self["rows"], strict=True)
            if row["zip_bytes"] is not None and row["score"] and row["score"]["value"] is not None
        ]
        measure = known[0][1]["score"]["name"] if known else "score"
        for label in dict.fromkeys(label for label, _ in known):
            own = [row for name, row in known if name == label and row["score"]["name"] == measure]
            points = [(row["zip_bytes"] / 1e3, row["score"]["value"]) for row in own]
            sizes, scores = zip(*points, strict=True) if points else ((), ())
            axes.scatter(sizes, scores, s=14, label=label.replace("$", r"\$"))
            for row, point in zip(own, points, strict=True):
                axes.annotate(row["format"], point, (3, 3), textcoords="offset points", fontsize=7)
        if known:
            axes.legend(frameon=False, fontsize=7)
        axes.margins(x=0.15, y=0.15)
        axes.set(xlabel="zip, KB", ylabel=measure)
        axes.spines[["top", "right"]].set_visible(False)

    def _labels(self) -> list[str]:
        """The variants' names, after their runs' where there are several."""
        several = len({row["run"] for row in self["rows"]}) > 1
        return [f"{row['run']}/{row['variant']}" if several else row["variant"] for row in self["rows"]]


def _value(score: dict[str, Any]) -> str:
    if score["value"] is None:
        return "not finite"
    return f"{score['value']:.2%}" if score["share"] else figure(score["value"])


def _examples(score: dict[str, Any]) -> str:
    """Which examples a score is of, and how many."""
    return score["split"] if score["samples"] is None else f"{score['samples']:,} {score['split']}"
