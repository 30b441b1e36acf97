"""Widths for a target int8 latency, found by measuring: MACs don't predict it.

ResNet-20 was 1.59 x faster at 0.50 of its MACs with only the residual sums halved, but 1.52 x at 0.45 with all at 8,
24, 48.

Each group of channels is timed alone at a quarter, half and three quarters of its width. (Latency falls in jumps: for
ResNet-20's residual sums, going from 32 to 24 channels saves 3 %, going to 16 another 12 %.) The savings give an order
of narrowing: next is always the group that loses the least importance for the time saved. The first point in that
order whose measured latency is low enough is searched. From there groups are widened again as long as it stays so.

The files are calibrated on noise: nothing is learned from it, and only their latency is used. Channels are chosen
deterministically, but latencies differ from run to run: to repeat a run, give the returned widths, not the target.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from tkit import console
from tkit.compression.channels.narrowing import narrow
from tkit.compression.channels.ranking import Importance
from tkit.conversion.converter import Converter
from tkit.graph import input_names, takes_image
from tkit_edge.bench import DEFAULT_TIMEOUT
from tkit_edge.errors import BoundError, InputError
from tkit_edge.tensors import Arrays
from tkit_edge.worker import Worker
from tkit_pipelines.progress import progress

STEP = 8  # channels that the kernels process at once
_NOISE_IMAGES = 4
_ROUND_SECONDS = 0.05  # of each of the two files, interleaved
_ROUND_RUNS = 2
_GROUP_ROUNDS = 10
_CHOICE_ROUNDS = 40
_CLOSE_ENOUGH = 1.03  # times the target: a few more channels aren't worth another conversion and measurement

Widths = dict[str, int]


@dataclass(frozen=True)
class Timing:
    """Int8 latencies on one thread, measured in interleaved rounds."""

    before_ms: float
    after_ms: float
    ratio: float
    """How many times faster: the median of the rounds' ratios."""


@dataclass(frozen=True)
class Choice:
    """The chosen widths, and all measurements that led to them."""

    widths: Widths
    timing: Timing
    """Of these widths."""
    alone: dict[str, dict[int, Timing]]
    """Of the model with only that group narrowed, by its width, narrowest last."""
    tried: tuple[tuple[Widths, Timing], ...]
    """All widths that were measured during the search; the chosen ones last."""


def kept(importance: Importance, widths: Mapping[str, int]) -> dict[str, np.ndarray]:
    """The most important channels of each group that has a width; among equals the first.

    Raises:
        InputError: an unknown group or an impossible width.
    """
    keep = {}
    for name, width in widths.items():
        if name not in importance:
            raise InputError(f"There is no group {name!r} to narrow; there are: {', '.join(importance)}.")
        if not 1 <= width <= len(importance[name]):
            raise InputError(
                f"Width of {name!r}: expected a number from 1 to {len(importance[name])}, received {width}."
            )
        keep[name] = np.sort(np.argsort(-importance[name], kind="stable")[:width])
    return keep


def choose(model: keras.Model, importance: Importance, target: float, step: int = STEP) -> Choice:
    """Widths at which the model's int8 file is `target` times faster in LiteRT on one thread, or a little more.

    A group becomes a quarter, half or three quarters of its width, up to a multiple of `step`; one that saves no time
    keeps its width.

    Args:
        model: a flat functional model of stock layers, from pixels [batch, height, width, channels].
        importance: a ranking of the model's channels.
        target: latency before / latency after, above 1.
        step: the channels that the kernels process at once.

    Raises:
        InputError: a wrong target or step, or no group that is wider than `step`.
        BoundError: the narrowest model isn't that much faster; the message has the ratio.

    Example: `narrow(model, kept(importance, choose(model, importance, 1.5).widths))`
    """
    if not 1 < target < math.inf:
        raise InputError(f"Target of the latency: expected a ratio above 1 (1.5: 1.5 x faster), received {target}.")
    if step < 1:
        raise InputError(f"Step of the widths: expected at least 1 channel, received {step}.")
    full = {name: len(scores) for name, scores in importance.items()}
    wide = [name for name, width in full.items() if width > step]
    if not wide:
        raise InputError(f"No group of channels is wider than {step}: nothing can be narrowed in steps of {step}.")
    rungs = {name: _rungs(full[name], step) for name in wide}
    with _Stopwatch(model).running() as stopwatch:
        alone: dict[str, dict[int, Timing]] = {name: {} for name in wide}
        with progress("timing each group of channels", sum(map(len, rungs.values()))) as advance:
            for name, narrower in rungs.items():
                for width in narrower:
                    alone[name][width] = stopwatch.time(kept(importance, {name: width}), _GROUP_ROUNDS)
                    advance(1)
        order = _order(importance, full, alone)
        tried = _widened(stopwatch, importance, full, rungs, _search(stopwatch, importance, order, target), target)
    widths, timing = tried[-1]
    return Choice(widths, timing, alone, tuple(tried))


