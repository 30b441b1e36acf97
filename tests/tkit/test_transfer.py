"""Transfer learning: backbones, their weights and their preprocessing, frozen and then unfrozen."""

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

import tkit
from tkit.contract import Contract
from tkit.models import Spec, Statistics
from tkit.models.backbone import _NETWORKS, Backbone
from tkit.recipe_loading import load
from tkit.tasks.classification import Classification
from tkit.training import engine
from tkit.training.config import Fit
from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image
from tkit_edge.outputs.classes import Classes
from tkit_pipelines.batches import Batches, in_order
from tkit_pipelines.data.images import Images

STATISTICS = Statistics(120.0, 4000.0)
SIZE = (32, 32, 3)
CONTRACT = Contract(Classification(), Image(*SIZE), Classes(("a", "b", "c")))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A weights file of MobileNetV2, with its network: weights drawn anew, batch statistics too."""
    keras.utils.set_random_seed(5)
    network = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=SIZE)
    path = tmp_path_factory.mktemp("weights") / "net.weights.h5"
    network.save_weights(path)
    return path, network


def originals(count=4):
    return np.random.default_rng(0).integers(0, 256, (count, *SIZE)).astype(np.float32)


def pooled(model, images):
    """What the new head sees."""
    return keras.Model(model.inputs, model.get_layer("pool").output).predict(images, verbose=0)


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in _NETWORKS if name != "MobileNetV2"]


@pytest.mark.parametrize("name", ["MobileNetV2", *SLOW])
def test_every_backbone_computes_what_keras_does_after_its_own_preprocessing(name, tmp_path):
    keras.utils.set_random_seed(3)
    network = getattr(keras.applications, name)(include_top=False, weights=None, input_shape=SIZE, pooling="avg")
    network.save_weights(tmp_path / "x.weights.h5")
    made = Backbone(name=name, weights=str(tmp_path / "x.weights.h5")).build(Spec.of_images(SIZE, 3, STATISTICS))
    assert made.output_shape == (None, 3)
    assert not any(isinstance(layer, keras.Model) for layer in made.layers)
    modules = {
        "EfficientNetB0": "efficientnet",
        "EfficientNetV2B0": "efficientnet_v2",
        "MobileNet": "mobilenet",
        "MobileNetV2": "mobilenet_v2",
        "ResNet50": "resnet50",
        "ResNet50V2": "resnet_v2",
    }
    module = getattr(keras.applications, modules.get(name, "mobilenet_v3"))
    images = originals()
    if name == "EfficientNetB0":  # what weights="imagenet" adds to its layers: see backbone.py
        stem = network.get_layer("stem_conv")
        stem.kernel.assign(stem.kernel.numpy() / np.sqrt([[0.229], [0.224], [0.225]]))
    expected = network.predict(module.preprocess_input(images.copy()), verbose=0)
    np.testing.assert_allclose(pooled(made, images), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_local_weights_are_really_loaded_from_every_kind_of_file(weights, tmp_path):
    path, network = weights
    network.save(tmp_path / "net.keras")
    network.save_weights(tmp_path / "old.weights.h5")
    for file in (path, tmp_path / "net.keras"):
        made = Backbone(weights=str(file)).build(Spec.of_images(SIZE, 3, STATISTICS))
        np.testing.assert_array_equal(made.get_layer("Conv1").kernel, network.get_layer("Conv1").kernel)
    scratch = Backbone(weights=None).build(Spec.of_images(SIZE, 3, STATISTICS))
    assert not np.array_equal(scratch.get_layer("Conv1").kernel, network.get_layer("Conv1").kernel)
    assert all(layer.trainable for layer in scratch.layers)


def test_wrong_weights_are_refused_with_their_shapes(weights, tmp_path):
    path, _ = weights
    other = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=SIZE, alpha=0.35)
    other.save_weights(tmp_path / "narrow.weights.h5")
    with pytest.raises(InputError, match=r"doesn't fit MobileNetV2: .*\(3, 3, 3, 16\).*first of shape \(3, 3, 3, 32\)"):
        Backbone(weights=str(tmp_path / "narrow.weights.h5")).build(Spec.of_images(SIZE, 3, STATISTICS))
    with pytest.raises(InputError, match="doesn't fit ResNet50"):
        Backbone(name="ResNet50", weights=str(path)).build(Spec.of_images(SIZE, 3, STATISTICS))
    (tmp_path / "damaged.weights.h5").write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="weights are damaged"):
        Backbone(weights=str(tmp_path / "damaged.weights.h5")).build(Spec.of_images(SIZE, 3, STATISTICS))
    with pytest.raises(InputError, match="no such file"):
        Backbone(weights="nowhere.weights.h5").build(Spec.of_images(SIZE, 3, STATISTICS))


def test_weights_that_lie_in_another_file_are_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(4 * 3 * 3 * 3 * 32))
    with h5py.File(tmp_path / "links.weights.h5", "w") as file:
        group = file.create_group("layers/conv2d/vars")
        group.create_dataset("0", (3, 3, 3, 32), "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
    with pytest.raises(InputError, match="is stored in another file"):
        Backbone(weights=str(tmp_path / "links.weights.h5")).build(Spec.of_images(SIZE, 3, STATISTICS))


def test_without_a_network_imagenet_says_where_else_weights_come_from(monkeypatch, tmp_path):
    from keras.src.utils import file_utils

    def unreachable(*_, **__):
        raise Exception("URL fetch failure on https://storage.googleapis.com/x: None -- no route to host")

    monkeypatch.setattr(file_utils, "urlretrieve", unreachable)
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path))
    with pytest.raises(InputError, match=r"could not be downloaded: URL fetch failure.*model.weights=PATH"):
        Backbone().build(Spec.of_images(SIZE, 3, STATISTICS))


def test_grey_or_small_images_are_refused():
    with pytest.raises(InputError, match="set data.channels=3"):
        Backbone(weights=None).build(Spec.of_images((32, 32, 1), 3, STATISTICS))
    with pytest.raises(InputError, match=r"data.image_size=\(16, 16\): .*at least 32x32"):
        Backbone(weights=None).build(Spec.of_images((16, 16, 3), 3, STATISTICS))


class Watch(keras.callbacks.Callback):
    """The backbone's first kernel and moving mean, and the head's bias, after each epoch."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        layers = self.model.get_layer("Conv1"), self.model.get_layer("bn_Conv1"), self.model.get_layer("logits")
        self.seen.append([layer.get_weights()[position] for layer, position in zip(layers, (0, 2, 1), strict=True)])


