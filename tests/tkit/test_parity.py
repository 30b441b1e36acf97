"""The parity gate: its intervals, and what passes it and what doesn't."""

import numpy as np
import pytest

from tkit.conversion import parity
from tkit.conversion.config import FORMATS, Parity
from tkit.conversion.statistics import paired_drop
from tkit.stages._export import _line
from tkit_edge.accuracy import Interval, wilson
from tkit_edge.outputs import Measure
from tkit_edge.outputs.classes import Classes
from tkit_edge.outputs.image import Image
from tkit_edge.outputs.number import Number
from tkit_edge.outputs.tensors import Tensors
from tkit_edge.score import Score
from tkit_edge.tensors import TensorSpec

OUTPUT = Classes(("a", "b", "c"))


def compared(outputs, logits, labels):
    return parity.compare(OUTPUT, {"logits": outputs}, {"logits": logits}, {"label": labels})


def test_intervals_match_published_examples():
    # Wilson for 81 of 263 (Newcombe 1998, table I): 0.2553 to 0.3662.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    before = np.array([True] * 90 + [False] * 10)
    assert paired_drop(before, before)[0] == 0.0
    drop, interval = paired_drop(before, np.roll(before, 5))
    assert drop == 0.0
    assert interval.low < 0 < interval.high


def test_agreement_is_judged_by_its_interval():
    logits = np.eye(2, dtype=np.float32)[np.zeros(40, int)]
    outputs = logits.copy()
    outputs[:3] = outputs[:3, ::-1] * 0.9  # 92.5 % of 40: 95 % is within the interval
    labels = np.zeros(10, np.int32)
    bounds = Parity(difference=2, mean_difference=2, drop=1)
    figures = compared(outputs, logits, labels)
    assert (figures["agreement"], figures["samples"], figures["accuracy_samples"]) == (0.925, 40, 10)
    assert parity.failures("int8", figures, bounds, OUTPUT) == []
    many = compared(np.tile(outputs, (10, 1)), np.tile(logits, (10, 1)), labels)
    assert "agrees (top-1) on 92.5% of 400 examples" in parity.failures("int8", many, bounds, OUTPUT)[0]


def test_a_near_tie_is_no_disagreement_and_a_clear_lead_is():
    logits = np.tile(np.float32([1.0, 0.97, 0.0]), (100, 1))
    labels = np.zeros(10, np.int32)
    near = compared(logits[:, [1, 0, 2]], logits, labels)
    assert (near["same_top1"], near["agreement"]) == (0, 1)
    far = compared(logits[:, [2, 1, 0]], logits, labels)
    assert (far["same_top1"], far["agreement"]) == (0, 0)


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_no_value_that_is_not_finite_passes_the_gate(fmt, value):
    logits = np.eye(3, dtype=np.float32)
    outputs = logits.copy()
    outputs[0, 1] = value
    figures = compared(outputs, logits, np.arange(3, dtype=np.int32))
    loose = Parity(float32=1e9, float16=1e9, agreement=0, drop=1, difference=1e9, mean_difference=1e9)
    assert "not finite" in parity.failures(fmt, figures, loose, OUTPUT)[0]


def test_a_file_that_is_right_about_the_class_and_wrong_about_the_values_fails():
    logits = np.eye(3, dtype=np.float32)
    figures = compared(logits * 0.3, logits, np.arange(3, dtype=np.int32))
    assert figures["agreement"] == 1
    problems = parity.failures("int16x8", figures, Parity(), OUTPUT)
    assert "largest difference 0.70" in problems[0]
    assert "mean difference 0.233" in problems[1]


def test_errors_are_compared_in_pairs_and_as_a_share_of_what_guessing_costs():
    output, numbers = Number("years"), np.linspace(0, 100, 101, dtype=np.float32)
    off = {"number": numbers + 3}
    found = parity.compare(output, off, {"number": numbers + 1}, {"number": numbers})
    assert (found["keras_mean_absolute_error"], found["mean_absolute_error"]) == pytest.approx((1, 3), abs=1e-5)
    assert found["drop"] == pytest.approx(2 / np.mean(np.abs(numbers - 50)))  # always guessing 50
    assert found["drop_interval"] == pytest.approx([found["drop"]] * 2)
    assert found["agreement"] == 1  # 2 of 101
    problems = parity.failures("int8", found, Parity(), output)
    assert problems == [
        "int8: mean absolute error rises by 7.92 % of guessing on 101 examples (95 % interval 7.92 to 7.92), bound 1.00"
    ]


