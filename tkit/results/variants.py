"""The rows of a comparison: what a run's manifest records of its variants and their exported files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tkit.measures import measure_of
from tkit.outdated import counts
from tkit_edge.anatomy import zip_bytes
from tkit_edge.files import read_bytes


def rows(folder: Path, stages: Mapping[str, Any], variant: str) -> list[dict[str, Any]]:
    """A row per exported file of a variant; without any, one with the score that its model had when it was made.

    Each has `run`, `variant`, `format`, `bytes`, `zip_bytes`, `score` and `p50_ms` (one thread, by XNNPACK if that was
    measured), None where it isn't known. A `score` has `name`, `share`, `value`, `samples` and `split`: on test
    examples from `tkit bench`, else on validation examples. Figures of files that have changed since don't count.

    Args:
        folder: the run's.
        stages: the manifest's entries.
        variant: its name.
    """
    export, bench = f"{variant}/export", f"{variant}/bench"
    where = {"run": str(folder), "variant": variant}
    if not counts(folder, stages, export):
        nothing = {"format": None, "bytes": None, "zip_bytes": None}
        return [{**where, **nothing, "score": _recorded(stages, variant), "p50_ms": None}]
    benched = stages[bench]["metrics"]["results"] if counts(folder, stages, bench) else ()
    found = []
    for fmt, figures in stages[export]["metrics"].items():
        own = [row for row in benched if row["format"] == fmt]
        score = next((row["score"] for row in own if row.get("score")), None)
        found.append(
            {
                **where,
                "format": fmt,
                "bytes": figures["bytes"],
                "zip_bytes": _zipped(folder, f"{export}/model-{fmt}.tflite", stages[export]["outputs"]),
                "score": _validated(figures) if score is None else _score(score, "test"),
                "p50_ms": _latency(own),
            }
        )
    return found


def _score(found: Mapping[str, Any], split: str) -> dict[str, Any]:
    return {**{key: found[key] for key in ("name", "share", "value", "samples")}, "split": split}


def _validated(figures: Mapping[str, Any]) -> dict[str, Any] | None:
    """The score among figures of validation examples; of how many it is where that was recorded."""
    measure = measure_of(figures)
    if measure is None:
        return None
    samples = figures.get(f"{measure.key}_samples", figures.get("samples"))
    value = figures[measure.key]
    return {"name": measure.name, "share": measure.share, "value": value, "samples": samples, "split": "validation"}


def _recorded(stages: Mapping[str, Any], variant: str) -> dict[str, Any] | None:
    """The score of a variant's model when it was made."""
    if f"{variant}/compress" in stages:
        ledger = stages[f"{variant}/compress"]["metrics"].get("ledger")
        return _validated(ledger[-1]) if ledger else None
    if f"{variant}/adopt" in stages:
        return _validated(stages[f"{variant}/adopt"]["metrics"])
    metrics = stages[f"{variant}/fit"]["metrics"]
    prefix = "val_" if any(key.startswith("val_") for key in metrics) else ""  # generators are validated as a set
    return _validated({key.removeprefix("val_"): value for key, value in metrics.items() if key.startswith(prefix)})


def _zipped(folder: Path, name: str, outputs: Mapping[str, str]) -> int | None:
    """Of one of an export's outputs: only their names are known to be inside of the run."""
    return zip_bytes(read_bytes(folder / name)) if name in outputs and (folder / name).is_file() else None


def _latency(measured: Sequence[Mapping[str, Any]]) -> float | None:
    """The median on one thread, where one was measured; XNNPACK's row comes first."""
    found = sorted(measured, key=lambda row: row["threads"])
    return found[0]["p50_ms"] if found else None
