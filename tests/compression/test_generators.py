"""Generators of images on the whole way to a file: converted, quantized, pruned, clustered, narrowed; and judged."""

import keras
import numpy as np
import pytest

from tkit.arrays import predicted
from tkit.compression.channels.groups import groups
from tkit.compression.channels.narrowing import mask, narrow
from tkit.compression.cost import cost
from tkit.compression.ledger import Ledger
from tkit.compression.proofs import proofs
from tkit.compression.steps.channels import Channels
from tkit.compression.steps.cluster import Cluster
from tkit.compression.steps.prune import Prune
from tkit.compression.steps.quantize import Quantize
from tkit.compression.workbench import Workbench
from tkit.contract import Contract
from tkit.conversion import process
from tkit.conversion.config import FORMATS, Export
from tkit.conversion.converter import Converter, file_outputs
from tkit.conversion.golden import golden_samples
from tkit.conversion.quantized import convert_quantized, converted
from tkit.models import Spec
from tkit.models.dcgan import DCGAN
from tkit.promises import Kept, State
from tkit.quantization.graph import quantized
from tkit.tasks.generation import Generation
from tkit.training.config import Fit
from tkit.training.engine import train
from tkit.training.optimizers.adamw import AdamW
from tkit.training.optimizers.sgd import SGD
from tkit_edge import bundle_writing, flatbuffer
from tkit_edge.accuracy import Interval
from tkit_edge.bundle import Bundle
from tkit_edge.check import check, check_inputs
from tkit_edge.errors import InputError
from tkit_edge.outputs import Measure
from tkit_edge.runtime import Model
from tkit_edge.score import Score
from tkit_edge.tensors import bound
from tkit_pipelines.data.images import Images

BUILTIN = {"GATHER", "CONCATENATION", "FULLY_CONNECTED", "RESHAPE", "TRANSPOSE_CONV", "TANH"}
EDGES = {"QUANTIZE", "DEQUANTIZE"}
OPTIMIZER = AdamW(learning_rate=1e-3, weight_decay=0.0, beta_1=0.5)
FIT = Fit(epochs=3, optimizer=OPTIMIZER, precision="float32")


class Brightness:
    """A ruler: how far the images' mean is from that of real ones."""

    measure = Measure("distance", share=False, higher_is_better=False)

    def __init__(self, real):
        self.real = float(np.mean(real / 127.5 - 1))

    def value(self, outputs):
        return abs(float(np.mean(outputs["image"])) - self.real)

    def score(self, outputs):
        value = self.value(outputs)
        return Score("distance", False, value, (0.9 * value, 1.1 * value), len(outputs["image"]))

    def drop(self, before, after):
        found = self.value(after) - self.value(before)
        return found, Interval(found - 0.001, found + 0.001)

    def ratio(self, before, after):
        found = self.value(after) / self.value(before)
        return found, Interval(found - 0.001, found + 0.001)


class Made:
    """A generator that was trained a little, its discriminator, and what steps get to work with."""

    def __init__(self, labels):
        keras.utils.set_random_seed(0)
        data = Images(source="digits", image_size=(8, 8), channels=1, batch_size=64, labels=labels)
        task = Generation(latent=8)
        splits = task.prepared(data.load(0), 0)
        contract = Contract.of(task, splits)._replace(ruler=Brightness(splits.validation.images))
        spec = Spec(contract.input.tensors, contract.output.tensors, {}, contract.input.sizes)
        self.model, discriminator = DCGAN(width=8).build(spec), DCGAN(width=8).companion(spec)
        self.companions = []

        def companion():
            again = keras.models.clone_model(discriminator)
            again.set_weights(discriminator.get_weights())
            self.companions.append(again)
            return again

        self.discriminator, self.input, self.output = discriminator, contract.input, contract.output
        self.work = Workbench(
            data=data, fit=FIT, export=Export(), seed=0, splits=splits, contract=contract, companion=companion
        )
        train(self.model, self.work.batches, None, FIT, contract, companion=discriminator)
        self.state = State(self.model, Kept())
        self.examples = self.input.drawn(64, seed=1)
        self.expected = predicted(self.model, self.examples, self.output.tensors, 64)

    def files(self, formats, io="int8"):
        """The files of the generator by format, and the flatbuffer and outputs of each."""
        calibration, names = self.work.calibration(200), file_outputs(self.output)
        with Converter(self.model, calibration, io=io, outputs=names) as convert:
            made = {fmt: convert(fmt) for fmt in formats}
        return made, {
            fmt: (flatbuffer.read(data), process.outputs(data, self.examples, self.input, self.output))
            for fmt, data in made.items()
        }

    def outputs(self, data, kernels="xnnpack"):
        return bound(Model(data, kernels=kernels), self.input.tensors, self.output.tensors)(self.examples)

    def psnr(self, outputs):
        return self.output.quality(self.expected, outputs)["psnr"]


