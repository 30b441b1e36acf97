"""Real images as the ruler of made ones: distances in a judge's feature space, each beside what real images get."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from tkit.evaluation import distances
from tkit.evaluation.distances import Gaussian, frechet, gaussian
from tkit.evaluation.judge import Judge, Seen
from tkit.measures import DISTANCE
from tkit_edge.accuracy import Z95, Interval
from tkit_edge.outputs.image import Image
from tkit_edge.score import Score
from tkit_edge.tensors import Arrays

RESAMPLES = 50
_LEAST = 1e-12
"""A distance below is 0 but for rounding; it keeps ratios finite."""


class Reference:
    """Held-out real images that sets of made ones are measured against; a `tkit.ruler.Ruler`.

    The distance is Frechet's, of at most `distances.MOST_FRECHET` samples of each set. All is the same for one seed.

    Args:
        judge: whose feature space it is.
        held_out: real images that no generator saw, uint8 [n, height, width, channels].
        training: real images that it was trained on, for the floor, likewise.
        seed: of what is drawn of each and of the bootstrap.
    """

    measure = DISTANCE

    def __init__(self, judge: Judge, held_out: np.ndarray, training: np.ndarray, seed: int) -> None:
        self.judge = judge
        self._held_out, self._training, self._seed = held_out, training, seed

    def against(self, held_out: np.ndarray) -> Reference:
        """The same with other held-out images; with the training images, the floor is of those held out till now."""
        others = self._held_out if held_out is self._training else self._training
        return Reference(self.judge, held_out, others, self._seed)

    @cached_property
    def real(self) -> Seen:
        """What the judge sees in the held-out images, in random order."""
        return self._drawn(self._held_out)

    @cached_property
    def trained(self) -> Seen:
        """The same of the training images."""
        return self._drawn(self._training)

    @cached_property
    def guess(self) -> float:
        """The distance of a generator that always gives the training images' mean image."""
        rows = self._rows(len(self._training))
        mean = np.rint(np.mean(self._training[rows], axis=0)).astype(np.uint8)
        return frechet(gaussian(self.judge.see(mean[None]).features), self._target)

    def floor(self, samples: int) -> float:
        """The distance of as many training images, or all that there are: what a perfect generator gets."""
        return frechet(gaussian(self.trained.features[:samples]), self._target)

    def value(self, outputs: Arrays) -> float:
        """The distance; see `Ruler.value`."""
        (features,) = self._features(outputs)
        return frechet(gaussian(features), self._target)

    def score(self, outputs: Arrays) -> Score:
        """The distance with its 95 % interval; see `Ruler.score`."""
        (features,) = self._features(outputs)
        value, interval = self._estimated([features], lambda distance: distance)
        name, share = self.measure.name, self.measure.share
        return Score(name, share, value, (max(interval.low, 0.0), interval.high), len(features))

    def drop(self, before: Arrays, after: Arrays) -> tuple[float, Interval]:
        """How much larger the distance became, as a share of `guess`; see `Ruler.drop`."""
        scale = max(self.guess, _LEAST)
        return self._estimated(self._features(before, after), lambda first, second: (second - first) / scale)

    def ratio(self, before: Arrays, after: Arrays) -> tuple[float, Interval]:
        """What multiple of the distance before is that after; see `Ruler.ratio`."""
        return self._estimated(
            self._features(before, after), lambda first, second: max(second, _LEAST) / max(first, _LEAST)
        )

    def figures(self, images: np.ndarray) -> dict[str, Any]:
        """All measures of made images, uint8 [n, height, width, channels], each beside that of real training images.

        Returns:
            samples and real_samples; distance with its interval, its floor, the floor_samples that this is of, and
            distance_to_floor, their ratio;
            kernel_distance with kernel_floor; precision and recall with real_precision and real_recall; modes:
            covered, of, and per_class (name, share, real_share, covered), null where the judge knows no classes; judge.
        """
        made, real = self.judge.see(images[self._rows(len(images))]), self.real
        distance, interval = self._estimated([made.features], lambda distance: distance)
        floor = self.floor(len(made.features))
        few = distances.MOST_PAIRED
        wanted, found, trained = real.features[:few], made.features[:few], self.trained.features[: len(made.features)]
        precision, recall = distances.precision_recall(wanted, found)
        real_precision, real_recall = distances.precision_recall(wanted, trained[:few])
        return {
            "samples": len(made.features),
            "real_samples": len(real.features),
            "distance": distance,
            "interval": [max(interval.low, 0.0), interval.high],
            "floor": floor,
            "floor_samples": len(trained),
            "distance_to_floor": max(distance, _LEAST) / max(floor, _LEAST),
            "kernel_distance": distances.kernel(wanted, found),
            "kernel_floor": distances.kernel(wanted, trained[:few]),
            "precision": precision,
            "recall": recall,
            "real_precision": real_precision,
            "real_recall": real_recall,
            "modes": self._modes(made),
            "judge": self.judge.as_json(),
        }

    @cached_property
    def _target(self) -> Gaussian:
        return gaussian(self.real.features)

    def _modes(self, made: Seen) -> dict[str, Any] | None:
        names = self.judge.facts.names
        if self.judge.facts.kind != "classes":
            return None
        found, wanted = (distances.shares(seen.labels, len(names)) for seen in (made, self.real))
        covered = distances.covered(found, wanted)
        return {
            "covered": int(covered.sum()),
            "of": int(np.count_nonzero(wanted)),
            "per_class": [
                {"name": name, "share": float(share), "real_share": float(real), "covered": bool(fair)}
                for name, share, real, fair in zip(names, found, wanted, covered, strict=True)
            ],
        }

    def _rows(self, count: int) -> np.ndarray:
        """The rows that are measured of so many, in a random order: sources have their images sorted by class."""
        return np.random.default_rng(self._seed).permutation(count)[: distances.MOST_FRECHET]

    def _drawn(self, images: np.ndarray) -> Seen:
        return self.judge.see(images[self._rows(len(images))])

    def _features(self, *sets: Arrays) -> list[np.ndarray]:
        """The features of the same rows of each set of outputs."""
        found = []
        for outputs in sets:
            values = outputs["image"]
            pixels = Image(*values.shape[1:]).pixels({"image": values[self._rows(len(values))]})
            found.append(self.judge.see(pixels).features)
        return found

    def _estimated(self, sets: list[np.ndarray], figure: Callable[..., float]) -> tuple[float, Interval]:
        """A figure of the sets' distances, and its 95 % interval from a bootstrap over their rows.

        The interval is the value with the standard error of the resamples to both sides: a resample's own distances are
        all too large, for it has fewer different samples, so that the resamples' percentiles may not hold the value.
        """

        def of(rows: np.ndarray | slice) -> float:
            return float(figure(*(frechet(gaussian(features[rows]), self._target) for features in sets)))

        value, random = of(slice(None)), np.random.default_rng(self._seed)
        count = len(sets[0])
        half = Z95 * float(np.std([of(random.integers(0, count, count)) for _ in range(RESAMPLES)], ddof=1))
        return value, Interval(value - half, value + half)