def _rungs(width: int, step: int) -> list[int]:
    """About three quarters, half and a quarter of a width above `step`, as multiples of `step` below it, falling."""
    rounded = {math.ceil(width * share / 4 / step) * step for share in (1, 2, 3)}
    return sorted((narrower for narrower in rounded if narrower < width), reverse=True)


def _order(importance: Importance, full: Widths, alone: dict[str, dict[int, Timing]]) -> list[tuple[float, Widths]]:
    """All widths from full to narrowest, one group at a time, each with the predicted log ratio of the latency.

    Next comes the group, and its width, whose channels cost least for the time they save. The cost is the loss in the
    logarithm of the remaining importance: halving costs any group the same, removing the last channels costs ever more.
    """
    left = {name: np.cumsum(np.sort(scores)[::-1]) for name, scores in importance.items()}
    saved = {
        name: {full[name]: 0.0, **{width: math.log(t.ratio) for width, t in alone[name].items()}} for name in alone
    }
    places = [(0.0, dict(full))]
    while True:
        predicted, widths = places[-1]
        best, chosen = math.inf, None
        for name, logs in saved.items():
            now = widths[name]
            for narrower in (width for width in logs if width < now and logs[width] > logs[now]):
                lost = math.log(left[name][now - 1] / max(left[name][narrower - 1], 1e-12))
                if lost / (logs[narrower] - logs[now]) < best:
                    best, chosen = lost / (logs[narrower] - logs[now]), (name, narrower)
        if chosen is None:
            return places
        name, narrower = chosen
        places.append((predicted + saved[name][narrower] - saved[name][widths[name]], {**widths, name: narrower}))


def _search(
    stopwatch: _Stopwatch, importance: Importance, order: list[tuple[float, Widths]], target: float
) -> list[tuple[Widths, Timing]]:
    """The measurements until the first point of the order that reaches the target's ratio was found; that one is
    last."""
    tried: list[tuple[Widths, Timing]] = []
    found: tuple[Widths, Timing] | None = None
    low, high = 0, len(order)  # too slow, and fast enough or past the end
    correction = 1.0
    while high - low > 1:
        if found is None:
            fitting = [
                place for place, (predicted, _) in enumerate(order) if correction * predicted >= math.log(target)
            ]
            place = min(max(min(fitting, default=high), low + 1), high - 1)
        else:
            place = (low + high) // 2
        predicted, widths = order[place]
        timing = _measured(stopwatch, importance, order[0][1], widths)
        tried.append((widths, timing))
        if timing.ratio >= target:
            high, found = place, tried[-1]
            if timing.ratio <= _CLOSE_ENOUGH * target:
                break
        else:
            low = place
            correction = max(math.log(timing.ratio), 0.01) / predicted
    if found is None:
        best = max((timing.ratio for _, timing in tried), default=1.0)
        raise BoundError(
            f"Narrowing makes the int8 model {best:.2f} x faster at most, the target is {target:g} x. Lower it, or "
            "give your own widths: channels:widths=..."
        )
    return [*(item for item in tried if item is not found), found]


