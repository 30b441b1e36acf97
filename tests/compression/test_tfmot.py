"""The steps that run TensorFlow Model Optimization Toolkit: the twin, and what the exported files hold."""

import importlib.util
import os
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tkit
from tkit import model_files
from tkit.compression.proofs import proofs
from tkit.compression.steps.tfmot_prune import TfmotPrune
from tkit.compression.tfmot.fine_tuning import tfmot
from tkit.kernels.exported import kernels
from tkit.models import Spec, Statistics
from tkit.models.cnn import CNN
from tkit.models.mobilenet import MobileNet
from tkit.models.resnet import ResNet
from tkit.passes.folding import factors, fold
from tkit.passes.unfolding import unfold
from tkit.promises import Clusters, Kept
from tkit.recipe_loading import load
from tkit_edge import flatbuffer
from tkit_edge.errors import InputError

# Not importorskip: a bare import would make Keras 2 of `tf.keras` for all other tests.
if importlib.util.find_spec("tensorflow_model_optimization") is None:
    pytest.skip('needs the extra: pip install "keras-tkit[tfmot]"', allow_module_level=True)

QUICK = ("fit.epochs=12", "bench.seconds=0.05", "model.width=8", "export.formats=float32,int8")
STATISTICS = Statistics(120.0, 4000.0)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tkit.fit(load("digits_cnn", QUICK), runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def pruned(run):
    return tkit.compress(run, [TfmotPrune(sparsity=0.75, epochs=2)])["variant"]


@pytest.fixture(scope="module")
def clustered(run, pruned):
    return tkit.compress(run, ["tfmot_cluster:clusters=8,epochs=1"], variant=pruned)["variant"]


def shuffled(model):
    """Weights that no initializer gives, those of batch normalization too."""
    random = np.random.default_rng(0)
    for layer in model.layers:
        norm = isinstance(layer, keras.layers.BatchNormalization)
        low, high = (0.5, 2.0) if norm else (-0.3, 0.3)
        layer.set_weights([random.uniform(low, high, weight.shape) for weight in layer.get_weights()])
    return model


def images(model):
    shape = (16, *model.inputs[0].shape[1:])
    return np.random.default_rng(1).integers(0, 256, shape).astype(np.float32)


def every_layer():
    layers = keras.layers
    inputs = keras.Input((12, 12, 4), name="image")
    x = layers.Normalization(mean=[1.0, 2.0, 3.0, 4.0], variance=[100.0, 200.0, 300.0, 400.0])(inputs)
    x = layers.ZeroPadding2D(1)(x)
    y = layers.SeparableConv2D(8, 3, activation="silu", pointwise_regularizer=keras.regularizers.L2(1e-4))(x)
    x = layers.Conv2D(8, 3, groups=2, activation="relu6", kernel_constraint=keras.constraints.MaxNorm(3.0))(x)
    x = layers.Concatenate()([layers.LeakyReLU(0.2)(x), layers.SpatialDropout2D(0.1)(y), layers.Subtract()([x, y])])
    x = layers.Cropping2D(1)(layers.UpSampling2D(2)(layers.AveragePooling2D(2)(x)))
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same")(x)
    x = layers.ReLU(max_value=6.0, negative_slope=0.1)(layers.MaxPooling2D(2)(x))
    x = layers.Dropout(0.5)(layers.Flatten()(layers.Reshape((10, 40))(x)))
    outputs = layers.Activation("softmax")(layers.Dense(3, activation="tanh")(x))
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize(
    "build",
    [
        lambda: ResNet(depth=8).build(Spec.of_images((32, 32, 3), 10, STATISTICS)),
        lambda: MobileNet(width=0.5, depth=0.5, output_stride=8).build(Spec.of_images((32, 32, 3), 10, STATISTICS)),
        lambda: CNN(width=8, dropout=0.2).build(Spec.of_images((8, 8, 1), 10, STATISTICS)),
        every_layer,
    ],
    ids=["resnet8", "mobilenet", "cnn", "every layer"],
)
def test_the_twin_computes_what_the_model_does(build):
    from tkit.compression.tfmot.keras2 import back, twin

    model = shuffled(build())
    expected = model(images(model)).numpy()
    made = twin(model)
    scale = np.abs(expected).max()
    assert np.abs(made(images(model)).numpy() - expected).max() < 1e-5 * scale
    assert {layer.name for layer in made.layers} == {layer.name for layer in model.layers}
    made.set_weights([weight * np.float32(1.01) for weight in made.get_weights()])
    assert np.abs(back(made, model)(images(model)).numpy() - made(images(model)).numpy()).max() < 1e-5 * scale


def test_a_layer_that_is_not_translated_is_named():
    from tkit.compression.tfmot.keras2 import twin

    inputs = keras.Input((8, 8, 3))
    with pytest.raises(InputError, match="'odd' \\(GroupNormalization\\)"):
        twin(keras.Model(inputs, keras.layers.GroupNormalization(3, name="odd")(inputs)))
    with pytest.raises(InputError, match="settings of 'odd'.*hard_silu"):
        twin(keras.Model(inputs, keras.layers.Activation("hard_silu", name="odd")(inputs)))


def test_keras_3_stays_what_it_is():
    tfmot()
    assert tf.keras.__version__.startswith("3.")
    assert "TF_USE_LEGACY_KERAS" not in os.environ


def test_without_the_extra_one_error_says_what_to_install(run, monkeypatch):
    tfmot.cache_clear()
    monkeypatch.setitem(sys.modules, "tensorflow_model_optimization", None)
    with pytest.raises(InputError, match=r'pip install "keras-tkit\[tfmot\]"'):
        tkit.compress(run, [TfmotPrune()])


def exported(run, variant, fmt):
    # Models so small lose more to int8, and how much depends on the processor that trained them.
    tkit.export(run, variant=variant, overrides=["export.parity.agreement=0.9"])
    return (run.folder / variant / "export" / f"model-{fmt}.tflite").read_bytes()


def test_pruned_weights_are_zeros_in_the_files(run, pruned):
    kept = Kept.read(run.folder / pruned)
    assert pruned == "tfmot-prune-0.75"
    assert min(kept.pruned.values()) >= 0.74
    for fmt in ("float32", "int8"):
        found = proofs(exported(run, pruned, fmt), fmt, kept, model_files.load(run.folder / pruned))
        assert len(found) == 5
        assert all(proof.holds for proof in found)


def test_clusters_share_the_values_asked_for_and_keep_the_zeros(run, clustered):
    kept = Kept.read(run.folder / clustered)
    assert len(kept.clustered) == 5
    assert all(len(clusters.centroids) <= 8 for clusters in kept.clustered.values())
    found = proofs(exported(run, clustered, "float32"), "float32", kept, model_files.load(run.folder / clustered))
    assert len(found) == 10
    assert all(proof.holds for proof in found)


@pytest.mark.slow
@pytest.mark.parametrize("source", ["float", "pruned", "clustered"])
def test_quantized_files_hold_the_very_codes_and_what_was_made_before(run, source, request):
    source = source if source == "float" else request.getfixturevalue(source)
    made = tkit.compress(run, ["tfmot_quantize:epochs=1"], variant=source)
    model, kept = (read(run.folder / made["variant"]) for read in (model_files.load, Kept.read))
    data = exported(run, made["variant"], "int8")
    found = proofs(data, "int8", kept, model)
    assert all(proof.holds for proof in found)
    assert len(found) == 1 + len(kept.pruned) + len(kept.clustered)
    for name, [found] in kernels(flatbuffer.read(data), model).items():
        kernel = model.get_layer(name).kernel.numpy()
        codes = np.round(kernel / np.float32(kept.quantized.scales[name]))
        assert np.array_equal(codes.reshape(-1, codes.shape[-1]), found.matrix)
    assert made["metrics"]["ledger"][-1]["accuracy"] > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    "build",
    [
        lambda: CNN(width=8).build(Spec.of_images((8, 8, 1), 10, STATISTICS)),
        lambda: MobileNet(width=0.25, depth=0.3, output_stride=4).build(Spec.of_images((16, 16, 3), 10, STATISTICS)),
    ],
    ids=["cnn", "mobilenet"],
)
def test_the_file_of_tfmot_itself_has_the_same_codes(build):
    from tkit.compression.tfmot.int8 import aware, read, tflite
    from tkit.compression.tfmot.keras2 import twin

    model = shuffled(build())
    made = aware(twin(model), pruned=False, clustered=False)
    made(images(model), training=True)
    folded, quantized = read(made, model, {layer.name: (0.0, 1.0) for layer in fold(model).layers})
    theirs = kernels(flatbuffer.read(tflite(made)), folded)
    assert theirs.keys() == quantized.scales.keys()
    for name, [kernel] in theirs.items():
        codes = np.round(kernel.ours / np.float32(quantized.scales[name]))
        assert np.array_equal(codes, kernel.matrix)


