"""Classifying image files with a bundle."""

import json
import shutil

import numpy as np
import pytest

from tkit_edge import files, flatbuffer
from tkit_edge.__main__ import main
from tkit_edge.bench import bench
from tkit_edge.bundle import Bundle
from tkit_edge.classifier import Classifier
from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image as ImageInput
from tkit_edge.outputs.classes import Classes, probabilities
from tkit_edge.predict import OpenedModel, opened, predict
from tkit_edge.runtime import Model

LABELS = ("ant", "bee", "cat", "dog", "elk")


def test_labels_and_probabilities_are_those_of_the_logits(bundle, originals):
    logits = Model(bundle.path("float32")).predict(originals[0][:4])
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    paths = [bundle.encoded(number) for number in range(4)]
    with opened(bundle, "float32") as model:
        found = predict(paths, model, top=5)
    for path, prediction, share in zip(paths, found, expected, strict=True):
        assert prediction.item == str(path)
        assert [score.label for score in prediction.answer.classes] == [LABELS[index] for index in np.argsort(-share)]
        assert [score.probability for score in prediction.answer.classes] == pytest.approx(
            np.sort(share)[::-1], rel=1e-5
        )


def test_probabilities_stay_and_large_logits_do_not_overflow():
    given = np.float32([[0.2, 0.8]])
    assert probabilities(given, "probabilities") is given
    assert probabilities(np.float32([[1000, 0]]), "logits").tolist() == [[1, 0]]


def test_int8_is_the_default_and_else_the_first(bundle):
    assert bundle.default_format == "int8"
    without = Bundle(**{**vars(bundle), "models": {"float32": bundle.models["float32"]}})
    assert without.default_format == "float32"


def test_a_bundle_with_fewer_labels_than_outputs_is_refused(bundle):
    short = Bundle(**{**vars(bundle), "output": Classes(LABELS[:3])})
    with pytest.raises(InputError, match=r"gives .*\[5\], expected logits \[3\]"), opened(short, "int8"):
        pass


def test_folders_expand_and_bad_images_are_named_while_the_others_are_printed(bundle, tmp_path, capsys):
    folder = tmp_path / "images" / "deep"
    folder.mkdir(parents=True)
    shutil.copy(bundle.encoded(0), folder / "b.PNG")
    shutil.copy(bundle.encoded(1), folder / "a.png")
    (folder / "c.jpg").write_bytes(b"no image")
    (folder / "notes.txt").write_text("no image either, and not called one")
    assert (
        main(["predict", str(bundle.folder), str(tmp_path / "images"), str(tmp_path / "none.png"), "--top", "1"]) == 2
    )
    out, err = capsys.readouterr()
    assert [line.split()[0].rpartition("/")[2] for line in out.splitlines()] == ["a.png", "b.PNG"]
    assert "2 of 4 images have no prediction" in err
    assert "c.jpg is not an image" in err
    assert "none.png" in err
    assert "notes.txt" not in err


def test_nothing_readable_is_one_error(bundle, tmp_path):
    (tmp_path / "empty").mkdir()
    with opened(bundle, "int8") as model:
        with pytest.raises(InputError, match="None of 1 images could be read"):
            predict([tmp_path / "none.png"], model)
        with pytest.raises(InputError, match="found no image in"):
            predict([tmp_path / "empty"], model)


def test_json_has_the_model_and_every_prediction(bundle, capsys):
    assert main(["predict", str(bundle.folder), str(bundle.encoded(0)), "--json", "--format", "int16x8"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["model"].endswith("model-int16x8.tflite")
    assert [score["label"] in LABELS for score in document["predictions"][0]["classes"]] == [True] * 5


def test_an_unknown_format_lists_those_there_are(bundle, capsys):
    assert main(["predict", str(bundle.folder), str(bundle.encoded(0)), "--format", "int4"]) == 2
    assert "It has: float32, int8, int16x8" in capsys.readouterr().err


def test_many_images_keep_their_order(bundle):
    def first_pixels(arrays):
        return {"probabilities": arrays["image"].reshape(len(arrays["image"]), -1)[:, :5] / 255}

    model = OpenedModel(first_pixels, ImageInput(8, 8, 3), Classes(LABELS, "probabilities"))
    paths = [bundle.encoded(number % 4) for number in range(70)]
    found = predict(paths, model)
    assert [item.item for item in found] == [str(path) for path in paths]
    assert found[69].answer == found[1].answer != found[0].answer


def test_pixels_are_brought_to_what_the_file_takes(made):
    images = np.full((1, 8, 8, 3), 255, np.uint8)
    raw = Model(made / "float32.tflite")
    assert np.allclose(
        raw.predict(images // 255), Model(made / "float32.tflite", pixels="0-1").predict(images), atol=1e-5
    )
    assert not np.allclose(raw.predict(images), Model(made / "float32.tflite", pixels="-1-1").predict(images))


@pytest.fixture
def broken(bundle):
    """A bundle whose float32 file gives NaN for its first class: a bias became that after it was written."""
    path = bundle.path("float32")
    data = bytearray(path.read_bytes())
    graph = flatbuffer.read(bytes(data))
    bias = graph.tensors[graph.operators[-1].inputs[2]].data
    data[(start := data.find(bytes(bias))) : start + 4] = np.float32(np.nan).tobytes()
    path.write_bytes(data)
    described = bundle.folder / "bundle.json"
    described.write_text(described.read_text().replace(bundle.models["float32"].sha256, files.sha256(path)))
    return Bundle.read(bundle.folder)


def test_outputs_that_are_not_finite_are_no_class(broken, originals, tmp_path, capsys):
    assert main(["predict", str(broken.folder), str(broken.encoded(0)), "--format", "float32"]) == 2
    assert "0000.png: the model gives values that are not finite" in capsys.readouterr().err
    with pytest.raises(InputError, match="values that are not finite"):
        Classifier(broken.folder, "float32").predict(broken.encoded(0))
    assert main(["check", str(broken.folder), "--json"]) == 3
    outcome = next(item for item in json.loads(capsys.readouterr().out)["files"] if item["format"] == "float32")
    assert outcome["same_top1"] == 0 and outcome["failed"] == [0, 1, 2, 3] and outcome["max_difference"] is None
    np.savez(tmp_path / "test.npz", images=originals[0][:4], labels=np.zeros(4, np.int32))  # what argmax takes NaN for
    report = bench(broken.folder, formats=["float32"], threads=[1], seconds=0.01, test=tmp_path / "test.npz")
    assert {item.score.value for item in report.results} == {0.0}
