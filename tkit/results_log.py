"""Data for TensorBoard's HParams tab: one row per variant, its final figures and the settings that matter.

An event file in `logs/results/<variant>`, written again from the manifest whenever a stage ends, without TensorFlow.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tkit import files
from tkit.outdated import counts
from tkit_pipelines.config import Component, Config

if TYPE_CHECKING:
    from tkit.recipe import Recipe

SECTIONS = ("task", "data", "model", "fit", "compress")
"""The parts of a recipe that the figures depend on."""
ALWAYS = ("fit.epochs", "fit.optimizer", "fit.optimizer.learning_rate", "data.batch_size")
"""Settings that are shown even if they have the default value."""
SCORES = {
    "accuracy": "val_accuracy",
    "mean_absolute_error": "val_mean_absolute_error",
    "distance": "distance",
}
"""By the keys of the measures that outputs and rulers have: what training calls it on validation data."""
FORMATS = ("float32", "int8")
"""The files whose figures are compared."""


def write(folder: Path, recipe: Recipe, stages: Mapping[str, Any], variant: str) -> None:
    """Writes the variant's settings and the figures of its finished stages.

    Args:
        folder: the run's.
        recipe: the run's.
        stages: the manifest's entries.
        variant: the row's.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import summary_v2 as hparams
    from tensorboard.summary.writer.record_writer import RecordWriter

    now = time.time()
    settings = {"recipe": recipe.name, "variant": variant, **hyperparameters(recipe)}
    scalars = Summary(
        value=[Summary.Value(tag=tag, simple_value=value) for tag, value in figures(folder, stages, variant)]
    )
    row = hparams.hparams_pb(settings, trial_id=f"{folder.name}/{variant}", start_time_secs=now)
    events = io.BytesIO()
    records = RecordWriter(events)
    for content in ({"file_version": "brain.Event:2"}, {"summary": row}, {"summary": scalars}):
        records.write(Event(wall_time=now, **content).SerializeToString())
    files.write_bytes(folder / "logs" / "results" / variant / "events.out.tfevents.results", events.getvalue())


def figures(folder: Path, stages: Mapping[str, Any], variant: str) -> Iterator[tuple[str, float]]:
    """Scores, sizes in KB and median latencies in ms (one thread), by tag."""
    keys = {name: f"{variant}/{name}" for name in ("fit", "export", "bench")}
    metrics = {name: stages[key]["metrics"] if counts(folder, stages, key) else {} for name, key in keys.items()}
    for key, name in SCORES.items():
        if name in metrics["fit"]:
            yield f"validation_{key}", metrics["fit"][name]
    for fmt in FORMATS:
        if fmt in metrics["export"]:
            for key in SCORES:
                if key in metrics["export"][fmt]:
                    yield f"{fmt}/validation_{key}", metrics["export"][fmt][key]
            yield f"{fmt}/size_KB", metrics["export"][fmt]["bytes"] / 1e3
        rows = [row for row in metrics["bench"].get("results", ()) if row["format"] == fmt]
        for row in [row for row in rows if row["threads"] == 1][:1]:  # XNNPACK's row comes first
            yield f"{fmt}/p50_ms", row["p50_ms"]
        for score in [row["score"] for row in rows if row.get("score")][:1]:
            if score["value"] is not None:  # not finite
                yield f"{fmt}/test_{score['name'].replace(' ', '_')}", score["value"]


def hyperparameters(recipe: Recipe) -> dict[str, Any]:
    """The recipe's settings that differ from their defaults, and a few that always matter, by dotted key."""
    found: dict[str, Any] = {"seed": recipe.seed}
    for section in SECTIONS:
        found |= _differing(section, getattr(recipe, section), None)
    for section in ("task", "data"):
        found.pop(section)  # the model's kind tells as much
    return found


def _differing(key: str, value: Any, default: Any) -> dict[str, Any]:
    if isinstance(value, tuple) and (value != default or key in ALWAYS):
        names = [item.kind if isinstance(item, Component) else str(item) for item in value]
        return {key: ", ".join(names)} if names else {}
    if not isinstance(value, Config):
        return {key: _plain(value)} if value != default or key in ALWAYS else {}
    changed = isinstance(value, Component) and (type(value) is not type(default) or key in ALWAYS)
    found: dict[str, Any] = {key: value.kind} if changed else {}  # type: ignore[attr-defined]
    for name, field in type(value).model_fields.items():
        if name != "kind":
            found |= _differing(f"{key}.{name}", getattr(value, name), field.get_default())
    return found


def _plain(value: Any) -> bool | int | float | str:
    return value if isinstance(value, (bool, int, float, str)) else str(value)