def test_unfolded_kernels_hold_the_centroids():
    model = shuffled(ResNet(depth=8).build(Spec.of_images((8, 8, 1), 10, STATISTICS)))
    centroids = np.float32([-1, -0.25, 0, 0.5, 1])
    names = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    for name in names:
        layer = model.get_layer(name)
        weights = layer.get_weights()
        layer.set_weights([np.random.default_rng(2).choice(centroids, weights[0].shape), *weights[1:]])
    folded, factor = fold(model), factors(model)
    clustered = {name: Clusters(centroids=tuple(centroids.tolist()), scales=tuple(factor[name])) for name in factor}
    found = unfold(folded, clustered)
    assert all(set(np.unique(found.get_layer(name).kernel)) <= set(centroids) for name in names)
    expected = model(images(model)).numpy()
    scale = np.abs(expected).max()
    assert np.abs(found(images(model)).numpy() - expected).max() < 1e-5 * scale
    assert np.abs(fold(found)(images(model)).numpy() - expected).max() < 1e-5 * scale


@pytest.mark.parametrize(
    ("source", "steps", "message"),
    [
        ("pruned", ["tfmot_prune:sparsity=0.9"], "tfmot_prune: the weights are pruned already"),
        ("pruned", ['tfmot_cluster:skip=["logits"]'], "logits is pruned and not clustered"),
        ("clustered", ["tfmot_cluster:clusters=4"], "the weights are clustered already"),
        ("float", ["tfmot_cluster:clusters=100"], "fewer than the 100 clusters"),
        ("float", ['tfmot_prune:optimizer={"kind":"muon"}'], "Expected sgd"),
    ],
)
def test_what_tfmot_cannot_do_is_one_error(run, source, steps, message, request):
    source = source if source == "float" else request.getfixturevalue(source)
    with pytest.raises(InputError, match=message):
        tkit.compress(run, steps, variant=source)
