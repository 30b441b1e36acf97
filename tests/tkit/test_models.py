"""The model families: their shapes, their published sizes, and that each converts to plain int8."""

import keras
import numpy as np
import pytest

from tkit.conversion.converter import Converter
from tkit.models import Spec, Statistics
from tkit.models.mobilenet import MobileNet
from tkit.models.resnet import ResNet
from tkit_edge import flatbuffer
from tkit_edge.runtime import Model

STATISTICS = Statistics(120.0, 4000.0)


def builtin_int8(model, size):
    """The operators and tensor types of the model's int8 file, which must run."""
    images = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), np.uint8)
    with Converter(model, {"image": images}, io="int8") as convert:
        data = convert("int8")
    assert Model(data).predict(images).shape == (4, model.output_shape[-1])
    graph = flatbuffer.read(data)
    activations = {graph.tensors[index].dtype for operator in graph.operators for index in operator.outputs}
    return {operator.name for operator in graph.operators}, activations


def test_mobilenet_is_the_papers():
    model = MobileNet().build(Spec.of_images((224, 224, 3), 1000, STATISTICS))
    # keras.applications.MobileNetV2 has the same variables.
    assert model.count_params() == keras.applications.MobileNetV2(weights=None).count_params() == 3_538_984
    half = MobileNet(width=0.5).build(Spec.of_images((96, 96, 3), 10, STATISTICS))
    assert half.get_layer("stage3_block1_project_conv").filters == 16
    assert half.get_layer("head_conv").filters == 1280


@pytest.mark.parametrize(("size", "stride", "last"), [(32, 8, 4), (32, 4, 8), (64, 16, 4), (224, 32, 7)])
def test_mobilenets_output_stride_is_how_much_smaller_the_last_map_is(size, stride, last):
    model = MobileNet(width=0.25, output_stride=stride).build(Spec.of_images((size, size, 3), 10, STATISTICS))
    assert model.get_layer("head_relu6").output.shape[1:3] == (last, last)


def test_mobilenets_depth_multiplies_the_blocks():
    def blocks(depth):
        names = [
            layer.name
            for layer in MobileNet(depth=depth, width=0.25).build(Spec.of_images((32, 32, 3), 2, STATISTICS)).layers
        ]
        return len([name for name in names if name.endswith("_project_conv")])

    assert (blocks(0.5), blocks(1.0), blocks(2.0)) == (11, 17, 34)


def test_mobilenet_converts_to_integers_with_builtin_operators_only():
    operators, activations = builtin_int8(
        MobileNet(width=0.25, output_stride=8).build(Spec.of_images((32, 32, 3), 10, STATISTICS)), 32
    )
    # MUL is the pixels' normalization.
    assert operators == {"MUL", "CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MEAN", "FULLY_CONNECTED"}
    assert activations == {"int8"}


def test_resnet8_is_mlperf_tinys():
    model = ResNet(depth=8).build(Spec.of_images((32, 32, 3), 10, Statistics(0.0, 1.0)))
    # mlcommons/tiny's has 78,666, of which 240 are biases before batch normalization, which do nothing.
    assert model.count_params() == 78_666 - 240
    with pytest.raises(ValueError, match="6n\\+2"):
        ResNet(depth=9)
