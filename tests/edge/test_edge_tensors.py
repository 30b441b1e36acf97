"""Models of other things than images and classes: their inputs, bundles and scores."""

import json

import numpy as np
import pytest

from tkit_edge import bundle_writing
from tkit_edge.__main__ import main
from tkit_edge.bench import bench
from tkit_edge.bundle import Bundle
from tkit_edge.check import check, check_inputs
from tkit_edge.errors import InputError
from tkit_edge.files import npz_bytes
from tkit_edge.inputs.image import Image
from tkit_edge.inputs.tensors import Tensors
from tkit_edge.runtime import Model
from tkit_edge.table import table
from tkit_edge.tensors import TensorSpec

BOTH = Tensors.of([TensorSpec("x", (2,), "float32"), TensorSpec("ids", (3,), "int32")])
IDS = np.arange(3)


def test_arrays_are_cast_only_where_that_keeps_them(tmp_path):
    read = BOTH.read({"x": np.float64([0.1, 2]), "ids": np.int64([1, 2, 3])})
    assert (read["x"].dtype, read["ids"].dtype) == (np.float32, np.int32)
    assert read["x"].tolist() == np.float32([0.1, 2]).tolist()
    path = tmp_path / "one.npz"
    np.savez(path, x=np.ones(2), ids=IDS)
    for item in (path, str(path), path.read_bytes()):
        assert BOTH.read(item)["ids"].tolist() == [0, 1, 2]
    assert BOTH.difference(read, BOTH.read(BOTH.encoded(read)), BOTH.suffix(b"")) == (0, False)
    assert BOTH.difference(read, {**read, "ids": read["ids"] + 1}, ".npz") == (1, True)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.ones(2)}, "has no array 'ids'; it has x"),
        ({"x": np.ones(3), "ids": IDS}, r"x has the shape \[3\], the model takes \[2\]"),
        ({"x": np.ones(2), "ids": np.ones(3)}, "ids is float64, the model takes int32"),
        ({"x": np.ones(2), "ids": IDS + 2**31}, "ids has values that int32 doesn't have"),
        ({"x": np.float64([1, 1e300]), "ids": IDS}, "x has values that float32 doesn't have"),
        ({"x": np.array(["a", "b"]), "ids": IDS}, "x is <U1"),
    ],
)
def test_an_example_that_does_not_fit(tmp_path, arrays, message):
    path = tmp_path / "one.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message):
        BOTH.read(path)


def test_only_images_have_a_known_range():
    assert (Image(8, 8, 3).range, BOTH.range) == ((0.0, 255.0), None)


def test_a_bundle_of_tensors_is_read_as_written_and_checked(pair_bundle, capsys):
    read = Bundle.read(pair_bundle.folder)
    assert read == pair_bundle
    assert [read.encoded(number).name for number in range(3)] == ["0000.npz", "0001.npz", "0002.npz"]
    golden = read.golden()
    assert golden.targets == {}
    assert np.array_equal(golden.expected["float32"]["sums"], np.cumsum(golden.inputs["ids"], axis=1))
    (outcome,) = check(read)
    assert (outcome.outcome.same, outcome.failed, check_inputs(read).differing) == (3, (), ())
    assert main(["check", str(read.folder)]) == 0
    out = capsys.readouterr().out
    assert "same output on 3 of 3" in out and "examples 3 of 3 read as expected: ok" in out
    assert main(["check", str(read.folder), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["files"][0]["same_output"] == document["examples"]["samples"] == 3


def test_a_golden_example_that_reads_otherwise_is_found(pair_bundle):
    golden = pair_bundle.golden().inputs
    changed = {name: array[1] for name, array in golden.items()}
    pair_bundle.encoded(1).write_bytes(npz_bytes({**changed, "signal": changed["signal"] + np.float32(1)}))
    found = check_inputs(pair_bundle)
    assert found.failed == (1,)
    assert found.line() == "examples 2 of 3 read as expected; largest difference 1: FAILED on samples 1"


def test_golden_samples_past_the_limit_are_refused_before_they_are_written(pair_bundle, monkeypatch, tmp_path):
    monkeypatch.setattr(bundle_writing, "MAX_GOLDEN_BYTES", 4000)
    golden = pair_bundle.golden()
    with pytest.raises(InputError, match=r"3 golden samples .* take 4,312 bytes, expected at most 4,000"):
        bundle_writing.write(
            tmp_path / "again",
            task="inference",
            input=pair_bundle.input,
            output=pair_bundle.output,
            models={"float32": pair_bundle.path("float32").read_bytes()},
            examples=golden.inputs,
            targets={},
        )


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ([], "output.tensors: expected at least one"),
        ([{"name": "a", "shape": [0], "dtype": "int32"}], "output.tensors.0.expected positive sizes"),
        ([{"name": "a", "shape": [2], "dtype": "complex64"}], "a type of float32, int32"),
        ([{"name": "a", "shape": [], "dtype": "bool"}] * 2, "each name once"),
    ],
)
def test_wrong_tensors_in_a_bundle_json(pair_bundle, tensors, message):
    path = pair_bundle.folder / "bundle.json"
    content = json.loads(path.read_text())
    content["output"]["tensors"] = tensors
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        Bundle.read(pair_bundle.folder)


