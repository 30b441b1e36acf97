"""What counts as good, as the same and as near, by kind of output."""

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from tkit_edge.bench import bench
from tkit_edge.errors import InputError
from tkit_edge.outputs import Measure
from tkit_edge.outputs.classes import Classes
from tkit_edge.outputs.number import Number
from tkit_edge.outputs.tensors import Tensors
from tkit_edge.report import FileScore
from tkit_edge.score import scored
from tkit_edge.table import document_table
from tkit_edge.tensors import TensorSpec

ERROR = Number.measure
TWO = Tensors((TensorSpec("a", (2,), "float32"), TensorSpec("b", (), "int32")))


def numbers(*values):
    return {"number": np.float32(values)}


def two(a, b):
    return {"a": np.float32(a), "b": np.int32(b)}


def test_a_measure_names_itself_for_people_and_json():
    assert (ERROR.key, ERROR.text(0.123456), ERROR.higher_is_better) == ("mean_absolute_error", "0.1235", False)
    assert Measure("accuracy", share=True, higher_is_better=True).text(0.5) == "50.00%"


def test_a_share_has_wilsons_interval_and_errors_that_of_their_mean():
    share = scored(Classes.measure, np.arange(263) < 81)
    assert share.interval == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I
    errors = scored(ERROR, np.float64([1, 2, 3, 4]))
    half = 1.96 * math.sqrt(5 / 3) / 2
    assert (errors.name, errors.value, errors.samples) == ("mean absolute error", 2.5, 4)
    assert errors.interval == pytest.approx((2.5 - half, 2.5 + half), rel=1e-4)


def test_a_score_that_is_not_finite_or_not_bounded_is_null_in_json(made):
    report = bench(made / "int8.tflite", kernels=["xnnpack"], threads=[1], seconds=0.01)
    for errors, value, shown in (
        ([0.5], 0.5, "mean absolute error 0.5 on 1 test example; xnnpack"),
        ([0.5, math.inf], None, "mean absolute error not finite on 2 test examples; xnnpack"),
    ):
        score = FileScore(**asdict(scored(ERROR, np.float64(errors))), threads=1, kernels="xnnpack")
        document = replace(report, results=(replace(report.results[0], score=score),)).as_dict()
        json.dumps(document, allow_nan=False)
        (result,) = document["results"]
        assert (result["score"]["value"], result["score"]["interval"]) == (value, [None, None])
        assert shown in document_table(document)


def test_classes_agree_where_the_reference_scores_the_others_class_as_high():
    reference = {"logits": np.float32([[10, 9.6, 0], [10, 9.4, 0], [0, 5, 0], [0, 5, 0]])}
    outputs = {"logits": np.float32([[0, 1, 0], [0, 1, 0], [0, 1, 0], [np.nan, 1, 0]])}
    same, near = Classes(("a", "b", "c")).agreement(reference, outputs)
    assert same.tolist() == [False, False, True, False]
    assert near.tolist() == [True, False, True, False]  # 5 % of 10


def test_the_divergence_of_classes_is_kullback_and_leiblers():
    output = Classes(("a", "b"), "probabilities")
    reference = {"probabilities": np.float32([[0.5, 0.5]])}
    assert output.divergence(reference, reference) == 0
    expected = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert output.divergence(reference, {"probabilities": np.float32([[0.25, 0.75]])}) == pytest.approx(expected)


def test_a_number_is_graded_by_its_error_and_agrees_within_a_share_of_the_largest():
    output, wanted, found = Number("kg"), numbers(10, 4, -2, 1), numbers(10.4, 4.6, -2, np.nan)
    assert output.graded(found, wanted).tolist() == pytest.approx([0.4, 0.6, 0, math.inf], rel=1e-6)
    same, near = output.agreement(wanted, found)
    assert same.tolist() == near.tolist() == [True, False, True, False]
    assert output.divergence(numbers(1, 3), numbers(2, 3)) == pytest.approx(0.5)
    assert output.misfit(numbers(1, np.inf)) == "1 numbers that are not finite"
    assert [getattr(answer, "line", lambda: "none")() for answer in output.answers(found, 5)[2:]] == ["-2 kg", "none"]
    assert output.answers(found, 5)[2].as_json() == {"number": -2.0, "unit": "kg"}


@pytest.mark.parametrize(
    ("scale", "found", "failed", "unit"),
    [
        (0.0, [10.19, 1], (), "of the largest value"),
        (0.0, [10, 1.21], (1,), "of the largest value"),
        (0.5, [10, 5], (), "steps"),
        (0.5, [14.5, 1], (0,), "steps"),
        (0.5, [np.nan, 1], (0,), "steps"),
    ],
)
def test_a_number_differs_by_steps_of_its_scale_or_by_a_share(scale, found, failed, unit):
    outcome = Number().compared(numbers(10, 1), numbers(*found), {"number": scale})
    assert (outcome.failed, outcome.same, outcome.unit) == (failed, 2 - len(failed), unit)


def test_what_is_not_one_number_is_refused():
    assert Number.of([TensorSpec("dense", (1,), "float32")], "a.tflite") == Number()
    for shape, dtype in (((2,), "float32"), ((1,), "int32")):
        with pytest.raises(InputError, match=r"a\.tflite doesn't predict a number"):
            Number.of([TensorSpec("dense", shape, dtype)], "a.tflite")


def test_tensors_agree_where_each_is_near_on_average():
    reference = two([[10, 0], [10, 0], [0, 0]], [100, 100, 100])
    outputs = two([[10.9, 0], [10.9, 0.2], [0, 0]], [100, 100, 94])
    same, near = TWO.agreement(reference, outputs)
    assert same.tolist() == near.tolist() == [True, False, False]
    assert TWO.divergence(reference, reference) == 0


def test_the_tensor_that_differs_most_is_shown():
    expected = two([[1, 2], [3, 4]], [5, 50])
    outcome = TWO.compared(expected, two([[1, 2], [3, 4.5]], [5, 45]), {"a": 0.25, "b": 0.0})
    assert (outcome.failed, outcome.same, outcome.max_difference) == ((1,), 1, 0.1)  # b; a differs by 2 steps of 8
    assert (outcome.unit, outcome.tolerance) == ("of the largest value", 0.02)
    assert TWO.compared(expected, two([[1, np.nan], [3, 4]], [5, 50]), {"a": 0.25, "b": 0.0}).failed == (0,)


def test_the_answers_of_tensors_are_their_values_or_their_range():
    output = Tensors.of([TensorSpec("mask", (3, 3), "bool"), TensorSpec("id", (), "int64")])
    (answer,) = output.answers({"mask": np.eye(3, dtype=bool)[None], "id": np.int64([1234567])}, 5)
    assert answer.line() == "mask [3, 3] from False to True, mean 0.3333  id 1234567"
    assert answer.as_json() == {"outputs": {"mask": np.eye(3, dtype=bool).tolist(), "id": 1234567}}
    assert "not finite" in TWO.answers(two([[1, np.inf]], [1]), 5)[0]
    assert (output.measure, output.targets) == (None, ())
    with pytest.raises(InputError, match="mask is of the type float16"):
        Tensors.of([TensorSpec("mask", (3, 3), "float16")])
