"""The work of why-int8: rounding part after part, the two files, and what is written into the run."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tkit import console, files, model_files
from tkit._quiet import chatter_dropped
from tkit.arrays import predicted
from tkit.compression.diagnosis.effect import compared
from tkit.compression.diagnosis.remedies import written
from tkit.compression.diagnosis.sensitivity import Sensitivity, sensitivity_analysis
from tkit.compression.diagnosis.sensitivity_plot import sensitivity_png
from tkit.compression.steps.quantize import Quantize
from tkit.compression.workbench import Workbench
from tkit.conversion.converter import file_outputs
from tkit.conversion.quantized import convert_quantized
from tkit.graph import of_size
from tkit.passes.decomposition import decomposed
from tkit.promises import Kept, State
from tkit.results.why_int8 import WhyInt8Result
from tkit.run_folder import Run
from tkit.stages._common import data_of
from tkit.stages._compress import settings_of
from tkit_edge.errors import InputError
from tkit_edge.outputs import Output
from tkit_edge.runtime import Model
from tkit_edge.tensors import Arrays, bound

STAGE = "why-int8"


def diagnosed(run: Run, chosen: Quantize, variant: str, samples: int) -> WhyInt8Result:
    """What `tkit.why_int8` returns, for a checked step and number of validation images."""
    began = time.perf_counter()
    source = run.model_folder(variant)
    state = State(decomposed(of_size(model_files.load(source), run.input.tensors)), Kept.read(source))
    if state.kept.quantized is not None:
        raise InputError(f"{variant} is quantized already. Ask about the variant that it was made of: --variant NAME")
    splits = data_of(run)
    drawn = np.random.default_rng(run.recipe.seed).permutation(len(splits.validation))[:samples]
    held_out = splits.validation.take(np.sort(drawn))
    work = Workbench(**settings_of(run, splits))
    chosen.check(state.model, work)
    findings = sensitivity_analysis(state, work, chosen, held_out)
    contract, inputs, targets = work.contract, work.inputs(held_out), work.targets(held_out)
    input, output = contract.input, contract.output
    reference = predicted(state.model, inputs, output.tensors, 128)

    def measured(step: Quantize) -> dict[str, Any]:
        console.progress(f"converting {written(step)}")
        made = step.apply(state, work)
        data = convert_quantized(made.model, made.kept, run.recipe.export.io, file_outputs(output))
        with chatter_dropped():
            outputs = bound(Model(data), input.tensors, output.tensors)(inputs)
        return {**compared(output, reference, outputs, targets).as_json(output), "bytes": len(data)}

    exceptions = findings.exceptions
    folder = run.folder / variant / STAGE
    result: dict[str, Any] = {
        "kind": STAGE,
        "version": 1,
        "run": str(run.folder),
        "variant": variant,
        "samples": len(held_out),
        "step": written(chosen),
        "float": _score(output, reference, targets),
        "places": [_row(item, output) for item in findings.sites],
        "together": findings.together.as_json(output),
        "int8": measured(chosen),
        "suggested_step": None if exceptions is None else written(exceptions),
        "with_exceptions": None if exceptions is None else measured(exceptions),
        "folder": str(folder),
    }
    files.write_json(folder / "why-int8.json", result)
    files.write_bytes(folder / "why-int8.png", sensitivity_png(result["places"], findings, output))
    run.finish(
        STAGE,
        variant,
        inputs=[source / "architecture.json", source / "weights.npz"],
        outputs=[folder / "why-int8.json", folder / "why-int8.png"],
        metrics={key: result[key] for key in ("float", "int8", "suggested_step", "with_exceptions")},
        seconds=time.perf_counter() - began,
        step=chosen.model_dump(mode="json"),
        samples=len(held_out),
    )
    return WhyInt8Result(result)


def _score(output: Output, outputs: Arrays, targets: Arrays) -> dict[str, float]:
    return {} if output.measure is None else {output.measure.key: float(np.mean(output.graded(outputs, targets)))}


def _row(item: Sensitivity, output: Output) -> dict[str, Any]:
    return {
        "layer": item.site.layer,
        "part": item.site.part,
        **item.effect.as_json(output),
        "cause": item.cause.name,
        "why": item.cause.why,
        "measured": item.cause.measured,
        "suspect": item.suspect,
        "remedy": item.remedy,
    }
