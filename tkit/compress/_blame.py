"""Which kernels and activations cost an int8 model its accuracy: each is rounded alone, in a model else in float."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import keras
import numpy as np

from tkit.compress import State
from tkit.compress._causes import Cause, of_activations, of_kernel
from tkit.compress._fold import fold
from tkit.compress._graph import nodes, users
from tkit.compress._int8_rules import Rules
from tkit.compress._kernels import scale_shape
from tkit.compress._observed import Seen, observe
from tkit.compress._ranges import Method, ranges
from tkit.compress._switches import Place, Switches
from tkit.compress._work import Work
from tkit.compress.quantize import Quantize
from tkit.export.statistics import paired_drop
from tkit_edge.predict import probabilities
from tkit_pipelines.dataset import Examples
from tkit_pipelines.progress import progress

MORE = 4
"""How many times the calibration pictures are looked at to see whether they were too few."""
SUSPECT, NOTICEABLE = 0.1, 1e-3
"""Share of the whole model's divergence, and nats, from which a place alone is to blame."""
SUSPECTS = 8
"""Most places that exceptions are made for."""
BETTER = 0.5
"""Share of a place's divergence that another calibration may leave to be its remedy."""
METHODS: tuple[Method, ...] = ("minmax", "percentile", "mse")


class Effect(NamedTuple):
    """What rounding does to a model's answers, against float."""

    divergence: float
    """Mean Kullback-Leibler divergence of the classes' probabilities, in nats."""
    sqnr_db: float | None
    """Signal to quantization noise of the outputs, in dB; None without noise."""
    agreement: float
    """Share of the pictures with the same answer."""
    accuracy: float
    drop: float
    drop_interval: tuple[float, float]
    """95 %, paired."""


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


def blame(state: State, work: Work, step: Quantize, held_out: Examples) -> Findings:
    """Ranks the places by their effect, names causes, and suggests exceptions.

    Args:
        state: the float model, and what holds of it.
        work: the training pictures, which calibrate.
        step: how it is quantized; nothing is trained.
        held_out: validation pictures, which measure.

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
    remedies = _Remedies(switches, folded, work, step, effect)
    exceptions = remedies.of(suspects, alone, together, causes) if suspects else None
    places = [
        Blamed(place, alone[place], causes[place], place in suspects, remedies.said.get(place, "")) for place in ranked
    ]
    return Findings(places, together, exceptions, _histogram(ranked[0], switches, seen))


def compared(reference: np.ndarray, outputs: np.ndarray, labels: np.ndarray, output: str) -> Effect:
    """The effect on outputs, float32 [n, classes] both, logits or probabilities; `labels` are int [n]."""
    before, after = (np.clip(probabilities(item, output).astype(np.float64), 1e-9, 1) for item in (reference, outputs))
    noise = float(np.sum((outputs - reference).astype(np.float64) ** 2))
    was, now = reference.argmax(axis=1), outputs.argmax(axis=1)
    drop, interval = paired_drop(was == labels, now == labels)
    return Effect(
        divergence=max(0.0, float(np.mean(np.sum(before * np.log(before / after), axis=1)))),
        sqnr_db=10 * float(np.log10(np.sum(reference.astype(np.float64) ** 2) / noise)) if noise else None,
        agreement=float(np.mean(was == now)),
        accuracy=float(np.mean(now == labels)),
        drop=drop,
        drop_interval=(float(interval[0]), float(interval[1])),
    )


def _causes(
    switches: Switches, folded: keras.Model, work: Work, step: Quantize, held_out: Examples
) -> tuple[dict[Place, Cause], dict[str, Seen]]:
    calibration, pictures = work.calibration(step.samples), work.calibration(MORE * step.samples)
    seen = observe(switches, calibration)
    more = observe(switches, pictures) if len(pictures) > len(calibration) else seen
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


class _Remedies:
    """Suggestions: another calibration, where that halves a place's divergence, else float layers."""

    def __init__(self, switches: Switches, folded: keras.Model, work: Work, step: Quantize, effect: Any) -> None:
        self.switches, self.folded, self.work, self.step, self.effect = switches, folded, work, step, effect
        self.said: dict[Place, str] = {}

    def of(
        self, suspects: Sequence[Place], alone: dict[Place, Effect], together: Effect, causes: dict[Place, Cause]
    ) -> Quantize | None:
        """The step with the exceptions that the suspects need; None where only training helps."""
        step, left = self.step, {place: alone[place].divergence for place in suspects}
        if any(place.part == "activations" for place in suspects):
            step, left = self._calibrated(left, together)
        around = _around(self.folded, self.step.float_layers)
        fused = _fused(self.folded, self.step.float_layers)
        float_layers: dict[str, None] = {}
        for place in suspects:
            if left[place] <= BETTER * alone[place].divergence:
                self.said[place] = _changes(self.step, step)
                continue
            layers = fused.get(place.layer, (place.layer,)) if place.part == "kernel" else around.get(place.layer, ())
            float_layers.update(dict.fromkeys(layers))
            ways = [f"float_layers={'+'.join(layers)}"] if layers else []
            if causes[place].name not in ("range outlier", "dead channel"):  # training keeps those ranges
                ways.append("train with aware=true")
            self.said[place] = ", or ".join(ways)
        if not any(said == _changes(self.step, step) for said in self.said.values()):
            step = self.step
        kept = dict.fromkeys((*self.step.float_layers, *float_layers))
        made = step.model_copy(update={"float_layers": tuple(kept)})
        return None if made == self.step else made

    def _calibrated(self, left: dict[Place, float], together: Effect) -> tuple[Quantize, dict[Place, float]]:
        """The calibration with the least divergence of the whole model, and the suspects' own with it."""
        found = {name: self.switches.range_of(name) for name in self.switches.activations}
        best, least = self.step, together.divergence
        divergences = left
        for step, other in self._others():
            self.switches.set_ranges(other)
            whole = self.effect(self.switches.places).divergence
            if whole < least:
                best, least = step, whole
                divergences = {place: self.effect([place]).divergence for place in left}
        self.switches.set_ranges(found)
        return best, divergences

    def _others(self) -> Iterator[tuple[Quantize, dict[str, tuple[float, float]]]]:
        tried = set()
        for samples in (self.step.samples, MORE * self.step.samples):
            images = self.work.calibration(samples)
            for method in METHODS:
                key = (len(images), method)
                if key not in tried and (samples, method) != (self.step.samples, self.step.calibration):
                    step = self.step.model_copy(update={"samples": samples, "calibration": method})
                    yield step, ranges(self.folded, images, method, step.float_layers)
                tried.add(key)


