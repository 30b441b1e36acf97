"""FID and Inception Score through a stand-in: a tiny graph with the tensor names of classify_image_graph_def.pb.

The network itself isn't ours to ship; what is tested is how the file is read, fed and refused, and the definitions.
"""

import numpy as np
import pytest
import tensorflow as tf

from tkit.evaluation import inception
from tkit.evaluation.inception import Inception
from tkit_edge.errors import InputError

v1 = tf.compat.v1
FEATURES, CLASSES = 8, 12


def graph(extra=lambda: None, features="pool_3"):
    """As Inception's: a JPEG's bytes become one image, which is resized, scaled and pooled; the reshape takes one."""
    random = np.random.default_rng(0)
    with tf.Graph().as_default() as made:
        encoded = tf.constant(b"", name="DecodeJpeg/contents")
        image = v1.expand_dims(tf.cast(tf.io.decode_jpeg(encoded, channels=3), tf.float32), 0, name="ExpandDims")
        pixels = (v1.image.resize_bilinear(image, (16, 16)) - 128.0) * 0.0078125
        kernel = tf.constant(random.normal(0, 0.5, (3, 3, 3, FEATURES)), tf.float32)
        values = tf.identity(tf.nn.conv2d(pixels, kernel, 2, "SAME"), name="batchnorm")
        for name in ("mean", "variance", "beta", "gamma"):
            tf.constant(random.uniform(0.5, 1, FEATURES), tf.float32, name=name)
        values = tf.nn.relu(values)
        pooled = tf.nn.avg_pool2d(values, 8, 1, "VALID", name=features)
        weights = tf.constant(random.normal(0, 2, (FEATURES, CLASSES)), tf.float32)
        with tf.name_scope("softmax/logits/"):
            logits = tf.matmul(tf.reshape(pooled, (1, FEATURES)), weights, name="MatMul")
        tf.nn.softmax(tf.nn.bias_add(logits, tf.constant([0.0] * CLASSES)), name="softmax")
        extra()
    return aged(made.as_graph_def())


def aged(definition):
    """With the normalization and the version of 2015, which today's TensorFlow makes no more but still has to run."""
    (node,) = (node for node in definition.node if node.name == "batchnorm")
    node.op = "BatchNormWithGlobalNormalization"
    node.input.extend(["mean", "variance", "beta", "gamma"])
    node.attr["variance_epsilon"].f = 0.001
    node.attr["scale_after_normalization"].b = True
    definition.versions.producer = 8
    return definition


def written(path, definition):
    path.write_bytes(definition.SerializeToString())
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return Inception(written(tmp_path_factory.mktemp("inception") / "standin.pb", graph()))


@pytest.fixture(scope="module")
def images():
    shapes = np.random.default_rng(0).normal(128, 60, (130, 4, 4, 3))
    return np.repeat(np.repeat(shapes, 2, axis=1), 2, axis=2).clip(0, 255).astype(np.uint8)


def test_fid_is_0_for_equal_sets_and_grows_with_noise(network, images):
    random = np.random.default_rng(1).normal(0, 1, images.shape)
    noisy = [(images + strength * random).clip(0, 255).astype(np.uint8) for strength in (0, 40, 80, 160)]
    found = [network.measured(made, images) for made in noisy]
    fids = [result["fid"] for result in found]
    assert fids[0] == pytest.approx(0, abs=1e-9) and fids == sorted(fids) and fids[-1] > 0.01
    assert (found[0]["samples"], found[0]["real_samples"], len(found[0]["sha256"])) == (130, 130, 64)
    assert 1 <= found[0]["inception_score"] <= CLASSES
    assert "FID" in inception.line(found[0]) and "fewer than 10,000" in inception.line(found[0])


def test_an_image_has_the_features_of_itself_alone_and_grey_is_colour_of_three_equal_channels(network, images):
    several, one = network.measured(images, images[:60]), network.measured(images, np.repeat(images[:60], 1, axis=0))
    assert several == one
    grey = images[..., :1]
    assert network.measured(grey, np.repeat(grey, 3, axis=3))["fid"] == pytest.approx(0, abs=1e-9)


def test_the_inception_score_is_the_number_of_classes_where_each_image_is_surely_of_another():
    assert inception.inception_score(np.tile(np.eye(5), (40, 1))) == pytest.approx((5.0, 0.0))
    assert inception.inception_score(np.full((40, 5), 0.2)) == pytest.approx((1.0, 0.0))


def test_a_graph_that_reads_or_writes_files_is_refused_before_it_runs(tmp_path):
    target = tmp_path / "written"
    harmful = graph(lambda: tf.io.write_file(str(target), "x"))
    with pytest.raises(InputError, match="operators WriteFile"):
        Inception(written(tmp_path / "harmful.pb", harmful))
    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xff no graph", "is no GraphDef"), (graph(features="pool_2").SerializeToString(), "pool_3")],
)
def test_another_file_is_an_input_error(content, message, tmp_path):
    (tmp_path / "other.pb").write_bytes(content)
    with pytest.raises(InputError, match=message):
        Inception(tmp_path / "other.pb")
