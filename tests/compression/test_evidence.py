"""Promises read from files of models that the converter renames, fuses and rescales; and from damaged files."""

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from tensorflow.lite.python import schema_py_generated as schema

import tkit
from tkit import model_files
from tkit.compressible.rounding import Rounding, fixed_scales, rounded
from tkit.compression.proofs import proofs
from tkit.conversion.converter import Converter
from tkit.conversion.edited import _Builder
from tkit.conversion.quantized import convert_quantized, converted
from tkit.kernels.exported import kernels
from tkit.passes.folding import fold
from tkit.promises import Clusters, Kept
from tkit.quantization.ranges import ranges
from tkit_edge import flatbuffer
from tkit_edge.graph import values

FORMATS = ("float32", "float16", "dynamic", "int8", "int16x8")
CLUSTERS = 6
STEPS = ["prune:sparsity=0.5,epochs=1", f"cluster:clusters={CLUSTERS},epochs=1"]
EASY = ["export.formats=float32,float16,int8", "export.parity.agreement=0", "export.parity.drop=1"]


def shared_layers(inputs):
    """A scale that goes into the first kernel, layers called twice, and the usual head behind a Flatten."""
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="first")(layers.Rescaling(1 / 255)(inputs))
    conv, norm = layers.Conv2D(6, 3, padding="same", use_bias=False, name="conv"), layers.BatchNormalization()
    for _ in range(2):
        x = layers.ReLU()(norm(conv(x)))
    depthwise = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")
    x = layers.Flatten()(layers.MaxPooling2D(4)(depthwise(depthwise(x))))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(12, use_bias=False, name="hidden")(x)))
    twice = layers.Dense(12, activation="relu", use_bias=False, name="twice")
    return layers.Dense(3, name="last")(twice(twice(x)))


def towers(inputs):
    """One nested model for two crops, a transposed and a separable convolution, inputs that are scaled before Dense."""
    block = [keras.Input((16, 8, 3)), layers.Conv2D(6, 3, use_bias=False, name="conv"), layers.BatchNormalization()]
    tower = keras.Sequential([*block, layers.ReLU(), layers.Conv2D(6, 3, activation="relu", name="conv2")])
    x = layers.Rescaling(1 / 127.5, -1)(inputs)
    x = layers.Concatenate()([tower(layers.Cropping2D(((0, 0), sides))(x)) for sides in ((0, 8), (8, 0))])
    x = layers.Conv2DTranspose(6, 3, strides=2, use_bias=False, name="transposed")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.SeparableConv2D(6, 3, depth_multiplier=2, activation="relu", name="separable")(x)
    x = layers.BatchNormalization()(layers.GlobalAveragePooling2D()(x))
    return layers.Dense(6, activation="relu", name="hidden")(x)


NETWORKS = {"shared": shared_layers, "towers": towers}


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    """Of each network the folder of its pruned and clustered variant, behind adoption, compression and export."""
    folder = tmp_path_factory.mktemp("evidence")
    random = np.random.default_rng(0)
    for number in range(240):
        path = folder / "images" / f"class{number % 6}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TKIT_CACHE", str(folder / "cache"))
        patch.setenv("TKIT_RUNS", str(folder / "runs"))
        for name, build in NETWORKS.items():
            keras.utils.set_random_seed(0)
            inputs = keras.Input((16, 16, 3))
            x = build(inputs)
            model = keras.Model(inputs, layers.Dense(6, name="logits")(x))
            for variable in model.weights:
                if variable.name in ("gamma", "moving_variance"):
                    variable.assign(random.uniform(0.3, 2.0, variable.shape))
            model.save(folder / f"{name}.keras")
            run = tkit.adopt(folder / f"{name}.keras", data=str(folder / "images"))
            variant = tkit.compress(run, STEPS)["variant"]
            tkit.export(run, variant=variant, overrides=EASY)
            made[name] = run.folder / variant
    return made


@pytest.fixture(scope="module")
def exported(variants):
    """By network and format the file, with its zeros in it, what it promises and the model that it was made from."""
    found = {}
    images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    for name, folder in variants.items():
        model, kept = model_files.load(folder), Kept.read(folder)
        with Converter(model, {"image": images}, io="int8") as convert:
            found.update({(name, fmt): (converted(convert, fmt, kept, sparse=False), kept, model) for fmt in FORMATS})
    return found


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("fmt", FORMATS)
def test_what_was_promised_holds_in_every_format(exported, network, fmt):
    data, kept, model = exported[network, fmt]
    able = {layer.name for layer in model.layers if getattr(layer, "kernel", None) is not None}
    assert len(able) >= 6
    assert kept.pruned.keys() == kept.clustered.keys() == able
    judged = proofs(data, fmt, kept, model)
    assert len(judged) == 2 * len(able)
    assert [proof for proof in judged if not proof.holds] == []


def test_clusters_are_codes_in_an_int8_file_of_layers_that_are_called_twice(variants):
    model, kept = (read(variants["shared"]) for read in (model_files.load, Kept.read))
    images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    folded = fold(model)
    made = rounded(folded, kept, ranges(folded, {"image": images}, "minmax"), Rounding(fixed_scales(folded, kept, ())))
    data = convert_quantized(made.model, made.kept, "int8")
    assert [proof for proof in proofs(data, "int8", made.kept, made.model) if not proof.holds] == []
    found = kernels(flatbuffer.read(data), made.model)
    for name in ("conv", "depthwise", "twice"):
        [kernel] = found[name]
        assert len(np.unique(kernel.matrix)) <= CLUSTERS
        broken = damaged(data, kernel.number, one_value_more)
        judged = proofs(broken, "int8", made.kept, made.model)
        assert {proof.layer for proof in judged if not proof.holds} == {name}


