"""The diagnosis of int8 on a small trained model with faults that were planted: found first, named, and mended."""

import dataclasses
import json
import re

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from keras import layers

import tkit
from tkit import model_files
from tkit.cli._group import group
from tkit.compression.diagnosis.remedies import written
from tkit.compression.diagnosis.sensitivity import sensitivity_analysis
from tkit.compression.diagnosis.sites import Site, Switches
from tkit.compression.proofs import proofs
from tkit.compression.steps.quantize import Quantize
from tkit.compression.workbench import Workbench
from tkit.conversion.quantized import convert_quantized
from tkit.kernels.exported import kernels
from tkit.passes.folding import fold
from tkit.promises import Kept, State
from tkit.quantization.graph import quantized
from tkit.recipe_loading import load
from tkit.stages._common import load_data
from tkit.stages._compress import settings_of
from tkit_edge import flatbuffer
from tkit_edge.errors import InputError
from tkit_edge.runtime import Model
from tkit_pipelines.config import parse_component

PNG = b"\x89PNG\r\n\x1a\n"
CHANNEL = 3


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    recipe = load("digits_cnn", ("fit.epochs=12", "model.width=8"))
    return tkit.fit(recipe, runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def splits(run):
    return load_data(run.recipe.data, run.recipe.seed)


def work(run, splits):
    return Workbench(**settings_of(run, splits))


def trained(run):
    return model_files.load(run.folder / "float")


def with_constant_channel(model, value, outgoing):
    """One channel of the first convolution is `value` everywhere, and what takes it has the weights `outgoing`."""
    norm, after = model.get_layer("stage1_1_bn"), model.get_layer("stage1_2_conv")
    gamma, beta, kernel = norm.gamma.numpy(), norm.beta.numpy(), after.kernel.numpy()
    gamma[CHANNEL], beta[CHANNEL] = 0, value
    kernel[:, :, CHANNEL] = 0
    kernel[0, 0, CHANNEL] = outgoing
    norm.gamma.assign(gamma)
    norm.beta.assign(beta)
    after.kernel.assign(kernel)
    return model


def with_kernel_outlier(model):
    """A weight in each channel that is 200 times the largest other, of an input that is always 0."""
    kernel = model.get_layer("stage1_2_conv").kernel.numpy()
    return with_constant_channel(model, 0, 200 * np.abs(kernel).max())


def with_activation_outlier(model):
    """A channel that is always 3000, and that nothing reads."""
    return with_constant_channel(model, 3000, 0)


def files(run, splits, model, step):
    made = step.apply(State(model, Kept()), work(run, splits))
    return convert_quantized(made.model, made.kept, "int8"), made


def found(run, splits, model, step=None):
    return sensitivity_analysis(State(model, Kept()), work(run, splits), step or Quantize(), splits.validation)


def test_all_switches_on_is_the_quantized_model_and_all_off_the_float_one(run, splits):
    model, images = trained(run), splits.validation.images
    made = Quantize().apply(State(model, Kept()), work(run, splits))
    switches = Switches(fold(model), made)
    originals = images.astype(np.float32)
    expected = quantized(made.model, made.kept.quantized).predict(originals, verbose=0)

    def outputs(on=()):
        return switches.outputs({"image": images}, run.output.tensors, on)["logits"]

    np.testing.assert_allclose(outputs(switches.sites), expected, atol=1e-4)
    np.testing.assert_allclose(outputs(), model.predict(originals, verbose=0), atol=1e-4)
    alone = outputs([Site("stage1_2_conv", "kernel")])
    assert np.abs(alone - outputs()).max() > 1e-4


@pytest.mark.parametrize(
    ("plant", "site", "layers"),
    [
        (with_kernel_outlier, Site("stage1_2_conv", "kernel"), ("stage1_2_conv", "stage1_2_relu")),
        (
            with_activation_outlier,
            Site("stage1_1_relu", "activations"),
            ("stage1_1_conv", "stage1_1_relu", "stage1_2_conv"),
        ),
    ],
)
def test_a_planted_outlier_ranks_first_and_the_exceptions_win_back_what_it_cost(run, splits, plant, site, layers):
    model = plant(trained(run))
    findings = found(run, splits, model)
    worst = findings.sites[0]
    assert worst.site == site
    assert worst.cause.name == "range outlier"
    assert worst.effect.divergence > 10 * findings.sites[2].effect.divergence
    assert set(layers) <= set(findings.exceptions.float_layers)

    reference = model.predict(splits.validation.images.astype(np.float32), verbose=0).argmax(axis=1)
    agreements = []
    for step in (Quantize(), findings.exceptions):
        data, made = files(run, splits, model, step)
        assert all(proof.holds for proof in proofs(data, "int8", made.kept, made.model))
        answers = Model(data).predict(splits.validation.images).argmax(axis=1)
        agreements.append(np.mean(answers == reference))
    before, after = agreements
    assert before < 0.9
    assert after > 0.97


def darkened(splits, chosen):
    images = np.array(splits.train.images)
    images[chosen] //= 16
    columns = {**splits.train.columns, "image": images}
    return dataclasses.replace(splits, train=dataclasses.replace(splits.train, columns=columns))


def test_calibration_images_darker_than_validation_saturate(run, splits):
    dark = darkened(splits, slice(None))
    findings = found(run, dark, trained(run), Quantize(calibration="minmax"))
    worst = findings.sites[0]
    assert worst.site.part == "activations"
    assert worst.cause.name == "saturation"
    assert worst.cause.measured["outside_validation"] > 10 * worst.cause.measured["outside_calibration"]


def test_too_few_calibration_images_are_named_and_more_are_suggested(run, splits):
    few = Quantize(calibration="minmax", samples=10)
    originals = {image.tobytes() for image in work(run, splits).calibration(10)["image"]}
    chosen = [image.tobytes() in originals for image in splits.train.images]
    findings = found(run, darkened(splits, chosen), trained(run), few)
    worst = findings.sites[0]
    assert worst.cause.name == "too few calibration samples"
    assert "samples=40" in worst.remedy
    assert findings.exceptions.samples == 40
    assert written(findings.exceptions).startswith("quantize:calibration=")


def test_a_float_layer_is_in_float_in_the_file(run, splits):
    step = Quantize.model_validate({"float_layers": "stage1_2_conv+stage1_2_relu"})
    data, made = files(run, splits, trained(run), step)
    found = kernels(flatbuffer.read(data), made.model)
    dtypes = {name: kernel.tensor.dtype for name, [kernel] in found.items()}
    assert dtypes.pop("stage1_2_conv") == "float32"
    assert set(dtypes.values()) == {"int8"}
    assert all(proof.holds for proof in proofs(data, "int8", made.kept, made.model))
    strict = made.kept.quantized.model_copy(update={"float_layers": ()})
    assert not proofs(data, "int8", made.kept.model_copy(update={"quantized": strict}), made.model)[-1].holds


def test_the_command_writes_whole_json_and_a_image(run, tmp_path):
    path = tmp_path / "planted.keras"
    with_kernel_outlier(trained(run)).save(path)
    arguments = ["why-int8", str(path), "--data", "digits", "--pixels", "0-255", "--runs-dir", str(tmp_path)]
    result = CliRunner().invoke(group, [*arguments, "--samples", "100", "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    opened = tkit.Run.open(document["run"])
    folder = opened.folder / "float" / "why-int8"
    assert json.loads((folder / "why-int8.json").read_text()) == document
    assert (folder / "why-int8.png").read_bytes().startswith(PNG)
    assert not list(opened.damage("float/why-int8"))
    worst = document["places"][0]
    assert (worst["layer"], worst["part"], worst["cause"]) == ("stage1_2_conv", "kernel", "range outlier")
    assert document["samples"] == 100
    assert document["with_exceptions"]["accuracy"] > document["int8"]["accuracy"] + 0.1
    assert document["with_exceptions"]["bytes"] > document["int8"]["bytes"]
    assert Quantize.model_validate(parse_component(document["suggested_step"])).float_layers

    text = CliRunner().invoke(group, [*arguments, "--samples", "100"], catch_exceptions=False).stdout
    assert "range outlier" in text
    assert document["suggested_step"] in text


def test_outputs_of_which_nothing_is_known_to_be_right_have_no_score(tmp_path):
    features = keras.Input((6, 4), name="features")
    x = layers.Flatten(name="flat")(layers.Conv1D(8, 3, activation="relu", name="conv")(features))
    keras.Model(features, [layers.Dense(4, name="box")(x), layers.Dense(2, name="size")(x)]).save(
        tmp_path / "own.keras"
    )
    np.savez(tmp_path / "features.npz", features=np.random.default_rng(0).normal(size=(100, 6, 4)).astype(np.float32))
    place = ["--data", str(tmp_path / "features.npz"), "--runs-dir", str(tmp_path)]
    result = CliRunner().invoke(group, ["why-int8", str(tmp_path / "own.keras"), *place], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert re.search(r"^int8: same output \d+\.\d%, [\d,]+ bytes$", result.stdout, re.MULTILINE)
    assert "accuracy" not in result.stdout


def test_the_group_lists_it_by_its_command_name():
    text = CliRunner().invoke(group, ["--help"]).stdout
    assert "why-int8" in text
    assert "why_int8" not in text


def test_mistakes_are_said(run):
    for step, message in (
        ("prune:sparsity=0.5", "looks at quantize"),
        ("quantize:aware=true", "leave aware=true out"),
        ("quantize:calibration=median", "calibration"),
        ("quantize:float_layers=stem", "float_layers names 'stem'"),
    ):
        with pytest.raises(InputError, match=message):
            tkit.why_int8(run, step)
    with pytest.raises(InputError, match="samples=0"):
        tkit.why_int8(run, samples=0)
