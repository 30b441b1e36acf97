"""Sensitivity analysis of int8: each kernel and activation is rounded alone, with the rest of the model in float."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from tkit.arrays import count
from tkit.compression.diagnosis.causes import Cause, of_activations, of_kernel
from tkit.compression.diagnosis.effect import Effect, compared
from tkit.compression.diagnosis.observations import Seen, observe
from tkit.compression.diagnosis.remedies import MORE, Remedies
from tkit.compression.diagnosis.sites import Site, Switches
from tkit.compression.steps.quantize import Quantize
from tkit.compression.workbench import Workbench
from tkit.kernels.scales import scale_shape
from tkit.passes.folding import fold
from tkit.promises import State
from tkit_edge.tensors import Arrays
from tkit_pipelines.dataset import Examples
from tkit_pipelines.progress import progress

SUSPECT, NOTICEABLE = 0.1, 1e-3
"""Share of the whole model's divergence, and nats, above which a site is reported as a cause."""
SUSPECTS = 8
"""Largest number of sites that exceptions are suggested for."""


class Sensitivity(NamedTuple):
    """The sensitivity of one site, rounded alone."""

    site: Site
    effect: Effect
    cause: Cause
    suspect: bool
    remedy: str
    """What is suggested; empty for a site that isn't suspect, or where nothing helps."""


class Findings(NamedTuple):
    """The result of a sensitivity analysis."""

    sites: list[Sensitivity]
    """The worst first."""
    together: Effect
    """All sites rounded."""
    exceptions: Quantize | None
    """The step with the suggested exceptions; None where there are none."""
    histogram: tuple[np.ndarray, np.ndarray, tuple[float, float]]
    """Histogram of the worst site's values: edges, counts, and the values of the outermost codes."""


def sensitivity_analysis(state: State, work: Workbench, step: Quantize, held_out: Examples) -> Findings:
    """Ranks the sites by their effect, names causes, and suggests exceptions.

    Args:
        state: the float model and its properties.
        work: the training data, which calibrates.
        step: how it is quantized; nothing is trained.
        held_out: validation examples, which measure.

    Raises:
        InputError: as `Quantize.apply`.
    """
    rounded = step.apply(state, work)
    folded = fold(state.model)
    switches = Switches(folded, rounded)
    inputs, targets, specs = work.inputs(held_out), work.targets(held_out), work.contract.output.tensors
    reference = switches.outputs(inputs, specs)

    def effect(sites: Sequence[Site]) -> Effect:
        return compared(work.contract.output, reference, switches.outputs(inputs, specs, sites), targets)

    alone: dict[Site, Effect] = {}
    with progress("rounding one at a time", len(switches.sites) + 1) as advance:
        together = effect(switches.sites)
        advance(1)
        for site in switches.sites:
            alone[site] = effect([site])
            advance(1)
    ranked = sorted(alone, key=lambda site: -alone[site].divergence)
    least = max(SUSPECT * together.divergence, NOTICEABLE)
    suspects = [site for site in ranked[:SUSPECTS] if alone[site].divergence >= least]
    causes, seen = _causes(switches, folded, work, step, inputs)
    remedies = Remedies(switches, folded, work, step, effect)
    exceptions = remedies.of(suspects, alone, together, causes) if suspects else None
    sites = [
        Sensitivity(site, alone[site], causes[site], site in suspects, remedies.suggested.get(site, ""))
        for site in ranked
    ]
    return Findings(sites, together, exceptions, _histogram(ranked[0], switches, seen))


def _causes(
    switches: Switches, folded: keras.Model, work: Workbench, step: Quantize, held_out: Arrays
) -> tuple[dict[Site, Cause], dict[str, Seen]]:
    calibration, examples = work.calibration(step.samples), work.calibration(MORE * step.samples)
    seen = observe(switches, calibration)
    more = observe(switches, examples) if count(examples) > count(calibration) else seen
    validation = observe(switches, held_out)
    found: dict[Site, Cause] = {}
    for site in switches.sites:
        if site.part == "kernel":
            layer = folded.get_layer(site.layer)
            found[site] = of_kernel(*(_rows(layer, kernel) for kernel in switches.kernels[site.layer]))
        else:
            name = site.layer
            found[site] = of_activations(switches.range_of(name), seen[name], more[name], validation[name])
    return found, seen


def _rows(layer: keras.layers.Layer, kernel: np.ndarray) -> np.ndarray:
    """One row per channel with its own scale."""
    scales = scale_shape(layer, kernel.shape)
    channels = [axis for axis, size in enumerate(scales) if size != 1]
    others = [axis for axis, size in enumerate(scales) if size == 1]
    return kernel.transpose(*channels, *others).reshape(int(np.prod(scales)), -1)


def _histogram(
    worst: Site, switches: Switches, seen: dict[str, Seen]
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    if worst.part == "activations":
        item = seen[worst.layer]
        return item.edges, item.counts, switches.range_of(worst.layer)
    kernel = switches.kernels[worst.layer][0]
    counts, edges = np.histogram(kernel, 256)
    bound = float(np.abs(kernel).max())
    return edges, counts, (-bound, bound)
