"""Budgets: what is past them, and how the commands end."""

import pytest

from tkit.bench_config import Budget
from tkit.recipe_loading import load
from tkit.stages._budget import overspent
from tkit_edge.errors import InputError


def row(format, p50, file=None, **changes):
    score = {"name": "accuracy", "value": 0.91, "samples": 100}
    values = {"format": format, "file": file or f"model-{format}.tflite", "p50_ms": p50, "bytes": 5000}
    return {**values, "peak_memory": 60_000_000, "score": score, **changes}


ROWS = [
    row("float32", 2.0, bytes=20_000),
    row("int8", 1.5),
    row("int8", 1.0),
    row(None, 0.8, "old.tflite", score=None),
]


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ({}, []),
        ({"bytes": 5000, "p50_ms": 1.0, "p50_ratio": 0.5, "peak_memory": 60_000_000, "accuracy": 0.91}, []),
        ({"bytes": 4999}, ["5,000 bytes, at most 4,999"]),
        ({"bytes": 5000, "format": "float32"}, ["20,000 bytes, at most 5,000"]),
        ({"p50_ms": 0.9}, ["p50 1.000 ms, at most 0.900"]),
        ({"p50_ratio": 0.4}, ["p50 0.50 times that of float32 (1.000 and 2.000 ms), at most 0.4"]),
        ({"p50_ratio": 1.2, "reference": "releases/old.tflite"}, ["1.25 times that of releases/old.tflite"]),
        ({"p50_ratio": 1.2, "reference": "gone.tflite"}, ["gone.tflite was not measured"]),
        ({"peak_memory": 59_000_000}, ["peak memory 60,000,000 bytes, at most 59,000,000"]),
        ({"accuracy": 0.92}, ["accuracy 91.00% on 100 test examples, at least 92.00%"]),
        ({"accuracy": 0.9, "bytes": 1, "format": "float16"}, ["float16: not measured"]),
    ],
)
def test_what_is_past_a_budget_is_named_with_both_figures(budget, expected):
    found = overspent(Budget(**budget), ROWS)
    assert len(found) == len(expected)
    assert all(part in line for part, line in zip(expected, found, strict=True))


def test_a_figure_that_is_not_a_number_is_past_every_budget():
    rows = [
        row("int8", float("nan"), score={"name": "accuracy", "value": float("nan"), "samples": 1}),
        row("float32", 1.0),
    ]
    assert len(overspent(Budget(p50_ms=1.0, p50_ratio=9.0, accuracy=0.1), rows)) == 3


def test_an_accuracy_that_was_not_measured_keeps_no_budget():
    assert "was not measured" in overspent(Budget(accuracy=0.1), [row("int8", 1.0, score=None)])[0]


def test_one_number_is_a_square_and_a_wrong_key_is_named_whole():
    assert load("cifar10_cnn", ["data.image_size=28"]).recipe.data.image_size == (28, 28)
    assert load("cifar10_cnn", ["data.image_size=28,20"]).recipe.data.image_size == (28, 20)
    with pytest.raises(InputError, match=r"Unknown key 'fit.epoch'. Did you mean 'fit.epochs'\?"):
        load("cifar10_cnn", ["fit.epoch=3"])