def _changes(before: Quantize, after: Quantize) -> str:
    """What differs between two steps, as it is written on the command line."""
    return ",".join(f"{key}={value}" for key, value in after if value != getattr(before, key))


def written(step: Quantize) -> str:
    """A step as it is written on the command line, without what is the default."""
    plain = Quantize()
    changes = {key: value for key, value in step if value != getattr(plain, key)}
    texts = [f"{key}={'+'.join(value) if isinstance(value, tuple) else value}" for key, value in changes.items()]
    return "quantize" + (":" + ",".join(texts) if texts else "")


def _fused(model: keras.Model, float_layers: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The layers that the runtime computes in one with the ReLU after them, each with it."""
    rules, after = Rules(model, float_layers), users(model)
    found: dict[str, tuple[str, ...]] = {}
    for node in nodes(model):
        rule, layer = rules.of[id(node)], node.operation.name
        if rule.sites[-1] == layer and not rule.rounds and layer not in float_layers:
            found[layer] = (layer, after[id(node.outputs[0])][0].operation.name)
    return found


def _around(model: keras.Model, float_layers: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """By activation, the layers that make it or take it: once all are in float, it is not rounded.

    What the model itself gives is left out: it always is.
    """
    rules, fused = Rules(model, float_layers), _fused(model, float_layers)
    makers = {relu: layer for layer, relu in fused.values()}
    found: dict[str, dict[str, None]] = {}
    sites = {id(model.inputs[0]): rules.start}
    for node in nodes(model):
        layer, rule = node.operation.name, rules.of[id(node)]
        touched = {rules.root(site) for site in (*rule.sites, *(sites[id(tensor)] for tensor in node.input_tensors))}
        for site in touched:
            made = found.setdefault(site, {})
            made.update(dict.fromkeys([*([makers[layer]] if layer in makers else []), layer]))
        for tensor in node.outputs:
            sites[id(tensor)] = rule.sites[-1]
    given = {rules.root(sites[id(tensor)]) for tensor in model.outputs}
    return {site: tuple(layers) for site, layers in found.items() if site not in given}


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
