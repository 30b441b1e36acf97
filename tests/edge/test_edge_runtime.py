import sys

import numpy as np
import pytest

from tkit_edge import runtime
from tkit_edge.errors import InputError
from tkit_edge.outputs.classes import Classes
from tkit_edge.runtime import KERNELS, Model

# Largest difference from Keras, as a share of the largest logit.
BOUNDS = {"float32": 1e-5, "float16": 5e-3, "dynamic": 2e-2, "int8": 5e-2, "uint8": 5e-2, "int16x8": 2e-2}


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", BOUNDS)
def test_a_file_computes_what_keras_does(made, originals, name, kernels):
    images, logits = originals
    outputs = Model(made / f"{name}.tflite", kernels=kernels).predict(images)
    assert outputs.dtype == np.float32
    assert outputs.shape == logits.shape
    assert np.abs(outputs - logits).max() < BOUNDS[name] * np.abs(logits).max()


def test_quantized_inputs_hold_every_pixel_value(made):
    """The int8 file's input is pixel - 128 exactly: nothing is lost before the first layer."""
    levels = np.resize(np.arange(256, dtype=np.uint8), (2, 8, 8, 3))  # every value there is
    for name, least in (("int8", -128), ("uint8", 0)):
        encode = Model(made / f"{name}.tflite")._inputs[0].codes(levels, "0-255", name)
        assert np.array_equal(encode(1)[0].astype(int), levels[1].astype(int) + least)


def test_bytes_path_and_threads_give_the_same(made, originals):
    path = made / "int8.tflite"
    one = Model(path).predict(originals[0])
    assert np.array_equal(one, Model(path.read_bytes(), threads=2).predict(originals[0]))


def test_each_kernel_set_is_a_different_one(made):
    def delegated(kernels):
        made_ops = runtime.load(made / "float32.tflite", kernels=kernels)._get_ops_details()
        return any(operator["op_name"] == "DELEGATE" for operator in made_ops)

    assert [delegated(kernels) for kernels in ("xnnpack", "builtin", "reference")] == [True, False, False]


@pytest.mark.parametrize("images", [np.zeros((1, 9, 8, 3), np.uint8), np.zeros((1, 8, 8, 3), np.int32)])
def test_images_of_another_size_or_type(made, images):
    with pytest.raises(InputError, match=r"takes uint8 images or float values \[n, 8, 8, 3\], received"):
        Model(made / "int8.tflite").predict(images)


def test_a_map_is_not_taken_for_a_row_of_scores(made, originals):
    model = Model(made / "map.tflite")
    assert model.predict(originals[0][:2]).shape == (2, 4, 4, 4)
    with pytest.raises(InputError, match=r"expected one output \[1, classes\].* received \[\(1, 4, 4, 4\)\]"):
        Classes.of(model.outputs, "map.tflite", "logits")


def test_float_values_give_what_the_same_pixels_do(made, originals):
    for name in ("float32", "int8", "int16x8"):
        model = Model(made / f"{name}.tflite")
        assert np.array_equal(model.predict(originals[0][:3].astype(np.float32)), model.predict(originals[0][:3]))


def test_tensors_have_the_names_of_the_signature(made):
    model = Model(made / "int8.tflite")
    assert [(spec.shape, spec.dtype) for spec in (*model.inputs, *model.outputs)] == [
        ((8, 8, 3), "float32"),
        ((5,), "float32"),
    ]
    assert not any(":" in spec.name for spec in (*model.inputs, *model.outputs))
    with pytest.raises(InputError, match="takes .* received other"):
        model.run({"other": np.zeros((1, 8, 8, 3), np.uint8)})


@pytest.mark.parametrize("options", [{"kernels": "gpu"}, {"threads": 0}])
def test_wrong_options(made, options):
    with pytest.raises(InputError):
        Model(made / "int8.tflite", **options)


def test_damaged_files_name_themselves(made, tmp_path):
    path = tmp_path / "half.tflite"
    path.write_bytes((made / "int8.tflite").read_bytes()[:1500])
    with pytest.raises(InputError, match=r"half.tflite"):
        Model(path)
    with pytest.raises(InputError, match=r"missing.tflite: No such file"):
        Model(tmp_path / "missing.tflite")


def test_without_a_runtime_the_message_has_the_command(monkeypatch):
    for package in ("ai_edge_litert", "tflite_runtime"):
        monkeypatch.setitem(sys.modules, package, None)
        monkeypatch.delitem(sys.modules, f"{package}.interpreter", raising=False)
    with pytest.raises(InputError, match="pip install ai-edge-litert"):
        runtime.find()


def test_the_runtime_says_its_name_and_version():
    found = runtime.find()
    assert found.name == "ai-edge-litert"
    assert found.version[0].isdigit()
