"""Metadata inside .tflite files: MediaPipe, which it is written for, reads it and classifies with the file."""

import ctypes.util
import zipfile

import keras
import numpy as np
import pytest

import tkit
from tkit.conversion.converter import Converter
from tkit.conversion.float_ends import float_ends
from tkit.conversion.metadata import LABELS, with_metadata
from tkit_edge import flatbuffer
from tkit_edge.bundle import Bundle
from tkit_edge.inputs.image import Image
from tkit_edge.outputs.classes import Classes
from tkit_edge.runtime import Model


@pytest.fixture
def app(colours, tmp_path):
    """The colour run's file for apps, and the bundle that it was made of."""
    tkit.hand_over(colours, "web", out=tmp_path / "web")
    return tmp_path / "web" / "model.tflite", Bundle.read(colours.folder / "float" / "export")


@pytest.fixture
def vision():
    """MediaPipe's tasks of images; skips where it or what it needs isn't installed."""
    missing = [name for name in ("EGL", "GLESv2") if ctypes.util.find_library(name) is None]
    if missing:
        pytest.skip(f"MediaPipe needs lib{', lib'.join(missing)}: Debian's libegl1 and libgles2")
    reason = "the extra dev has mediapipe"
    return pytest.importorskip("mediapipe.tasks.python.vision", reason=reason, exc_type=ImportError)


def test_mediapipe_classifies_with_the_file_as_the_bundle_expects(app, vision):
    import mediapipe
    from mediapipe.tasks.python import BaseOptions

    path, bundle = app
    golden = bundle.golden()
    expected = bundle.output.scores(golden.expected["int8"])
    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=str(path)))
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for pixels, scores in zip(golden.inputs["image"], expected, strict=True):
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
            found = classifier.classify(image).classifications[0].categories
            assert {item.category_name: round(item.score, 5) for item in found} == {
                name: round(float(score), 5) for name, score in zip(bundle.labels, scores, strict=True)
            }


def test_mediapipe_s_schema_reads_what_the_input_is(app):
    pytest.importorskip("mediapipe", reason="the extra dev has mediapipe")
    from mediapipe.tasks.metadata import metadata_schema_py_generated as published
    from mediapipe.tasks.metadata import schema_py_generated as schema

    path, bundle = app
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    (buffer,) = [item.buffer for item in model.metadata if item.name == b"TFLITE_METADATA"]
    content = bytes(model.buffers[buffer].data)
    assert content[4:8] == b"M001"
    found = published.ModelMetadataT.InitFromObj(published.ModelMetadata.GetRootAs(content, 0))
    (graph,) = found.subgraphMetadata
    (image,), (scores,) = graph.inputTensorMetadata, graph.outputTensorMetadata
    normalization = image.processUnits[0].options
    assert list(normalization.mean) == [0.0] and list(normalization.std) == [1.0]
    assert image.content.contentProperties.colorSpace == published.ColorSpaceType.RGB
    assert [file.name for file in scores.associatedFiles] == [LABELS.encode()]
    assert zipfile.ZipFile(path).read(LABELS).decode().splitlines() == list(bundle.labels)


def test_metadata_and_float_ends_change_no_output_of_any_format(digits):
    bundle = Bundle.read(digits.folder / "float" / "export")
    golden = bundle.golden()
    for fmt, expected in golden.expected.items():
        data = float_ends(bundle.path(fmt).read_bytes())
        made = with_metadata(data, name="digits", input=bundle.input, output=bundle.output)
        assert np.array_equal(Model(made).run(golden.inputs)["logits"], expected["logits"]), fmt


def test_a_file_stored_without_its_zeros_stays_so():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Flatten()(inputs)))
    model.layers[-1].kernel.assign(model.layers[-1].kernel * (np.random.default_rng(0).random((64, 10)) < 0.1))
    pixels = np.random.default_rng(1).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)
    with Converter(model, {"image": pixels}, io="int8") as convert:
        data = convert("float32", sparse=True)
    made = with_metadata(data, name="sparse", input=Image(8, 8, 1), output=Classes(tuple("abcdefghij")))
    assert "DENSIFY" in [operator.name for operator in flatbuffer.read(made).operators]
    assert np.array_equal(Model(made).predict(pixels), Model(data).predict(pixels))


def test_float_ends_are_float_and_keep_the_names(digits):
    bundle = Bundle.read(digits.folder / "float" / "export")
    graph = flatbuffer.read(float_ends(bundle.path("int8").read_bytes()))
    tensors = [graph.tensors[index] for index in (*graph.inputs, *graph.outputs)]
    assert [tensor.dtype for tensor in tensors] == ["float32", "float32"]
    assert [graph.names[index] for index in (*graph.inputs, *graph.outputs)] == ["image", "logits"]


def test_metadata_written_twice_is_there_once(digits):
    bundle = Bundle.read(digits.folder / "float" / "export")
    once = with_metadata(bundle.path("float32").read_bytes(), name="a", input=bundle.input, output=bundle.output)
    twice = with_metadata(once, name="b", input=bundle.input, output=bundle.output)
    assert [name for name, _ in flatbuffer.storage(twice).metadata].count("TFLITE_METADATA") == 1