def _widened(
    stopwatch: _Stopwatch,
    importance: Importance,
    full: Widths,
    rungs: dict[str, list[int]],
    tried: list[tuple[Widths, Timing]],
    target: float,
) -> list[tuple[Widths, Timing]]:
    """`tried` and further measurements: groups one rung wider, the largest loss first, while the target is met."""
    *others, (widths, timing) = tried
    left = {name: np.cumsum(np.sort(scores)[::-1]) for name, scores in importance.items()}
    open_ = {name for name, width in widths.items() if width < full[name]}

    def regained(name: str) -> float:
        return math.log(left[name][wider(name) - 1] / max(left[name][widths[name] - 1], 1e-12))

    def wider(name: str) -> int:
        return min(width for width in (full[name], *rungs[name]) if width > widths[name])

    while open_ and timing.ratio > _CLOSE_ENOUGH * target:
        name = max(open_, key=regained)
        candidate = {**widths, name: wider(name)}
        known = next((timing for earlier, timing in others if earlier == candidate), None)
        measured = known or _measured(stopwatch, importance, full, candidate)
        if measured.ratio >= target:
            others.append((widths, timing))
            widths, timing = candidate, measured
        elif known is None:
            others.append((candidate, measured))
        if measured.ratio < target or widths[name] == full[name]:
            open_.remove(name)
    return [*others, (widths, timing)]


def _measured(stopwatch: _Stopwatch, importance: Importance, full: Widths, widths: Widths) -> Timing:
    timing = stopwatch.time(kept(importance, widths), _CHOICE_ROUNDS)
    removed = sum(full.values()) - sum(widths.values())
    console.say(f"{removed} channels removed: int8 {timing.after_ms:.3f} ms, {timing.ratio:.2f} x faster")
    return timing


class _Stopwatch:
    """Times narrower models against the one that it was created with."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model

    @contextmanager
    def running(self) -> Iterator[_Stopwatch]:
        """With a scratch folder, and the original file in its own process."""
        with tempfile.TemporaryDirectory(prefix="tkit-latency-") as scratch:
            self._scratch = Path(scratch)
            with self._worker(self._model, "before") as self._before:
                yield self

    def time(self, keep: dict[str, np.ndarray], rounds: int) -> Timing:
        """Both files' median latencies, measured in interleaved rounds."""
        with self._worker(narrow(self._model, keep), "after") as after:
            pairs = np.array([[_run(self._before), _run(after)] for _ in range(rounds)])
        before_ms, after_ms = np.median(pairs, axis=0) / 1e6
        return Timing(float(before_ms), float(after_ms), float(np.median(pairs[:, 0] / pairs[:, 1])))

    @contextmanager
    def _worker(self, model: keras.Model, name: str) -> Iterator[Worker]:
        """A process that has loaded and warmed up a model's int8 file."""
        path = self._scratch / f"{name}.tflite"
        names = [f"output_{number}" for number in range(len(model.outputs))]
        with Converter(model, _noise(model), io="int8", outputs=names) as convert:
            path.write_bytes(convert("int8"))
        with Worker(path, threads=1, kernels="xnnpack", timeout=DEFAULT_TIMEOUT) as worker:
            worker.ask("load")
            _run(worker)
            yield worker


def _noise(model: keras.Model) -> Arrays:
    """Examples that calibrate: pixels of any value, other numbers from 0 to 1, integers 0, which is always one."""
    random, found = np.random.default_rng(0), {}
    for name, tensor in zip(input_names(model), model.inputs, strict=True):
        shape = (_NOISE_IMAGES, *tensor.shape[1:])
        if takes_image(model):
            found[name] = random.integers(0, 256, shape, np.uint8)
        else:
            real = "float" in tensor.dtype
            found[name] = random.random(shape, np.float32) if real else np.zeros(shape, tensor.dtype)
    return found


def _run(worker: Worker) -> float:
    """The median of a round's runs, in ns."""
    return float(np.median(worker.run(seconds=_ROUND_SECONDS, runs=_ROUND_RUNS)))
