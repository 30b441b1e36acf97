"""Results of models that tell no classes apart: numbers, made images, outputs of which nothing is known."""

import pytest
from matplotlib.figure import Figure

from tkit.results.compress import CompressResult
from tkit.results.evaluate import EvaluateResult
from tkit.results.export import ExportResult

EVALUATED = {
    **{"model": {"file": "model.tflite"}, "samples": 3, "split": "test", "example": "image", "data": "d"},
    **{"folder": None, "mirror": False},
}
NUMBER = EvaluateResult(
    EVALUATED
    | {"output": "number", "mean_absolute_error": 1.5, "interval": [1.0, 2.0], "root_mean_squared_error": 1.8}
    | {"r2": None, "bias": 0.1, "unit": "km"}
    | {"mistakes": [{"index": 7, "file": None, "true": 3.0, "predicted": 5.5}]}
)
MADE = EvaluateResult(
    EVALUATED
    | {"output": "image", "distance": 30.0, "interval": [29.0, 31.0], "floor": 2.0, "floor_samples": 9}
    | {"distance_to_floor": 15.0, "kernel_distance": 0.2, "kernel_floor": 0.1, "precision": 0.8, "recall": 0.7}
    | {"real_precision": 0.9, "real_recall": 0.9, "real_samples": 9, "judge": {"name": "judge"}, "modes": None}
)
MODES = {"covered": 1, "of": 1, "per_class": [{"name": "$", "share": 1.0, "real_share": 1.0, "covered": True}]}


@pytest.mark.parametrize(
    ("result", "cells", "columns"),
    [
        (NUMBER, ["7", "3", "5.5"], {"mean_absolute_error", "bias"}),
        (MADE, ["kernel distance", "0.2", "0.1"], {"distance", "kernel_distance"}),
        (EvaluateResult(MADE | {"modes": MODES}), ["kernel distance", "0.2", "0.1"], {"name", "real_share"}),
    ],
)
def test_an_evaluation_of_any_kind_is_shown(result, cells, columns):
    assert any(line.split("  ")[0] == cells[0] and line.split()[-2:] == cells[1:] for line in repr(result).splitlines())
    assert columns <= set(result.to_dataframe())
    assert "<img" in result._repr_html_()
    assert result.plot(Figure().subplots()).has_data()


def test_an_export_of_which_nothing_is_known_to_be_right_shows_agreement():
    figures = {"samples": 20, "max_difference": 0.1, "same_output": 0.9, "agreement": 0.95, "bytes": 1234}
    result = ExportResult(run="r", variant="float", metrics={"int8": figures}, left_out={"int16x8": "no <kernel>"})
    assert "95.00%" in repr(result) and "int16x8 left out: no <kernel>" in repr(result)
    assert "no &lt;kernel&gt;" in result._repr_html_()


def test_a_ledger_of_errors_is_shown_with_its_measure():
    row = {"weights": 10, "nonzero": 5, "macs": None, "bytes": 2000, "zip_bytes": 1000, "codes": {}, "p50_ms": 0.1}
    row |= {"mean_absolute_error": 1.5, "interval": [1.4, 1.6], "drop": 0.01, "drop_interval": [0.0, 0.02]}
    rows = [{**row, "step": "float"}, {**row, "step": "prune-0.5"}]
    result = CompressResult(run="r", variant="v", parameters=10, metrics={"ledger": rows, "verdicts": ["smaller"]})
    assert "mean absolute error" in repr(result) and repr(result).endswith("smaller")
    assert result.plot(Figure().subplots()).get_ylabel() == "mean absolute error"