def damaged(data, index, change):
    """The file with `change` made to the values of a constant."""
    tensor = flatbuffer.read(data).tensors[index]
    changed = values(tensor).copy()
    change(changed)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(data), 0))
    model.buffers[tensor.buffer].data = np.frombuffer(changed.tobytes(), np.uint8)
    builder = _Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def one_zero_less(weights):
    zero = tuple(np.argwhere(weights == 0)[0])
    weights[zero] = np.abs(weights).max() / 2


def one_value_more(weights):
    """In the channel that has most weights: a single one could be any factor's."""
    channels = np.moveaxis(weights, -1 if weights.shape[0] == 1 else 0, 0)
    fullest = channels[np.count_nonzero(channels.reshape(len(channels), -1), axis=1).argmax()]
    fullest[np.unravel_index(np.abs(fullest).argmax(), fullest.shape)] *= 0.83


def noise(weights):
    weights[...] = np.random.default_rng(0).normal(0, np.abs(weights).max() / 3, weights.shape)


def broken_by(change, exported, network, fmt, layer):
    data, kept, model = exported[network, fmt]
    kernel = kernels(flatbuffer.read(data), model)[layer][0]
    judged = proofs(damaged(data, kernel.number, change), fmt, kept, model)
    return {(proof.layer, proof.promise.split()[-1]) for proof in judged if not proof.holds}


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize(
    ("network", "layer"),
    [
        ("shared", "first"),
        ("shared", "conv"),
        ("shared", "depthwise"),
        ("shared", "hidden"),
        ("towers", "transposed"),
        ("towers", "hidden"),  # its inputs are scaled
    ],
)
def test_one_broken_weight_is_found_and_it_is_the_layers(exported, network, layer, fmt):
    assert broken_by(one_zero_less, exported, network, fmt, layer) == {(layer, "zeros"), (layer, "values")}
    assert broken_by(one_value_more, exported, network, fmt, layer) == {(layer, "values")}


@pytest.mark.parametrize("fmt", ["float32", "int8"])
def test_other_weights_altogether_are_no_proof(exported, fmt):
    found = broken_by(noise, exported, "shared", fmt, "conv")
    assert found >= {("conv", "zeros"), ("conv", "values")}


def test_a_file_of_another_model_holds_nothing(exported):
    data, _, _ = exported["towers", "float32"]
    _, kept, model = exported["shared", "float32"]
    judged = proofs(data, "float32", kept, model)
    assert {proof.layer for proof in judged if not proof.holds} >= {"first", "conv", "hidden", "twice"}
    assert "no such kernel" in {proof.found for proof in judged}


def test_equal_kernels_are_one_tensor_and_like_names_are_not_mixed_up():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3), name="image")
    x = inputs
    names = ("conv2d_1", "conv2d", "conv2d_2", "conv2d_1_1")
    for name in names:
        x = layers.Conv2D(3, 3, padding="same", activation="relu", bias_initializer="random_normal", name=name)(x)
    model = keras.Model(inputs, layers.Flatten()(x))
    model.get_layer("conv2d_2").kernel.assign(model.get_layer("conv2d").kernel)
    with Converter(model, None, io="float32") as convert:
        found = kernels(flatbuffer.read(convert("float32")), model)
    assert found.keys() == set(names)
    for name, [kernel] in found.items():
        np.testing.assert_allclose(kernel.matrix, model.get_layer(name).kernel.numpy().reshape(27, 3), rtol=1e-5)
    assert found["conv2d"][0].number == found["conv2d_2"][0].number


def test_a_wider_kernel_breaks_the_promise_of_a_narrow_one(exported):
    data, _, model = exported["shared", "float32"]
    judged = proofs(data, "float32", Kept(shapes={"conv": (3, 3, 6, 6), "hidden": (96, 8)}), model)
    assert [proof.holds for proof in judged] == [True, False]


def test_inputs_of_few_weights_have_factors_of_their_own():
    """Batch normalization in front scales the inputs, hundreds of times apart, of a pruned layer with few channels."""
    inputs = keras.Input((4, 4, 8))
    x = layers.BatchNormalization()(layers.GlobalAveragePooling2D()(layers.ReLU()(inputs)))
    model = keras.Model(inputs, layers.Dense(3, name="dense")(x))
    model.layers[3].gamma.assign([40.2, 60.7, 5.5, 60.1, 29.5, 28.3, 0.1, 35.0])
    kernel = np.zeros((8, 3), np.float32)
    for column, (rows, weights) in enumerate((([1, 6, 7], [-1, -0.5, 0.25]), ([2, 3, 6], [1, 0.25, -0.5]))):
        kernel[rows, column] = weights
    kernel[[0, 1, 4, 5, 6, 7], 2] = [0.25, -0.5, -0.5, 1, 0.25, 0.25]
    model.get_layer("dense").kernel.assign(kernel)
    clusters = Clusters(centroids=(-1.0, -0.5, 0.0, 0.25, 1.0), scales=(1.0, 1.0, 1.0))
    images = np.random.default_rng(0).uniform(0, 255, (10, 4, 4, 8)).astype(np.float32)
    with Converter(model, {"image": images}, io="float32") as convert:
        for fmt in FORMATS:
            [proof] = proofs(convert(fmt), fmt, Kept(clustered={"dense": clusters}), model)
            assert proof.holds, fmt