@pytest.fixture(scope="module")
def plain():
    return Made("none")


@pytest.fixture(scope="module")
def conditional():
    return Made("classes")


@pytest.fixture(params=["plain", "conditional"])
def made(request):
    return request.getfixturevalue(request.param)


def proven(made, state, formats=("float32", "int8")):
    """The proofs of a state's promises in its files."""
    with Converter(state.model, made.work.calibration(200), io="int8", outputs=file_outputs(made.output)) as convert:
        found = [
            proofs(converted(convert, fmt, state.kept, sparse=True), fmt, state.kept, state.model) for fmt in formats
        ]
    return [proof for items in found for proof in items]


def test_every_format_has_builtin_operators_only_and_makes_the_same_images(made):
    _, found = made.files(FORMATS)
    for fmt, (graph, outputs) in found.items():
        assert {operator.name for operator in graph.operators} <= (BUILTIN if fmt == "int8" else BUILTIN | EDGES)
        assert made.psnr(outputs) > {"float32": 90, "float16": 60}.get(fmt, 35)


@pytest.mark.parametrize("io", ["int8", "uint8", "float32"])
def test_an_int8_file_has_integers_only_the_scale_of_tanh_and_its_label_as_it_is(conditional, io):
    _, found = conditional.files(["int8"], io)
    graph, outputs = found["int8"]
    noise, label = (graph.tensors[index] for index in graph.inputs)
    (image,) = (graph.tensors[index] for index in graph.outputs)
    assert (noise.dtype, image.dtype) == (io, io)
    assert (label.dtype, label.shape, len(label.scales)) == ("int32", (1,), 0)
    if io != "float32":
        assert (image.scales.tolist(), image.zero_points.tolist()) == ([1 / 128], [{"int8": 0, "uint8": 128}[io]])
    assert conditional.psnr(outputs) > 35


def test_a_bundle_holds_golden_samples_that_a_device_makes_again(conditional, tmp_path):
    models, _ = conditional.files(["float32", "int8"])
    shown = conditional.work.splits.validation.take(np.arange(4))
    golden = golden_samples(shown, conditional.input, conditional.output, originals=False)
    bundle_writing.write(
        tmp_path / "bundle",
        task="image-generation",
        input=conditional.input,
        output=conditional.output,
        models=models,
        examples=golden.inputs,
        targets=golden.targets,
        encoded=golden.encoded,
    )
    bundle = Bundle.read(tmp_path / "bundle")
    assert [item.outcome.same for item in check(bundle)] == [4, 4]
    assert check_inputs(bundle).failed == ()


def test_the_quantized_graph_gives_the_images_of_the_file(made):
    state = Quantize().apply(made.state, made.work)
    assert not any(isinstance(layer, keras.layers.BatchNormalization) for layer in state.model.layers)
    data = convert_quantized(state.model, state.kept, "int8", ("image",))
    names = {operator.name for operator in flatbuffer.read(data).operators}
    assert names <= BUILTIN | {"MUL"}  # which brings a class's values to the noise's scale
    graph = predicted(quantized(state.model, state.kept.quantized), made.examples, made.output.tensors, 64)
    for kernels in ("reference", "xnnpack"):
        steps = np.abs(made.outputs(data, kernels)["image"] - graph["image"]) * 128
        assert np.mean(steps < 0.5) > 0.9  # a code before tanh is several after it
        assert steps.mean() < 0.3
    assert made.psnr(graph) > 35


def test_aware_quantization_trains_against_a_fresh_discriminator(made):
    before, known = len(made.companions), [weight.copy() for weight in made.discriminator.get_weights()]
    step = Quantize(aware=True, epochs=1)
    state = step.apply(made.state, made.work)
    (companion,) = made.companions[before:]
    assert any((one != other).any() for one, other in zip(known, companion.get_weights(), strict=True))
    assert all((one == other).all() for one, other in zip(known, made.discriminator.get_weights(), strict=True))
    alone = Quantize().apply(made.state, made.work)
    assert any(
        (one != other).any() for one, other in zip(state.model.get_weights(), alone.model.get_weights(), strict=True)
    )
    assert [proof for proof in proven(made, state, ["int8"]) if not proof.holds] == []