def one_hot(columns):
    return tf.one_hot(columns["label"], 3)


def trained(path, **settings):
    data = Images(source="synthetic:3", image_size=SIZE[:2], batch_size=32)
    splits = data.load(0)
    keras.utils.set_random_seed(1)
    model = Backbone(weights=str(path), dropout=0.0).build(Spec.of_images(SIZE, 3, STATISTICS))
    watch = Watch()
    batches, validation = Batches(splits.train, data, one_hot, 0), in_order(splits.validation, data, one_hot)
    outcome = engine.train(model, batches, validation, Fit(**settings), CONTRACT, callbacks=[watch], max_steps=2)
    return model, watch.seen, outcome


def test_the_backbone_stands_still_and_then_learns(weights):
    path, network = weights
    model, seen, outcome = trained(
        path,
        epochs=3,
        freeze_epochs=2,
        optimizer="sgd:learning_rate=0.8",
        schedule="cosine",
        ema=0.5,
        precision="float32",
    )
    start = network.get_layer("Conv1").get_weights()[0], network.get_layer("bn_Conv1").get_weights()[2]
    for epoch in (0, 1):
        np.testing.assert_array_equal(seen[epoch][0], start[0])
        np.testing.assert_array_equal(seen[epoch][1], start[1])
    assert not np.array_equal(seen[0][2], seen[1][2])
    assert not np.array_equal(seen[2][0], start[0])
    assert not np.array_equal(seen[2][1], start[1])
    rates = [row["learning_rate"] for row in outcome.history]
    expected = [0.05 * (1 + np.cos(np.pi * share)) * factor for share, factor in ((1 / 3, 1), (2 / 3, 0.1), (1, 0.1))]
    np.testing.assert_allclose(rates, expected, atol=1e-6)
    assert len(outcome.history) == 3
    assert all(layer.trainable for layer in model.layers)


def test_without_freeze_epochs_the_backbone_stays_frozen_and_the_head_learns(weights):
    path, network = weights
    model, seen, _ = trained(path, epochs=2, optimizer="adamw:learning_rate=0.01")
    for layer in network.layers:
        if layer.weights:
            for kept, original in zip(model.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True):
                np.testing.assert_array_equal(kept, original)
    assert not np.array_equal(seen[0][2], seen[1][2])


def test_a_backbone_goes_through_fit_and_export_with_weighted_classes(weights, tmp_path):
    overrides = [
        f"model=backbone:name=MobileNetV2,weights={weights[0]}",
        "data.source=synthetic:3",
        "data.image_size=32,32",
        "data.channels=3",
        "data.augment=[]",
        "data.balance=weights",
        "fit.epochs=2",
        "fit.freeze_epochs=1",
        "fit.optimizer.learning_rate=1e-3",
        'export.formats=["float32"]',
    ]
    run = tkit.fit(load("digits_cnn", overrides), runs_dir=tmp_path)
    assert run.entry("fit")["metrics"]["epochs"] == 2
    figures = tkit.export(run)["metrics"]["float32"]
    assert figures["max_difference"] < 1e-3


def test_freeze_epochs_for_a_model_that_has_nothing_frozen_is_refused():
    with pytest.raises(InputError, match=r"fit.freeze_epochs=1, but the model has no frozen layers"):
        data = Images(source="synthetic:3", image_size=(32, 32), batch_size=32)
        splits = data.load(0)
        model = Backbone(weights=None).build(Spec.of_images(SIZE, 3, STATISTICS))
        validation = in_order(splits.validation, data, one_hot)
        engine.train(model, Batches(splits.train, data, one_hot, 0), validation, Fit(freeze_epochs=1), CONTRACT)
