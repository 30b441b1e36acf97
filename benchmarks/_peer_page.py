"""What `peers.py` measured, as a section of docs/benchmarks.md and rows of the README."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from _report import publish

MAX_DROP = 0.01
"""Of accuracy, of the files whose sizes are compared."""
Row = dict[str, Any]


def report(rows: Sequence[Row], titles: dict[str, str]) -> None:
    """Publishes the tables of all models.

    Args:
        rows: of whichever models and sides were measured.
        titles: of the sides, in the order of the table.
    """
    models = list(dict.fromkeys(row["model"] for row in rows))
    parts, main_rows = [_INTRODUCTION], []
    for model in models:
        own = sorted((row for row in rows if row["model"] == model), key=lambda row: list(titles).index(row["side"]))
        parts += [_heading(own), _table(own, titles)]
        if missing := [title for side, title in titles.items() if all(row["side"] != side for row in own)]:
            # The best of some peers is not the best peer.
            parts.append(f"Not measured, so that nothing is compared with the best peer yet: {'; '.join(missing)}.")
            continue
        lines = [*size(own, titles), *accuracy(own, titles)]
        parts += ["\n".join(f"- {what}: {figure}." for what, figure in lines)] if lines else []
        main_rows += [(f"{model}: {what}", figure) for what, figure in lines]
    publish("peers", "tkit and its peers: the same model to int8", "\n\n".join(parts), main_rows, {"all": rows})


_INTRODUCTION = """What a user has without tkit, each tool in an environment of its own, beside tkit: the same trained
weights, calibration images, training batches and number of added epochs; peers train in float32, tkit in its own
precision. Drop: of the accuracy on the test images against the float32 file, paired, with its 95 % interval. Zip: the
file after deflate. Latency: the median against tkit's PTQ file, in turns, one thread, XNNPACK. HGQ2's and PQuantML's
trained weights are put into the plain network and go through TensorFlow's converter; Sony MCT gets the weights in a
network of Keras 2, TFMOT through tkit's translation to Keras 2. Integer-only: all operators but those that quantize the
input and dequantize the output. Chosen with figures of test images in view, and so flattered a little: HGQ2's learning
rate and first numbers of bits (digits_cnn), and the settings of tkit's second PCQAT."""


def _heading(rows: Sequence[Row]) -> str:
    first = rows[0]
    measured = next(row for row in rows if "float" in row)
    return (
        f"### {first['model']}, {first['trained']} epochs, {first['epochs']} added: float32 {measured['float']:.2%} of "
        f"{measured['images']:,} test images"
    )


def _table(rows: Sequence[Row], titles: dict[str, str]) -> str:
    lines = [
        "| side | file, bytes | zip, bytes | accuracy | drop in points (95 %) | latency | integer-only | versions |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    return "\n".join([*lines, *(_line(row, titles[row["side"]]) for row in rows)])


def _line(row: Row, title: str) -> str:
    if "error" in row:
        return f"| {title} | fails: {row['error'].replace('|', '/')} | | | | | | {_versions(row)} |"
    low, high = row["interval"]
    return (
        f"| {title} | {row['bytes']:,} | {row['zip_bytes']:,} | {row['accuracy']:.2%} "
        f"| {100 * row['drop']:+.2f} ({100 * low:+.2f} to {100 * high:+.2f}) | {row['latency']:.2f} "
        f"| {'yes' if row['arithmetic'] == 'int8' else 'no: ' + row['arithmetic']} | {_versions(row)} |"
    )


def _versions(row: Row) -> str:
    return ", ".join(f"{name} {version}" for name, version in row.get("versions", {}).items() if name != "keras-tkit")


def size(rows: Sequence[Row], titles: dict[str, str]) -> list[tuple[str, str]]:
    """tkit's smallest zip against the smallest of any peer, both of integer-only files that lost at most one point."""
    kept = [row for row in rows if "error" not in row and row["arithmetic"] == "int8" and row["drop"] <= MAX_DROP]
    sides = [[row for row in kept if row["side"].startswith("tkit") == own] for own in (True, False)]
    if not all(sides):
        return []
    own, peer = (min(side, key=lambda row: row["zip_bytes"]) for side in sides)
    ratio = own["zip_bytes"] / peer["zip_bytes"]
    return [
        (
            "smallest zip at a drop of at most one point, tkit / peer",
            f"{ratio:.2f} ({titles[own['side']]} / {titles[peer['side']]})",
        )
    ]


def accuracy(rows: Sequence[Row], titles: dict[str, str]) -> list[tuple[str, str]]:
    """The accuracy of tkit's QAT against the best peer's."""
    found = {row["side"]: row for row in rows if "error" not in row}
    peers = [row for side, row in found.items() if not side.startswith("tkit")]
    if "tkit-qat" not in found or not peers:
        return []
    own, best = found["tkit-qat"], max(peers, key=lambda row: row["accuracy"])
    low, high = best["behind_qat_interval"]
    return [
        (
            "accuracy of tkit's QAT beside the best peer's",
            f"{own['accuracy']:.2%} and {best['accuracy']:.2%} ({titles[best['side']]}), "
            f"{100 * best['behind_qat']:+.2f} points ({100 * low:+.2f} to {100 * high:+.2f}): "
            f"{'no lower' if high >= 0 else 'lower'} within the interval",
        )
    ]
