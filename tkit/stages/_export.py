"""The work of the export stage: a file in each format, the gate, the bundle, and the run's manifest entry."""

from __future__ import annotations

import time
from typing import Any

import keras

from tkit import console, files, model_files
from tkit._quiet import chatter_dropped
from tkit.compression.proofs import proofs
from tkit.conversion import calibration, finite, held_out, parity, process
from tkit.conversion.config import FORMATS, Export, Format
from tkit.conversion.converter import Converter, file_outputs
from tkit.conversion.explanation import float_operators, missing_operators
from tkit.conversion.golden import golden_samples
from tkit.conversion.held_out import drawn
from tkit.conversion.quantized import converted
from tkit.conversion.reference import Reference
from tkit.graph import names, of_size
from tkit.promises import Kept
from tkit.recipe import Recipe
from tkit.results.export import ExportResult
from tkit.ruler import Ruler
from tkit.run_folder import Run
from tkit.stages._common import data_of
from tkit.stages._withdraw import withdraw_export
from tkit_edge import bundle_writing
from tkit_edge.child import CrashError
from tkit_edge.errors import BoundError, InputError
from tkit_edge.outputs import Output
from tkit_edge.tensors import Arrays

SPARE = ("float16", "dynamic", "int16x8")
"""Formats that `auto` leaves out where they miss a bound of the gate, of a recurrent model any; a broken promise of
compression fails in all."""


def exported(run: Run, recipe: Recipe, variant: str, skip_failed: bool) -> ExportResult:
    """What `tkit.export` returns, for a variant and the recipe with its overrides."""
    began = time.perf_counter()
    folder = run.model_folder(variant)
    splits = data_of(run, recipe)
    model, kept = of_size(model_files.load(folder), run.input.tensors), Kept.read(folder)
    finite.check_weights(model)
    settings = recipe.export
    contract = run.contract(splits)
    input, output = contract.input, contract.output
    calibrating = calibration.stratified(splits.train, settings.calibration_samples, recipe.seed, input.tensors)
    reference = Reference.of(model, splits, settings, recipe.seed, contract)
    _check_score(run, variant, reference)
    made = _Files(settings, kept, reference, skip_failed)
    with Converter(model, calibrating, io=settings.io, outputs=file_outputs(output)) as convert:
        for fmt in FORMATS if settings.formats == "auto" else settings.formats:
            made.add(fmt, convert)
    if (missed := made.missed()) is not None:
        raise _refusal(run, variant, missed, made.figures)
    target = folder / "export"
    shown = drawn(splits.validation, settings.golden_samples, recipe.seed)
    golden = golden_samples(shown, input, output, originals=settings.golden == "originals")
    with files.new_folder(target) as scratch, chatter_dropped():
        bundle_writing.write(
            scratch,
            task=contract.name,
            input=input,
            output=output,
            models=made.models,
            examples=golden.inputs,
            targets=golden.targets,
            encoded=golden.encoded,
        )
    run.finish(
        "export",
        variant,
        inputs=[folder / "architecture.json", folder / "weights.npz"],
        outputs=sorted(path for path in target.rglob("*") if path.is_file()),
        metrics={fmt: made.figures[fmt] for fmt in made.models},
        seconds=time.perf_counter() - began,
        settings=settings.model_dump(mode="json"),
        left_out=made.left_out,
    )
    return ExportResult(run.summary("export", variant))


class _Files:
    """The files of an export as they are made: those that passed, and why the others didn't."""

    def __init__(self, settings: Export, kept: Kept, reference: Reference, skip_failed: bool) -> None:
        self.settings, self.kept, self.reference, self.skip_failed = settings, kept, reference, skip_failed
        self.models: dict[str, bytes] = {}
        self.figures: dict[str, dict[str, Any]] = {}
        self.left_out: dict[str, str] = {}
        self._failed: list[str] = []

    def add(self, fmt: Format, convert: Converter) -> None:
        """Makes the file of a format, and judges it.

        Raises:
            InputError: the model can't be had in the format, which was asked for.
        """
        try:
            data = converted(convert, fmt, self.kept, sparse=self.settings.sparse)
            outputs = _outputs(fmt, data, self.reference)
            floats = self._float_operators(fmt, data, convert)
        except InputError as error:
            if self._asked(fmt) and not self.skip_failed:
                raise
            self._leave_out(fmt, str(error))
            return
        reference, contract = self.reference, self.reference.contract
        figures = parity.compare(contract.output, outputs, reference.outputs, reference.targets, contract.ruler)
        self.figures[fmt] = {**figures, "bytes": len(data), "float_operators": floats}
        problems = parity.failures(fmt, figures, self.settings.parity, contract.output, contract.ruler)
        broken = [proof for proof in proofs(data, fmt, self.kept, convert.model) if not proof.holds]
        problems += [f"{fmt}: {item.layer}: promised {item.promise}, found {item.found}" for item in broken]
        if (release := self.settings.min_runtime) is not None:
            problems += missing_operators(fmt, data, names(convert.model), release)
        verdict = f"ok, but {_named(floats)} in float" if floats else "ok"
        console.progress(
            _line(fmt, self.figures[fmt], contract.output, "FAILED" if problems else verdict, contract.ruler)
        )
        spare = (fmt in SPARE or _recurrent(convert.model)) and not self._asked(fmt) and not broken
        if not spare:
            self._failed += problems
        if problems and (spare or self.skip_failed):
            self._leave_out(fmt, "; ".join(problems))
            return
        self.models[fmt] = data

    def missed(self) -> str | None:
        """The bounds that were missed, in words; InputError where nothing is left.

        Those of formats that were left out for it count where no other is left.
        """
        if self._failed and not (self.skip_failed and self.models):
            others = " --skip-failed exports the formats that pass." if len(self.models) > 1 else ""
            runtime = " and export.min_runtime" if self.settings.min_runtime else ""
            return (
                f"{len(self._failed)} of the gate's bounds missed on {self.reference.samples}:"
                + "".join(f"\n  {problem}" for problem in self._failed)
                + f"\nNothing was exported. The bounds are export.parity{runtime} in the recipe.{others}"
            )
        if not self.models:
            reasons = "\n  ".join(f"{fmt}: {reason}" for fmt, reason in self.left_out.items())
            raise InputError(f"The model can't be had in any of the formats:\n  {reasons}")
        if self.left_out:
            console.say(f"Not exported: {', '.join(self.left_out)} (why stands above).")
        return None

    def _asked(self, fmt: Format) -> bool:
        """Whether the user wants this very format: by its name, or by quantizing the model."""
        return self.settings.formats != "auto" or (fmt == "int8" and self.kept.quantized is not None)

    def _leave_out(self, fmt: Format, reason: str) -> None:
        self.left_out[fmt] = reason
        console.say(f"{fmt:<8} left out: {reason}")

    def _float_operators(self, fmt: Format, data: bytes, convert: Converter) -> dict[str, list[str]]:
        """The float operators of an int8 file; InputError where one that is integers only was asked for."""
        if fmt != "int8" or self.kept.quantized is not None:
            return {}
        found = float_operators(data, names(convert.model))
        if found and self._asked(fmt):
            raise InputError(
                f"The int8 file would not be integers only: LiteRT has no int8 kernel for {_named(found)} here. "
                "Replace the layer, or name it in `tkit compress RUN quantize:float_layers=LAYER`, or take the file "
                "with these operators in float: export.formats=auto."
            )
        return found


