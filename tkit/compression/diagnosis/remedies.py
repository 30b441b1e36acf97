"""What helps where rounding to int8 costs accuracy: another calibration, or layers in float."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import keras

from tkit.arrays import count
from tkit.compression.diagnosis.causes import Cause
from tkit.compression.diagnosis.effect import Effect
from tkit.compression.diagnosis.sites import Site, Switches
from tkit.compression.steps.quantize import Quantize
from tkit.compression.workbench import Workbench
from tkit.graph import users
from tkit.keras_internals import nodes
from tkit.quantization.ranges import Method, ranges
from tkit.quantization.rules import Rules

MORE = 4
"""Multiple of the calibration images that is examined to see whether they were too few."""
BETTER = 0.5
"""Another calibration is a remedy if it leaves at most this share of a site's divergence."""
Range = tuple[float, float] | None
METHODS: tuple[Method, ...] = ("minmax", "percentile", "mse")
Measure = Callable[[Sequence[Site]], Effect]


class Remedies:
    """Suggestions: another calibration, where that halves a site's divergence, else float layers.

    Args:
        switches: the model, its ranges as `step` has them.
        folded: the float model that the switches were made of.
        work: the training images, which calibrate.
        step: how it is quantized.
        effect: measures the effect of rounding some sites.
    """

    def __init__(
        self, switches: Switches, folded: keras.Model, work: Workbench, step: Quantize, effect: Measure
    ) -> None:
        self.switches, self.folded, self.work, self.step, self.effect = switches, folded, work, step, effect
        self.suggested: dict[Site, str] = {}
        """Suggestion by suspect, once `of` has been called."""

    def of(
        self, suspects: Sequence[Site], alone: dict[Site, Effect], together: Effect, causes: dict[Site, Cause]
    ) -> Quantize | None:
        """The step with the exceptions that the suspects need; None where only training helps."""
        step, left = self.step, {site: alone[site].divergence for site in suspects}
        if any(site.part == "activations" for site in suspects):
            step, left = self._calibrated(left, together)
        known = self.work.contract.input.range
        around = _around(self.folded, self.step.float_layers, known)
        fused = _fused(self.folded, self.step.float_layers, known)
        float_layers: dict[str, None] = {}
        for site in suspects:
            if left[site] <= BETTER * alone[site].divergence:
                self.suggested[site] = _changes(self.step, step)
                continue
            layers = fused.get(site.layer, (site.layer,)) if site.part == "kernel" else around.get(site.layer, ())
            float_layers.update(dict.fromkeys(layers))
            ways = [f"float_layers={'+'.join(layers)}"] if layers else []
            if causes[site].name not in ("range outlier", "dead channel"):  # training keeps those ranges
                ways.append("train with aware=true")
            self.suggested[site] = ", or ".join(ways)
        if not any(text == _changes(self.step, step) for text in self.suggested.values()):
            step = self.step
        kept = dict.fromkeys((*self.step.float_layers, *float_layers))
        made = step.model_copy(update={"float_layers": tuple(kept)})
        return None if made == self.step else made

    def _calibrated(self, left: dict[Site, float], together: Effect) -> tuple[Quantize, dict[Site, float]]:
        """The calibration with the least divergence of the whole model, and the suspects' own with it."""
        found = {name: self.switches.range_of(name) for name in self.switches.activations}
        best, least = self.step, together.divergence
        divergences = left
        for step, other in self._others():
            self.switches.set_ranges(other)
            whole = self.effect(self.switches.sites).divergence
            if whole < least:
                best, least = step, whole
                divergences = {site: self.effect([site]).divergence for site in left}
        self.switches.set_ranges(found)
        return best, divergences

    def _others(self) -> Iterator[tuple[Quantize, dict[str, tuple[float, float]]]]:
        tried = set()
        for samples in (self.step.samples, MORE * self.step.samples):
            examples = self.work.calibration(samples)
            for method in METHODS:
                key = (count(examples), method)
                if key not in tried and (samples, method) != (self.step.samples, self.step.calibration):
                    step = self.step.model_copy(update={"samples": samples, "calibration": method})
                    known = self.work.contract.input.range
                    yield step, ranges(self.folded, examples, method, step.float_layers, known)
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


def _fused(model: keras.Model, float_layers: Sequence[str], input_range: Range) -> dict[str, tuple[str, ...]]:
    """The layers that the runtime fuses with the ReLU after them, each with its ReLU."""
    rules, after = Rules(model, float_layers, input_range), users(model)
    found: dict[str, tuple[str, ...]] = {}
    for node in nodes(model):
        rule, layer = rules.of[id(node)], node.operation.name
        if rule.sites[-1] == layer and not rule.rounds and layer not in rules.floats:
            found[layer] = (layer, after[id(node.outputs[0])][0].operation.name)
    return found


def _around(model: keras.Model, float_layers: Sequence[str], input_range: Range) -> dict[str, tuple[str, ...]]:
    """By activation, the layers that output or consume it: once all are in float, it is not rounded.

    The model's own outputs are left out: they are always rounded.
    """
    rules, fused = Rules(model, float_layers, input_range), _fused(model, float_layers, input_range)
    makers = {relu: layer for layer, relu in fused.values()}
    found: dict[str, dict[str, None]] = {}
    sites = {id(tensor): site for tensor, site in zip(model.inputs, rules.starts, strict=True)}
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
