"""Which kernels and activations cost an int8 model its accuracy: each is rounded alone, in a model else in float."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import keras
import numpy as np

from tkit.compression.diagnosis.causes import Cause, of_activations, of_kernel
from tkit.compression.diagnosis.effect import Effect, compared
from tkit.compression.diagnosis.observations import Seen, observe
from tkit.compression.diagnosis.remedies import MORE, Remedies
from tkit.compression.diagnosis.sites import Place, Switches
from tkit.compression.step import State
from tkit.compression.steps.quantize import Quantize
from tkit.compression.workbench import Workbench
from tkit.kernels.viewed import scale_shape
from tkit.passes.folding import fold
from tkit_pipelines.dataset import Examples
from tkit_pipelines.progress import progress

SUSPECT, NOTICEABLE = 0.1, 1e-3
"""Share of the whole model's divergence, and nats, from which a place alone is to blame."""
SUSPECTS = 8
"""Most places that exceptions are made for."""


class Blamed(NamedTuple):
    """One place, by its effect alone."""

    place: Place
    effect: Effect
    cause: Cause
    suspect: bool
    remedy: str
    """What is suggested; empty for a place that isn't suspect, or that nothing helps."""


class Findings(NamedTuple):
    """What was found."""

    places: list[Blamed]
    """The worst first."""
    together: Effect
    """All places rounded."""
    exceptions: Quantize | None
    """The step with the suggested exceptions; None where there are none."""
    histogram: tuple[np.ndarray, np.ndarray, tuple[float, float]]
    """Of the worst place's values: edges, counts, and the values of the outermost codes."""


def blame(state: State, work: Workbench, step: Quantize, held_out: Examples) -> Findings:
    """Ranks the places by their effect, names causes, and suggests exceptions.

    Args:
        state: the float model, and what holds of it.
        work: the training images, which calibrate.
        step: how it is quantized; nothing is trained.
        held_out: validation images, which measure.

    Raises:
        InputError: as `Quantize.apply`.
    """
    rounded = step.apply(state, work)
    folded = fold(state.model)
    switches = Switches(folded, rounded)
    output = "probabilities" if work.probabilities else "logits"
    reference = switches.outputs(held_out.images)

    def effect(places: Sequence[Place]) -> Effect:
        return compared(reference, switches.outputs(held_out.images, places), held_out.labels, output)

    alone: dict[Place, Effect] = {}
    with progress("rounding one at a time", len(switches.places) + 1) as advance:
        together = effect(switches.places)
        advance(1)
        for place in switches.places:
            alone[place] = effect([place])
            advance(1)
    ranked = sorted(alone, key=lambda place: -alone[place].divergence)
    least = max(SUSPECT * together.divergence, NOTICEABLE)
    suspects = [place for place in ranked[:SUSPECTS] if alone[place].divergence >= least]
    causes, seen = _causes(switches, folded, work, step, held_out)
    remedies = Remedies(switches, folded, work, step, effect)
    exceptions = remedies.of(suspects, alone, together, causes) if suspects else None
    places = [
        Blamed(place, alone[place], causes[place], place in suspects, remedies.said.get(place, "")) for place in ranked
    ]
    return Findings(places, together, exceptions, _histogram(ranked[0], switches, seen))


def _causes(
    switches: Switches, folded: keras.Model, work: Workbench, step: Quantize, held_out: Examples
) -> tuple[dict[Place, Cause], dict[str, Seen]]:
    calibration, images = work.calibration(step.samples), work.calibration(MORE * step.samples)
    seen = observe(switches, calibration)
    more = observe(switches, images) if len(images) > len(calibration) else seen
    validation = observe(switches, held_out.images)
    found: dict[Place, Cause] = {}
    for place in switches.places:
        if place.part == "kernel":
            layer = folded.get_layer(place.layer)
            found[place] = of_kernel(*(_rows(layer, kernel) for kernel in switches.kernels[place.layer]))
        else:
            name = place.layer
            found[place] = of_activations(switches.range_of(name), seen[name], more[name], validation[name])
    return found, seen


def _rows(layer: keras.layers.Layer, kernel: np.ndarray) -> np.ndarray:
    """A row for each channel with a scale of its own."""
    scales = scale_shape(layer, kernel.shape)
    channels = [axis for axis, size in enumerate(scales) if size != 1]
    others = [axis for axis, size in enumerate(scales) if size == 1]
    return kernel.transpose(*channels, *others).reshape(int(np.prod(scales)), -1)


def _histogram(
    worst: Place, switches: Switches, seen: dict[str, Seen]
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    if worst.part == "activations":
        item = seen[worst.layer]
        return item.edges, item.counts, switches.range_of(worst.layer)
    kernel = switches.kernels[worst.layer][0]
    counts, edges = np.histogram(kernel, 256)
    bound = float(np.abs(kernel).max())
    return cast(np.ndarray, edges), cast(np.ndarray, counts), (-bound, bound)