def _check_score(run: Run, variant: str, reference: Reference) -> None:
    """Raises BoundError where the Keras model is far worse than when it was made; warns of one at chance.

    A ruler's score depends on the number of samples: nothing that was recorded says what it should be.
    """
    output = reference.contract.output
    if output.measure is None:
        return
    found = held_out.figures(output, reference.outputs, reference.targets)
    recorded = None if run.dry_run else _recorded(run, variant, output.measure.key)
    alarm = held_out.alarm(output, found, recorded)
    if alarm is not None:
        raise _refusal(run, variant, alarm, {"keras": {**found, "recorded": recorded}})
    adopted = f"{variant}/adopt" in run.manifest["stages"]
    if adopted and (warning := held_out.warning(output, found)):
        console.say(warning)


def _recorded(run: Run, variant: str, key: str) -> float | None:
    """The validation score of a variant's model when it was made; None where none was kept."""
    stages = run.manifest["stages"]
    if f"{variant}/compress" in stages:
        ledger = stages[f"{variant}/compress"]["metrics"].get("ledger")
        return ledger[-1].get(key) if ledger else None
    if f"{variant}/adopt" in stages:
        return stages[f"{variant}/adopt"]["metrics"].get(key)
    return stages[f"{variant}/fit"]["metrics"].get(f"val_{key}")


def _refusal(run: Run, variant: str, message: str, figures: dict[str, Any]) -> BoundError:
    """The error of a gate that was missed, after the variant's earlier export was taken away."""
    if withdraw_export(run, variant):
        message += "\nThe earlier export was taken away: it isn't what these settings give."
    return BoundError(message, figures)


def _outputs(fmt: str, data: bytes, reference: Reference) -> Arrays:
    """What a file gives, run in another process."""
    try:
        return process.outputs(data, reference.examples, reference.contract.input, reference.contract.output)
    except CrashError as crash:
        raise InputError(f"The {fmt} file crashes LiteRT ({crash.signal}). Leave the format out.") from crash
    except InputError as error:
        raise InputError(f"LiteRT refuses the {fmt} file: {error} Leave the format out.") from error


def _recurrent(model: keras.Model) -> bool:
    """Whether a model has loops, whose states 8 bits are often too few for."""
    return any(isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional)) for layer in model.layers)


def _named(operators: dict[str, list[str]]) -> str:
    """Operators with their layers."""
    return ", ".join(
        f"{operator} ({', '.join(map(repr, layers))})" if layers else operator for operator, layers in operators.items()
    )


def _line(fmt: str, figures: dict[str, Any], output: Output, verdict: str, ruler: Ruler | None = None) -> str:
    measure = output.measure if ruler is None else ruler.measure
    if measure is not None and measure.key not in figures:
        measure = None  # a ruler has no score for outputs that aren't finite
    parts = [f"{fmt:<8} {figures['bytes']:>10,} bytes"]
    if measure is not None:
        value, samples = measure.text(figures[measure.key]), figures[f"{measure.key}_samples"]
        parts.append(f"validation {measure.name} {value} of {samples:,}")
    parts.append(f"same {output.answer} {figures[output.same_key]:.1%} of {figures['samples']:,}")
    parts += [f"PSNR {figures['psnr']:.1f} dB"] if "psnr" in figures else []
    if measure is None:
        parts.append(f"mean difference {figures['mean_difference']:.1e}")
    elif ruler is None:
        low, high = figures["drop_interval"]
        parts.append(f"drop {100 * figures['drop']:+.2f} {measure.points} (95 % {100 * low:+.2f} to {100 * high:+.2f})")
    else:
        low, high = (100 * (side - 1) for side in figures["ratio_interval"])
        parts.append(f"{measure.name} {100 * (figures['ratio'] - 1):+.1f} % (95 % {low:+.1f} to {high:+.1f})")
    return "  ".join([*parts, f"largest difference {figures['max_difference']:.1e}", verdict])