def test_without_targets_the_gate_is_agreement_alone():
    output = Tensors((TensorSpec("boxes", (4,), "float32"), TensorSpec("scores", (2,), "float32")))
    random = np.random.default_rng(0)
    reference = {spec.name: random.normal(size=(40, *spec.shape)).astype(np.float32) for spec in output.tensors}
    same = parity.compare(output, reference, reference, {})
    assert (same["agreement"], same["max_difference"]) == (1, 0)
    assert "drop" not in same
    assert parity.failures("int8", same, Parity(), output) == []
    other = {**reference, "scores": reference["scores"][::-1]}  # one of two tensors
    found = parity.compare(output, other, reference, {})
    assert found["agreement"] < 0.2
    assert any("agrees (output) on" in problem for problem in parity.failures("int8", found, Parity(), output))


class Spread:
    """A ruler: the variance of all values, whose multiple it knows to 2 %."""

    measure = Measure("distance", share=False, higher_is_better=False)

    def score(self, outputs):
        value = float(np.var(outputs["image"]))
        return Score("distance", False, value, (value, value), len(outputs["image"]))

    def drop(self, before, after):
        found = self.score(after).value - self.score(before).value
        return found, Interval(found, found)

    def ratio(self, before, after):
        found = self.score(after).value / self.score(before).value
        return found, Interval(found - 0.02, found + 0.02)


IMAGES = Image(4, 4, 1)


def painted(factor=1.0, noise=0.0):
    """Images of values up to 0.5, and the same stretched and with noise."""
    random = np.random.default_rng(0)
    images = random.uniform(-0.5, 0.5, (60, 4, 4, 1)).astype(np.float32)
    return {"image": images}, {"image": factor * images + noise * random.standard_normal(images.shape)}


@pytest.mark.parametrize(("noise", "missed"), [(0.05, False), (0.07, True)])  # 32.0 and 29.1 dB
def test_generated_images_of_a_quantized_file_are_judged_by_their_psnr(noise, missed):
    reference, outputs = painted(noise=noise)
    found = parity.compare(IMAGES, outputs, reference, {})
    assert found["psnr"] == pytest.approx(20 * np.log10(2 / noise), abs=0.3)
    problems = parity.failures("int8", found, Parity(mean_difference=1), IMAGES)
    assert [problem.startswith("int8: PSNR 29") for problem in problems] == [True] * missed
    assert parity.failures("int8", found, Parity(mean_difference=1, psnr=20), IMAGES) == []
    assert parity.failures("float16", found, Parity(float16=1), IMAGES) == []


def test_a_distance_fails_when_the_whole_interval_of_its_rise_is_past_the_bound():
    reference, within = painted(factor=1.11**0.5)  # 9 to 13 % farther
    loose = Parity(psnr=0, mean_difference=1)
    found = parity.compare(IMAGES, within, reference, {}, Spread())
    assert (found["distance_samples"], found["ratio"]) == (60, pytest.approx(1.11, abs=1e-4))
    assert found["drop"] == pytest.approx(found["distance"] - found["keras_distance"])
    assert parity.failures("int8", found, loose, IMAGES, Spread()) == []
    assert "PSNR 42.5 dB" in _line("int8", {**found, "bytes": 9}, IMAGES, "ok", Spread())
    assert "distance +11.0 % (95 % +9.0 to +13.0)" in _line("int8", {**found, "bytes": 9}, IMAGES, "ok", Spread())
    _, past = painted(factor=1.13**0.5)
    problems = parity.failures("int8", parity.compare(IMAGES, past, reference, {}, Spread()), loose, IMAGES, Spread())
    assert problems == ["int8: distance rises by 13.0 % on 60 samples (95 % interval 11.0 to 15.0), bound 10.0"]


def test_images_that_are_not_finite_have_no_distance_and_fail():
    reference, outputs = painted()
    outputs["image"][0, 0, 0] = np.nan
    found = parity.compare(IMAGES, outputs, reference, {}, Spread())
    assert "distance" not in found
    assert parity.failures("int8", found, Parity(), IMAGES, Spread()) == [
        "int8: the file outputs values that are not finite"
    ]
    assert "FAILED" in _line("int8", {**found, "bytes": 9}, IMAGES, "FAILED", Spread())