def test_predicting_for_npz_files(pair_bundle, tmp_path, capsys):
    folder = tmp_path / "examples"
    folder.mkdir()
    np.savez(folder / "b.npz", signal=np.zeros(6), ids=[2, 3, 4])
    np.savez(folder / "a.npz", signal=np.zeros(6), ids=[1.5, 3, 4])
    assert main(["predict", str(pair_bundle.folder), str(folder)]) == 2
    out, err = capsys.readouterr()
    assert out.strip() == f"{folder}/b.npz  scaled 2 2 2 2 2 2  sums 2 5 9"
    assert "1 of 2 examples have no prediction" in err and "ids is float64" in err
    assert main(["predict", str(pair_bundle.folder), str(folder / "b.npz"), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["predictions"]
    outputs = {"scaled": [2.0] * 6, "sums": [2, 5, 9]}
    line = f"{folder}/b.npz  scaled 2 2 2 2 2 2  sums 2 5 9"
    assert found == {"example": f"{folder}/b.npz", "outputs": outputs, "error": None, "line": line}


def test_a_number_is_predicted_with_its_unit(number_bundle, originals, capsys):
    expected = Model(number_bundle.path("float32")).predict(originals[0][:1]).item()
    arguments = ["predict", str(number_bundle.folder), str(number_bundle.encoded(0)), "--format", "float32"]
    assert main(arguments) == 0
    assert capsys.readouterr().out.strip() == f"{number_bundle.encoded(0)}  {expected:.6g} kg"
    assert main([*arguments, "--top", "3"]) == 2
    assert "top=3 is a number of classes; this model gives a number (kg)" in capsys.readouterr().err


def test_a_number_is_checked_in_steps_of_its_scale(number_bundle):
    assert [(item.outcome.same, item.outcome.unit) for item in check(Bundle.read(number_bundle.folder))] == [
        (4, "of the largest value"),
        (4, "steps"),
    ]


def test_a_number_is_scored_by_its_mean_absolute_error(number_bundle, originals, tmp_path):
    images = originals[0]
    found = Model(number_bundle.path("float32")).predict(images).ravel()
    np.savez(tmp_path / "test.npz", images=images, numbers=found + np.resize(np.float32([1, -3]), 64))
    report = bench(number_bundle.folder, formats=["float32"], threads=[1], seconds=0.01, test=tmp_path / "test.npz")
    score = report.results[0].score
    assert (score.name, score.value, score.samples) == ("mean absolute error", pytest.approx(2, abs=1e-5), 64)
    assert score.interval == pytest.approx((1.753, 2.247), abs=1e-3)
    text = table(report)
    assert text.splitlines()[2].endswith("mean absolute error")
    assert "mean absolute error 2 on 64 test examples (95 % 1.753 to 2.247)" in text


def test_nothing_can_be_scored_without_a_measure(pair_bundle, tmp_path):
    with pytest.raises(InputError, match=r"gives scaled \[6\], sums \[3\]: nothing is known to be right"):
        bench(pair_bundle.folder, threads=[1], seconds=0.01, test=tmp_path / "test.npz")


def test_a_file_of_any_tensors_is_measured(made, tmp_path):
    report = bench(made / "pair.tflite", threads=[1], kernels=["builtin"], seconds=0.01)
    assert [(item.kernels, item.score) for item in report.results] == [("builtin", None)]
    with pytest.raises(InputError, match=r"pair\.tflite doesn't take an image"):
        bench(made / "pair.tflite", threads=[1], seconds=0.01, test=tmp_path / "test.npz")