@pytest.mark.parametrize(
    "step",
    [
        Prune(sparsity=0.6, epochs=1),
        Prune(pattern="2:4", epochs=1),
        Prune(block=(4, 1), epochs=1),
        Cluster(clusters=8, epochs=1),
    ],
    ids=lambda step: step.label,
)
def test_zeros_and_shared_weights_are_in_the_files(plain, step):
    state = step.apply(plain.state, plain.work)
    found = proven(plain, state)
    assert {proof.layer for proof in found} == {"project", "stage1", "image"}
    assert [proof for proof in found if not proof.holds] == []
    if isinstance(step, Prune) and step.pattern:
        kernel = state.model.get_layer("stage1").kernel.numpy()  # [height, width, out, in]
        assert np.count_nonzero(kernel.reshape(-1, 4), axis=1).max() <= 2


def test_a_projection_may_have_four_bits_and_a_transposed_convolution_not(plain):
    state = Quantize(int4=("project",)).apply(plain.state, plain.work)
    assert [proof.holds for proof in proven(plain, state, ["int8"]) if "4-bit" in proof.promise] == [True]
    with pytest.raises(InputError, match="'stage1' can't have weights of 4 bits"):
        Quantize(int4=("stage1",)).apply(plain.state, plain.work)


def test_channels_are_removed_through_the_reshape_behind_a_projection(made):
    found = {group.name: group for group in groups(made.model)}
    assert {name: group.width for name, group in found.items()} == {"project": 16, "stage1": 8, "image": 1}
    assert found["image"].unprunable_reason == "they are the model's outputs"
    assert found["project"].unprunable_reason is None
    keep = {"project": np.arange(3, 9), "stage1": np.array([0, 5])}
    smaller, zeroed = narrow(made.model, keep), mask(made.model, keep)
    assert smaller.get_layer("project").units == 6 * 4
    assert smaller.get_layer("stage1").kernel.shape == (4, 4, 2, 6)
    given, wanted = (predicted(model, made.examples, made.output.tensors, 64)["image"] for model in (smaller, zeroed))
    np.testing.assert_allclose(given, wanted, atol=1e-5)


def test_channels_are_ranked_by_the_discriminator_and_the_narrow_file_is_proven(made, monkeypatch):
    model = keras.models.clone_model(made.model)
    model.set_weights(made.model.get_weights())
    kernel = model.get_layer("image").kernel.numpy()  # [height, width, out, in]
    kernel[..., 2] = kernel[..., 5] = 0  # nobody sees these two channels
    model.get_layer("image").kernel.assign(kernel)
    kept = {}
    narrowed = lambda model, keep: kept.update(keep) or narrow(model, keep)  # noqa: E731
    monkeypatch.setattr("tkit.compression.channels.pruning.narrow", narrowed)
    widths = {"project": 8, "stage1": 6}
    state = Channels(widths=widths, samples=128, epochs=1).apply(State(model, Kept()), made.work)
    assert kept["stage1"].tolist() == [0, 1, 3, 4, 6, 7]
    assert state.model.get_layer("image").kernel.shape == (4, 4, 1, 6)
    assert state.kept.shapes["project"] == (made.model.get_layer("project").kernel.shape[0], 8 * 4)
    assert [proof for proof in proven(made, state) if not proof.holds] == []


def test_the_ledger_and_the_cost_are_the_ruler_s(plain):
    darker = keras.models.clone_model(plain.model)
    darker.set_weights(plain.model.get_weights())
    darker.get_layer("image").bias.assign(darker.get_layer("image").bias + 3.0)
    worse = State(darker, Kept())
    ledger = Ledger(plain.work)
    ledger.add("float", plain.state)
    ledger.add("worse", worse, cost(plain.state, worse, plain.work))
    ledger.measure()
    first, last = ledger.rows
    assert last["distance"] > first["distance"] + 0.5
    assert last["drop"] == pytest.approx(last["distance"] - first["distance"])
    assert last["cost"] == pytest.approx(last["drop"], abs=0.05)
    assert (first["drop"], first["samples"]) == (0, len(plain.work.splits.validation))
    assert any("Distance: the int8 file's on" in line for line in ledger.verdicts())
    assert any(line.startswith("Warning: worse costs") and "in distance" in line for line in ledger.verdicts())


def test_two_networks_are_fine_tuned_by_the_run_s_own_optimizer(plain):
    alone = Workbench(
        data=plain.work.data, fit=FIT, export=Export(), seed=0, splits=plain.work.splits, contract=plain.work.contract
    )
    default = SGD(learning_rate=0.1)
    assert plain.work.optimizer(None, lambda: default) == OPTIMIZER
    assert alone.optimizer(None, lambda: default) == default
    assert plain.work.optimizer(default, lambda: OPTIMIZER) == default
