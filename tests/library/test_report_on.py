"""The proofs of a model as a table, and how its file answers."""

import keras
import numpy as np
import pytest

import tkit
from tkit_edge.errors import InputError


def test_each_promise_has_a_row_and_the_file_an_accuracy(script, aware):
    report = tkit.report_on(aware, data=script.test)
    assert report.holds and len(report.proofs) == 9  # zeros and values of four kernels, and integers only
    assert report.figures["accuracy"] == pytest.approx(script.accuracy(aware), abs=0.02)
    text = repr(report)
    assert "digits: 9 of 9 promises hold" in text and "int8" in text and "Accuracy" in text
    assert "<table>" in report._repr_html_()
    assert len(report.plot().patches) == 4
    assert list(report.to_dataframe().columns) == ["layer", "promise", "found", "holds"]


def test_a_file_of_another_model_breaks_the_promises(script, trained, aware):
    report = tkit.report_on(aware, tkit.to_tflite(trained, "int8", calibration=script.calibration))
    assert not report.holds and "NO" in repr(report)


def test_labels_may_be_one_hot_and_a_model_may_promise_nothing(script, trained):
    x, y = script.test
    figures = [tkit.report_on(trained, data=(x, labels)).figures for labels in (y, np.eye(10)[y], y[:, None])]
    assert figures[0] == figures[1] == figures[2]
    report = tkit.report_on(tkit.quantize_aware(trained, script.calibration))
    assert "1 of 1 promises" in repr(report) and "<img" not in report._repr_html_()  # integers, no zeros to draw
    assert "promises nothing" in repr(tkit.report_on(trained))


def test_one_sigmoid_is_two_classes(script):
    y = (script.y > 4).astype("float32")
    inputs = keras.Input((8, 8, 1))
    scores = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, scores)
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    model.fit(script.x, y, epochs=3, verbose=0)
    own = float(np.mean((model.predict(script.x, verbose=0)[:, 0] > 0.5) == y))
    file = tkit.to_tflite(model, "int8", calibration=script.calibration)
    assert tkit.report_on(model, file, data=(script.x, y)).figures["keras_accuracy"] == pytest.approx(own)


def test_labels_that_the_model_has_no_output_for(script, trained):
    with pytest.raises(InputError, match="10 outputs, so classes are 0 to 9; received 1 to 10"):
        tkit.report_on(trained, data=(script.x, script.y + 1))


def test_numbers_are_judged_by_agreement(script):
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Flatten()(inputs)))
    report = tkit.report_on(model, data=(script.x[:50], np.random.default_rng(0).normal(size=(50, 3))))
    assert "accuracy" not in report.figures and report.figures["agreement"] == 1
