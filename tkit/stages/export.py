"""The export stage: a trained variant to .tflite files that passed the parity gate, in a bundle."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tkit import console, files, model_files
from tkit._quiet import chatter_dropped
from tkit.compress._evidence import proofs
from tkit.compress._kernels import kernel_names
from tkit.export import calibration, parity
from tkit.export.convert import Converter
from tkit.export.quantized import converted
from tkit.recipe import with_overrides
from tkit.run import Run
from tkit.stages._common import as_run, data_of
from tkit_edge.bundle import Bundle
from tkit_edge.errors import BoundError
from tkit_pipelines.dataset import Examples

GOLDEN_SAMPLES = 8
JUDGED = ("float32", "int8")
"""Formats whose files are held to what compression promises."""


@files.writing()
def export(run: Run | str | Path, *, variant: str | None = None, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Exports a variant's model in the recipe's formats and checks each file against the Keras model.

    Args:
        run: a run or its folder.
        variant: `float` or one that compression made; the newest by default.
        overrides: changes to the recipe's `export` for this time, such as "export.io=uint8".

    Returns:
        The stage's manifest entry; `metrics` has one entry a format.

    Raises:
        InputError: a layer that LiteRT has no builtin operator for, named.
        BoundError: a file past the recipe's parity bounds, with its figures; nothing is left behind.
    """
    began = time.perf_counter()
    run = as_run(run)
    variant = variant or run.variant
    folder = run.model_folder(variant)
    recipe = with_overrides(run.recipe, overrides)
    splits = data_of(run, recipe)
    model, kept = model_files.load(folder), model_files.load_kept(folder)
    settings = recipe.export
    pictures = calibration.stratified(splits.train, settings.calibration_samples, recipe.seed)
    held_out = _first(splits.validation, settings.parity.samples, recipe.seed)
    logits = model.predict(held_out.images.astype(np.float32), batch_size=256, verbose=0)
    models: dict[str, bytes] = {}
    figures: dict[str, dict[str, Any]] = {}
    failed: list[str] = []
    with Converter(model, pictures, io=settings.io) as convert:
        for fmt in settings.formats:
            models[fmt] = converted(convert, fmt, kept, sparse=settings.sparse)
            with chatter_dropped():
                figures[fmt] = parity.compare(fmt, models[fmt], held_out.images, held_out.labels, logits)
            figures[fmt]["bytes"] = len(models[fmt])
            problems = parity.failures(fmt, figures[fmt], settings.parity)
            judged = proofs(models[fmt], kept, kernel_names(model)) if fmt in JUDGED else []
            broken = [proof for proof in judged if not proof.holds]
            problems += [f"{fmt}: {item.layer}: promised {item.promise}, found {item.found}" for item in broken]
            failed += problems
            console.say(_line(fmt, figures[fmt], "FAILED" if problems else "ok"))
    if failed:
        raise BoundError(
            f"{len(failed)} of the gate's bounds missed on {len(held_out.labels)} validation pictures:\n  "
            + "\n  ".join(failed)
            + "\nNothing was exported. The bounds are export.parity in the recipe."
        )
    target = folder / "export"
    golden = _first(splits.validation, GOLDEN_SAMPLES, recipe.seed)
    with files.new_folder(target) as made:
        Bundle.write(
            made,
            models=models,
            labels=splits.class_names,
            images=golden.images,
            answers=golden.labels,
            encoded=[golden.encoded(index) for index in range(len(golden))],
            output=run.output,
            resize=recipe.data.resize,
        )
    return run.finish(
        "export",
        variant,
        inputs=[folder / "architecture.json", folder / "weights.npz"],
        outputs=sorted(path for path in target.rglob("*") if path.is_file()),
        metrics=figures,
        seconds=time.perf_counter() - began,
        settings=settings.model_dump(mode="json"),
    )


def _first(examples: Examples, samples: int, seed: int) -> Examples:
    """A seeded draw of `samples` examples, all where there are fewer, in their order."""
    count = len(examples.labels)
    chosen = np.sort(np.random.default_rng(seed).permutation(count)[:samples])
    return examples.take(chosen)


def _line(fmt: str, figures: dict[str, Any], verdict: str) -> str:
    low, high = figures["drop_interval"]
    return (
        f"{fmt:<8} {figures['bytes']:>10,} bytes  "
        f"validation accuracy {figures['accuracy']:.2%} of {figures['samples']:,}  "
        f"same top-1 {figures['agreement']:.1%}  "
        f"drop {100 * figures['drop']:+.2f} points (95 % {100 * low:+.2f} to {100 * high:+.2f})  "
        f"largest difference {figures['max_difference']:.1e}  {verdict}"
    )
