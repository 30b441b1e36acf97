"""Quantize: a trained net in int8, by calibration and by training, and what held before."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from tkit.compressible.quantized import Calibrated
from tkit.compressible.schedule import ScheduleOfCopy
from tkit.compression.proofs import proofs
from tkit.compression.steps.quantize import Quantize
from tkit.conversion.quantized import convert_quantized
from tkit.kernels.scales import scale_shape
from tkit.kernels.viewed import with_kernels
from tkit.passes.folding import fold
from tkit.promises import Clusters, Kept, State
from tkit.quantization.graph import quantized, quantizers
from tkit.training.checkpoint import Checkpoints
from tkit.training.optimizers.adamw import AdamW
from tkit.training.saving import Saving
from tkit_edge import flatbuffer
from tkit_edge.errors import InputError
from tkit_edge.runtime import Model


def shared(model, clusters=8):
    """`model` half pruned, and its weights shared by channel; what holds of it."""
    pruned, clustered = {}, {}
    centroids = np.linspace(-0.9, 0.9, clusters - 1, dtype=np.float32)
    for layer in with_kernels(model):
        kernel = layer.kernel.numpy()
        shape = scale_shape(layer, kernel.shape)
        axes = tuple(axis for axis, size in enumerate(shape) if size == 1)
        scales = np.abs(kernel).max(axis=axes, keepdims=True)
        nearest = np.abs((kernel / scales)[..., None] - centroids).argmin(-1)
        small = np.abs(kernel) < np.median(np.abs(kernel))
        layer.kernel.assign(np.where(small, 0, centroids[nearest] * scales))
        pruned[layer.name] = float(np.mean(small))
        clustered[layer.name] = Clusters(
            centroids=tuple(np.unique([*centroids.tolist(), 0.0]).tolist()), scales=tuple(scales.ravel().tolist())
        )
    return State(model, Kept(pruned=pruned, clustered=clustered))


def kernels_in(data):
    """Codes and scales of the kernels in a file."""
    graph = flatbuffer.read(data)
    place = {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "TRANSPOSE_CONV": 1}
    found = [graph.tensors[item.inputs[place[item.name]]] for item in graph.operators if item.name in place]
    return [(np.frombuffer(tensor.data, np.int8).reshape(tensor.shape), tensor.scales) for tensor in found]


def own_codes(layer, quantized):
    """A layer's codes in the file's layout."""
    kernel = layer.kernel.numpy()
    scales = np.reshape(np.float32(quantized.scales[layer.name]), scale_shape(layer, kernel.shape))
    codes = np.round(kernel / scales)
    np.testing.assert_array_equal(np.float32(codes * scales), kernel)
    if isinstance(layer, layers.DepthwiseConv2D):
        return codes.reshape(1, *codes.shape[:2], -1)
    if isinstance(layer, layers.Conv2DTranspose):
        return codes.transpose(2, 0, 1, 3)
    return np.moveaxis(codes, -1, 0)


def assert_same_codes(model, kept, data):
    inside = kernels_in(data)
    for layer in with_kernels(model):
        codes = own_codes(layer, kept.quantized)
        # A dense layer may have become a 1x1 convolution.
        same = [scales for found, scales in inside if np.array_equal(found.ravel(), codes.ravel())]
        assert same, layer.name
        np.testing.assert_allclose(same[0], kept.quantized.scales[layer.name], rtol=1e-6)


def test_calibration_alone_keeps_a_trained_nets_accuracy_and_the_file_is_what_was_quantized(
    trained, work, images, accuracy
):
    before = [weight.copy() for weight in trained.get_weights()]
    model, kept = Quantize().apply(State(trained, Kept()), work)
    pixels, _ = images
    expected = quantized(model, kept.quantized).predict(pixels.astype(np.float32), verbose=0)
    whole = accuracy(trained.predict(pixels.astype(np.float32), verbose=0))
    assert whole > 0.9
    assert accuracy(expected) > whole - 0.02
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in model.layers)
    for weight, old in zip(trained.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    data = convert_quantized(model, kept, "int8")
    answered = Model(data).predict(pixels)
    assert np.mean(answered.argmax(1) == expected.argmax(1)) >= 0.99
    assert_same_codes(model, kept, data)
    assert {tensor.dtype for tensor in flatbuffer.read(data).tensors} == {"int8", "int32"}


def test_what_is_kept_rebuilds_the_same_answers_from_json(trained, work, images):
    model, kept = Quantize(calibration="percentile", samples=100).apply(State(trained, Kept()), work)
    again = Kept.model_validate(json.loads(kept.model_dump_json()))
    assert again == kept
    pixels = images[0][:50].astype(np.float32)
    np.testing.assert_array_equal(quantized(model, again.quantized)(pixels), quantized(model, kept.quantized)(pixels))
    made = quantizers(quantized(model, kept.quantized))
    assert {name: (float(item.low.numpy()), float(item.high.numpy())) for name, item in made.items()} == {
        name: tuple(np.float32(value) for value in pair) for name, pair in kept.quantized.ranges.items()
    }


@pytest.mark.parametrize("aware", [False, True])
def test_zeros_and_shared_weights_come_into_the_file(trained, work, images, aware):
    state = shared(fold(trained))
    step = Quantize(aware=aware, epochs=1)
    model, kept = step.apply(state, work)
    data = convert_quantized(model, kept, "int8")
    assert_same_codes(model, kept, data)
    by_name = {layer.name: layer for layer in with_kernels(state.model)}
    for layer in with_kernels(model):
        kernel = layer.kernel.numpy()
        assert np.all(kernel[by_name[layer.name].kernel.numpy() == 0] == 0)
        assert np.mean(kernel == 0) >= state.kept.pruned[layer.name]
        codes = np.unique(own_codes(layer, kept.quantized))
        clusters = kept.clustered[layer.name]
        assert len(codes) <= len(clusters.centroids) <= len(state.kept.clustered[layer.name].centroids)
        scales = np.reshape(np.float32(clusters.scales), scale_shape(layer, kernel.shape))
        nearest = np.abs((kernel / scales)[..., None] - np.float32(clusters.centroids)).min(-1)
        assert nearest.max() < 1e-6
    pixels = images[0]
    expected = quantized(model, kept.quantized).predict(pixels.astype(np.float32), verbose=0)
    assert np.mean(Model(data).predict(pixels).argmax(1) == expected.argmax(1)) >= 0.97


def test_training_wins_back_what_coarse_weights_lose(trained, work, images, accuracy):
    state = shared(fold(trained), clusters=4)
    pixels = images[0].astype(np.float32)

    def after(aware):
        step = Quantize(aware=aware, epochs=3, optimizer=AdamW(learning_rate=2e-3, weight_decay=0.0))
        model, kept = step.apply(state, work)
        return accuracy(quantized(model, kept.quantized).predict(pixels, verbose=0))

    assert after(True) > after(False) + 0.02


def test_ranges_move_in_training_and_then_stay(trained, work):
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            made = quantizers(self.model)
            seen.append((float(made["stem_relu"].high.numpy()), float(made["image"].high.numpy())))

    state = State(trained, Kept())
    settings = {"method": "minmax", "input_range": (0.0, 255.0), "float_layers": (), "int4": ()}
    aware = Calibrated.of(state, work.calibration(50), **settings).aware()
    work.train(aware, epochs=2, optimizer=AdamW(learning_rate=1e-3), callbacks=[ScheduleOfCopy(aware), Watch()])
    highs = [high for high, _ in seen]
    until = len(seen) * 3 // 4
    assert len(set(highs[:until])) == until
    assert len(set(highs[until:])) == 1 < len(highs[until:])
    assert {pixels for _, pixels in seen} == {255.0}


def test_interrupted_training_goes_on_as_if_it_had_not_been(trained, work, tmp_path):
    checkpoints = Checkpoints(tmp_path, 2)

    class Dies(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_begin(self, batch, logs=None):
            if self.epoch == 1 and batch >= work.steps_per_epoch // 2:
                raise KeyboardInterrupt

    class Saved(type(work)):
        def __init__(self, start, *own):
            super().__init__()
            self.start, self.own = start, own

        def train(self, model, *, callbacks, **keywords):
            setup = {"recipe": {}, "versions": {}, "threads": 1, "data": "", "precision": "", "machine": None}
            facts = {"setup": setup}
            saving = Saving(checkpoints, steps=5, minutes=None, facts=facts, start=self.start, go_on="")
            return super().train(model, callbacks=[*callbacks, *self.own], saving=saving, **keywords)

    def after(*arguments):
        return Quantize(aware=True, epochs=2).apply(State(trained, Kept()), Saved(*arguments))

    whole, kept = after(None)
    for path in checkpoints.paths():
        path.unlink()
    with pytest.raises(KeyboardInterrupt):
        after(None, Dies())
    start = checkpoints.newest()
    assert start.facts["epoch"] == 1 and start.facts["step"] > 0
    resumed, kept_again = after(start)
    assert kept_again == kept
    for one, other in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def bare(settings):
    """The same without a layer in float."""
    return settings.model_copy(update={"in_float": ()})


def test_a_layer_without_a_rule_computes_in_float_which_is_said_and_may_be_refused(work, capsys):
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, activation=keras.activations.softplus, name="soft")(inputs)
    x = layers.Lambda(lambda tensor: keras.ops.sin(tensor), name="wave")(x)
    model = keras.Model(inputs, layers.Dense(10)(layers.Flatten()(x)))
    with pytest.raises(InputError, match=r"no rule for 'wave' \(Lambda\), the activation softplus of 'soft' .*strict"):
        Quantize(strict=True).check(model, work)
    Quantize().check(model, work)
    said = capsys.readouterr()
    assert "no rule for 'wave' (Lambda), which computes in float" in said.out + said.err
    made, kept = Quantize().apply(State(model, Kept()), work)
    assert kept.quantized.in_float == ("wave", "soft")
    data = convert_quantized(made, kept, "int8")
    assert all(proof.holds for proof in proofs(data, "int8", kept, made))
    strict = kept.model_copy(update={"quantized": bare(kept.quantized)})
    assert not all(proof.holds for proof in proofs(data, "int8", strict, made))
    graph = flatbuffer.read(data)
    names = [operator.name for operator in graph.operators]
    assert names.count("SIN") == 1
    kinds = {item.name: graph.tensors[item.outputs[0]].dtype for item in graph.operators}
    assert kinds["CONV_2D"] == kinds["FULLY_CONNECTED"] == "int8"
    with pytest.raises(InputError, match="'wav', which the model lacks. Did you mean 'wave'"):
        Quantize(float_layers=("wav",)).apply(State(model, Kept()), work)


def test_a_layer_named_in_float_layers_computes_in_float(trained, work, images):
    step = Quantize(float_layers=("stage2_block1_1_conv", "logits"), samples=100)
    model, kept = step.apply(State(trained, Kept()), work)
    assert not {"logits", "stage2_block1_1_conv"} & set(kept.quantized.scales)
    data = convert_quantized(model, kept, "int8")
    graph = flatbuffer.read(data)
    kinds = [
        (operator.name, graph.tensors[operator.inputs[1]].dtype)
        for operator in graph.operators
        if len(operator.inputs) > 1
    ]
    assert kinds.count(("CONV_2D", "float32")) == 1
    assert kinds.count(("FULLY_CONNECTED", "float32")) == 1
    assert kinds.count(("CONV_2D", "int8")) == len(kept.quantized.scales)
    expected = quantized(model, kept.quantized).predict(images[0].astype(np.float32), verbose=0)
    assert np.mean(Model(data).predict(images[0]).argmax(1) == expected.argmax(1)) >= 0.98


def test_too_few_calibration_images_are_refused(trained, work):
    with pytest.raises(InputError, match="samples=4 gives 4 calibration examples for 10 classes"):
        Quantize(samples=4).apply(State(trained, Kept()), work)


def test_ends_may_be_float(trained, work):
    model, kept = Quantize(samples=50).apply(State(trained, Kept()), work)
    graph = flatbuffer.read(convert_quantized(model, kept, "float32"))
    names = [operator.name for operator in graph.operators]
    assert names[0] == "QUANTIZE" and names[-1] == "DEQUANTIZE"
    assert not {"QUANTIZE", "DEQUANTIZE"} & set(names[1:-1])


def test_labels_name_the_variant():
    assert Quantize().label == "int8"
    assert Quantize(aware=True).label == "int8-qat"


def test_a_batch_normalization_that_cannot_be_folded_is_in_the_file_and_trained_around(work):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1), name="image")
    x = layers.Rescaling(1 / 63, -1.0, name="normalize")(inputs)
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="conv")(x)
    y = layers.BatchNormalization(momentum=0.9, name="after_relu")(x)
    x = layers.Concatenate(name="dense_block")([x, layers.Conv2D(16, 3, padding="same", name="more")(y)])
    x = layers.ReLU(name="relu")(layers.BatchNormalization(momentum=0.9, name="before_relu")(x))
    outputs = layers.Dense(10, name="logits")(layers.GlobalAveragePooling2D(name="pool")(x))
    model = keras.Model(inputs, outputs)
    work.train(model, epochs=12, optimizer=AdamW(learning_rate=0.01))
    state = Quantize(aware=True, epochs=2).apply(State(model, Kept()), work)
    data = convert_quantized(state.model, state.kept, "int8")
    assert {tensor.dtype for tensor in flatbuffer.read(data).tensors} <= {"int8", "int32"}
    held_out = work.splits.validation
    right = [
        np.mean(answers.argmax(axis=1) == held_out.labels)
        for answers in (
            model.predict(held_out.images.astype(np.float32), verbose=0),
            Model(data).predict(held_out.images),
        )
    ]
    assert right[0] > 0.9
    assert right[1] > right[0] - 0.03
