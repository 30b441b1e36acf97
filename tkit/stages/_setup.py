"""What a training's arithmetic depends on, and whether a resumed one still has it."""

from __future__ import annotations

import os
from typing import Any

import tensorflow as tf

from tkit import console
from tkit.recipe import Recipe
from tkit.recipe_v1 import upgraded
from tkit.training.config import MAX_THREADS
from tkit.versions import versions
from tkit_edge import machine
from tkit_edge.errors import InputError
from tkit_pipelines.dataset import digest
from tkit_pipelines.splits import Splits

VARIABLE = "TKIT_THREADS"
_FREE = ("name", "bench", "compress", "export")
"""Parts of a recipe that training doesn't depend on."""


def of(recipe: Recipe, splits: Splits, policy: str) -> dict[str, Any]:
    """The setup of this process for a recipe, as JSON: recipe, data, precision, threads, machine and versions."""
    values = recipe.model_dump(mode="json")
    values = {key: value for key, value in values.items() if key not in _FREE}
    values["fit"] = {key: value for key, value in values["fit"].items() if key != "checkpoint"}
    values["data"] = {key: value for key, value in values["data"].items() if key != "source"}
    return {
        "recipe": values,
        "data": digest(splits.train, splits.validation),
        "precision": policy,
        "threads": threads(),
        "machine": machine.describe()["cpu"],
        "versions": versions(),
    }


def threads() -> int:
    """How many threads TensorFlow's kernels share here."""
    return tf.config.threading.get_intra_op_parallelism_threads() or machine.cores()


def use_threads(count: int | None) -> None:
    """Has the kernels share their work among `count` threads, else among $TKIT_THREADS, else among all cores.

    Raises:
        InputError: TensorFlow has begun with another number in this process, or the variable is no number of threads.
    """
    text = os.environ.get(VARIABLE, "")
    if count is None and text:
        if not text.isdecimal() or not 1 <= int(text) <= MAX_THREADS:
            raise InputError(f"{VARIABLE}={text!r}: expected a number of threads from 1 to {MAX_THREADS}.")
        count = int(text)
    if count is not None and count != threads():
        try:
            tf.config.threading.set_intra_op_parallelism_threads(count)
        except RuntimeError as error:
            raise InputError(
                f"{count} threads were asked for, and TensorFlow has begun with {threads()} in this process: set "
                f"{VARIABLE} or fit.threads before TensorFlow is used, or start a new process."
            ) from error


def compare(before: dict[str, Any], now: dict[str, Any], recipe: Recipe) -> None:
    """Says what differs between the setup of a checkpoint and this one, which is `recipe`'s.

    A setting that the checkpoint's version of tkit didn't have differs unless it has its default.

    Raises:
        InputError: something differs that makes it another run.
    """
    chosen = recipe.model_dump(mode="json", exclude_defaults=True)
    differences = _differences(upgraded(before["recipe"]), now["recipe"], chosen)
    changed = [f"{key} was {old!r}, is {new!r}" for key, old, new in differences]
    if before["data"] != now["data"]:
        changed.append("the images or their labels are others")
    for key in ("precision", "threads"):
        if before[key] != now[key]:
            changed.append(f"{key} was {before[key]!r}, is {now[key]!r}")
    if changed:
        raise InputError(
            f"This would be another run than the one that was interrupted: {'; '.join(changed)}. Bring it back, or "
            "train anew."
        )
    for key in ("machine", "versions"):
        if before[key] != now[key]:
            console.say(f"{key} was {before[key]}, is {now[key]}: results may differ in their last bits.")


def _differences(before: Any, now: Any, chosen: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    if not isinstance(before, dict) or not isinstance(now, dict):
        return [] if before == now else [(path.rstrip("."), before, now)]
    chosen = chosen if isinstance(chosen, dict) else {}
    return [
        item
        for key in {**before, **now}
        if key in before or key in chosen
        for item in _differences(before.get(key), now.get(key), chosen.get(key), f"{path}{key}.")
    ]
