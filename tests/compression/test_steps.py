"""The compression steps and their stage, on a real run; what they promise is read from the exported flatbuffer."""

import importlib
import json
import re

import keras
import numpy as np
import pytest

import tkit
from tkit import model_files
from tkit.compression.proofs import proofs
from tkit.compression.steps.prune import Prune
from tkit.conversion.quantized import convert_quantized
from tkit.kernels.centroids import codebook, kmeans
from tkit.kernels.exported import kernels
from tkit.kernels.recentre import Recentre
from tkit.kernels.scales import rounded_up
from tkit.kernels.viewed import view
from tkit.promises import Kept
from tkit.recipe_loading import load
from tkit.training.engine import train
from tkit_edge import flatbuffer
from tkit_edge.errors import InputError
from tkit_edge.graph import unpacked_from, values
from tkit_edge.runtime import Model


def exported(run, variant, fmt="int8"):
    tkit.export(run, variant=variant)
    return (run.folder / variant / "export" / f"model-{fmt}.tflite").read_bytes()


def proven(run, variant, fmt="int8", data=None):
    """The proofs of a variant's promises in its file, or in another one's."""
    folder = run.folder / variant
    data = exported(run, variant, fmt) if data is None else data
    return proofs(data, fmt, Kept.read(folder), model_files.load(folder))


def conv_kernels(data):
    graph = flatbuffer.read(data)
    sources = unpacked_from(graph)
    numbers = [item.inputs[1] for item in graph.operators if item.name == "CONV_2D"]
    return [graph.tensors[sources.get(number, number)] for number in numbers]


def test_every_kernel_has_its_share_of_zeros_in_the_file(run, pruned):
    for fmt in ("float32", "int8"):
        data = exported(run, pruned["variant"], fmt)
        for tensor in conv_kernels(data):
            assert np.mean(values(tensor) == 0) >= 0.75
        found = proven(run, pruned["variant"], fmt, data)
        assert len(found) == 5
        assert all(proof.holds for proof in found)


def test_a_float_file_is_stored_without_its_zeros_unless_that_is_not_wanted(run, pruned):
    images = run.recipe.data.load(run.recipe.seed).validation.images
    answers = {}
    for sparse in ("true", "false"):
        tkit.export(run, variant=pruned["variant"], overrides=[f"export.sparse={sparse}"])
        folder = run.folder / pruned["variant"] / "export"
        data = (folder / "model-float32.tflite").read_bytes()
        stored = [tensor.sparsity is not None for tensor in conv_kernels(data)]
        assert set(stored) == {sparse == "true"}
        answers[sparse] = len(data), Model(data).predict(images)
        assert all(tensor.sparsity is None for tensor in conv_kernels((folder / "model-int8.tflite").read_bytes()))
    assert answers["true"][0] < 0.6 * answers["false"][0]
    np.testing.assert_array_equal(answers["true"][1], answers["false"][1])


def test_a_file_without_the_zeros_is_caught(run, pruned):
    found = proven(run, pruned["variant"], data=exported(run, "float"))
    assert found
    assert not any(proof.holds for proof in found)


def test_the_ledger_says_what_pruning_did_not_buy(pruned):
    first, last = pruned["metrics"]["ledger"]
    assert last["nonzero"] <= 0.26 * last["weights"]
    assert last["zip_bytes"] < 0.7 * first["zip_bytes"]
    assert last["bytes"] == pytest.approx(first["bytes"], rel=0.01)
    assert last["p50_ms"] > 0
    said = pruned["metrics"]["verdicts"][0]
    assert "int8 file no smaller" in said
    assert re.search(r"float32 file [3-6]\d% smaller", said)
    assert first["samples"] == 143


def test_a_second_pruning_keeps_the_first_ones_zeros(run, pruned):
    made = tkit.compress(run, [Prune(sparsity=0.5, epochs=1)], variant=pruned["variant"])
    before, after = (model_files.load(run.folder / variant) for variant in (pruned["variant"], made["variant"]))
    assert [row["step"] for row in made["metrics"]["ledger"]] == ["float", pruned["variant"], "prune-0.5"]
    for name in Kept.read(run.folder / pruned["variant"]).pruned:
        gone = before.get_layer(name).kernel.numpy() == 0
        assert np.mean(gone) >= 0.75
        assert not after.get_layer(name).kernel.numpy()[gone].any()


def test_clusters_keep_the_zeros(run, pruned):
    made = tkit.compress(run, ["cluster:clusters=8,epochs=1"], variant=pruned["variant"])
    assert made["variant"] == "prune-0.75+cluster-8"
    folder = run.folder / made["variant"]
    kept = Kept.read(folder)
    assert all(len(clusters.centroids) <= 8 for clusters in kept.clustered.values())
    found = proven(run, made["variant"], "float32")
    assert len(found) == 10
    assert all(proof.holds for proof in found)
    for name, clusters in kept.clustered.items():
        layer = model_files.load(folder).get_layer(name)
        shared = layer.kernel.numpy() / np.float32(clusters.scales)
        assert len(np.unique(np.round(shared, 3))) <= 8
        assert np.mean(shared == 0) >= 0.75


def test_all_layers_share_one_set_of_codes(run, pruned):
    steps = ["cluster:clusters=7,scope=global,epochs=1", "quantize:aware=true,epochs=1"]
    made = tkit.compress(run, steps, variant=pruned["variant"])["variant"]
    kept = Kept.read(run.folder / made)
    data = exported(run, made)
    found = kernels(flatbuffer.read(data), model_files.load(run.folder / made))
    tensors = {name: kernel.tensor for name, [kernel] in found.items()}
    assert len(tensors) == 5
    assert 4 <= len(np.unique(np.concatenate([values(tensor).ravel() for tensor in tensors.values()]))) <= 7
    assert all(np.mean(values(tensors[name]) == 0) >= 0.75 for name in kept.pruned)
    assert all(proof.holds for proof in proven(run, made, data=data))


def test_a_file_is_the_same_however_many_layers_keras_has_named_before(run, pruned):
    made = tkit.compress(run, ["cluster:clusters=8,epochs=1", "quantize"], variant=pruned["variant"])["variant"]
    model, kept = model_files.load(run.folder / made), Kept.read(run.folder / made)
    first = convert_quantized(model, kept, "uint8")
    assert "RESHAPE" in {operator.name for operator in flatbuffer.read(first).operators}  # around the dense layer
    keras.layers.Reshape((1,))
    assert convert_quantized(model, kept, "uint8") == first


def test_a_codebook_and_its_scales_find_what_is_there():
    random = np.random.default_rng(0)
    codes = np.array([-1.0, -0.6, 0.0, 0.3, 1.0], np.float32)
    shapes = [(1, 1, 1, 8), (1, 6)]
    scales = [127 * rounded_up(random.uniform(0.001, 0.1, shape)) for shape in shapes]
    kernels = [random.choice(codes, (3, 3, 4, 8)), random.choice(codes, (40, 6))]
    kernels = [(kernel * scale).astype(np.float32) for kernel, scale in zip(kernels, scales, strict=True)]
    centroids, found = codebook(kernels, shapes, 5, "kmeans++", zero=True, seed=0)
    assert np.allclose(centroids, codes, atol=1e-3)
    assert all(np.allclose(*pair, rtol=1e-6) for pair in zip(found, scales, strict=True))


def test_scales_of_four_bits_are_no_smaller_and_at_most_an_eighth_larger():
    scales = np.random.default_rng(0).uniform(1e-6, 10, 1000).astype(np.float32)
    rounded = rounded_up(scales)
    mantissas, _ = np.frexp(rounded)
    assert np.all(mantissas * 16 == np.round(mantissas * 16))
    assert np.all((rounded >= scales) & (rounded <= scales * 1.125))


@pytest.mark.parametrize(("step", "moves"), [(0, False), (20, True)])
def test_an_epoch_begins_in_the_middle_of_the_clusters(step, moves):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="logits")])
    layer = view(model, {"logits": [("clustered", {"clusters": 3, "fixed": True})]}).get_layer("logits")
    layer.views["clustered"].centroids.assign([-0.5, 0.0, 0.5])
    before, shared = layer.raw.numpy(), np.asarray(layer.kernel)
    Recentre([layer]).epoch_begins(step)
    assert set(np.unique(shared)) <= {-0.5, 0.0, 0.5}
    assert np.array_equal(layer.raw.numpy(), shared if moves else before)


def test_two_of_four_holds_in_the_file_along_the_inputs(run):
    made = tkit.compress(run, ["prune:pattern=2:4,epochs=1"])
    assert made["variant"] == "prune-2of4"
    kept = Kept.read(run.folder / "prune-2of4")
    assert "stage1_1_conv" not in kept.pruned  # 9 inputs
    found = kernels(flatbuffer.read(exported(run, "prune-2of4")), model_files.load(run.folder / "prune-2of4"))
    assert len(kept.pruned) >= 4
    for tensor in (kernel.tensor for name in kept.pruned for kernel in found[name]):
        groups = values(tensor).reshape(tensor.shape[0], -1, 4)
        assert (groups == 0).sum(axis=2).min() >= 2


def test_blocks_and_a_global_threshold(run):
    made = tkit.compress(run, [Prune(sparsity=0.5, block="4x2", epochs=1)])
    model = model_files.load(run.folder / made["variant"])
    kernel = model.get_layer("stage2_2_conv").kernel.numpy()
    blocks = kernel.reshape(-1, 4, kernel.shape[-1] // 2, 2)
    zeros = (blocks == 0).mean(axis=(1, 3))
    assert set(np.unique(zeros)) == {0.0, 1.0}
    made = tkit.compress(run, [Prune(sparsity=0.5, scope="global", epochs=1, skip=("dense",))])
    assert made["variant"] == "prune-0.5-2"  # the name was taken by other settings
    last = made["metrics"]["ledger"][-1]
    model = model_files.load(run.folder / made["variant"])
    convs = [layer.kernel.numpy() for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    shares = [np.mean(kernel == 0) for kernel in convs]
    assert sum(np.sum(kernel == 0) for kernel in convs) / sum(kernel.size for kernel in convs) == pytest.approx(
        0.5, abs=0.01
    )
    assert max(shares) - min(shares) > 0.05
    assert last["codes"]["logits"] > 50


def test_the_same_steps_are_not_done_twice(run, pruned):
    before = (run.folder / pruned["variant"] / "weights.npz").stat().st_mtime_ns
    again = tkit.compress(run, [Prune(sparsity=0.75, epochs=2)])
    assert again["finished"] == pruned["finished"]
    assert (run.folder / pruned["variant"] / "weights.npz").stat().st_mtime_ns == before


def test_a_compression_that_died_goes_on_as_if_it_had_not(quick, tmp_path, monkeypatch):
    steps = ["prune:sparsity=0.5,epochs=2", "cluster:clusters=16,epochs=1"]
    runs = [
        tkit.fit(load("digits_cnn", [*quick, "fit.checkpoint.steps=20"]), runs_dir=tmp_path / name)
        for name in ("whole", "cut")
    ]
    whole = tkit.compress(runs[0], steps)

    class Dies(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations.numpy()) >= 30:
                raise RuntimeError("killed")

    def dying(*arguments, callbacks, **options):
        return train(*arguments, callbacks=(*callbacks, Dies()), **options)

    with monkeypatch.context() as patch:
        patch.setattr(importlib.import_module("tkit.compression.workbench"), "train", dying)
        with pytest.raises(RuntimeError, match="killed"):
            tkit.compress(runs[1], steps)
    assert list((runs[1].folder / whole["variant"] / "checkpoints").rglob("*.checkpoint"))
    assert f"{whole['variant']}/compress" not in runs[1].manifest["stages"]
    tkit.compress(runs[1], steps)
    ours, theirs = (model_files.load(item.folder / whole["variant"]).get_weights() for item in runs)
    assert all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (["prun:sparsity=0.5"], "Did you mean 'prune'"),
        (["prune:sparsity=1.0"], "less than 1"),
        (["prune:sparsity=0.5,skip=conv9"], "no layer or kind of that name"),
        (["prune:pattern=4:2"], "0 < N < M"),
        (['cluster:clusters=200,skip=["conv2d"]', "cluster:clusters=1"], "greater than or equal to 2"),
        (["distil:teacher=nowhere"], "No run at nowhere"),
        (["distil"], "can't learn from itself"),
        ([], "No compression steps"),
    ],
)
def test_what_cannot_be_done_is_one_error(run, steps, message):
    with pytest.raises(InputError, match=message):
        tkit.compress(run, steps)


def test_an_exported_file_is_not_compressed_again(tmp_path):
    with pytest.raises(InputError, match="neither trained nor compressed any more"):
        tkit.compress(tmp_path / "model.tflite", ["quantize"])


def test_a_kernel_with_fewer_weights_than_clusters_keeps_them(run):
    made = tkit.compress(run, ["cluster:clusters=100,epochs=1", "quantize"])["variant"]
    kept = Kept.read(run.folder / made)
    counts = {name: len(clusters.centroids) for name, clusters in kept.clustered.items()}
    assert min(counts.values()) <= 72 < 90 < max(counts.values()) <= 100
    tkit.export(run, variant=made, overrides=["export.formats=int8"])  # which proves what is kept


def test_kmeans_finds_clusters_that_are_there():
    random = np.random.default_rng(0)
    centres = np.array([-0.8, -0.1, 0.3, 0.9])
    points = (random.choice(centres, 2000) + random.normal(0, 0.01, 2000)).astype(np.float32)
    for start in ("kmeans++", "density", "linear"):
        assert np.allclose(kmeans(points, 4, start, zero=False, seed=1), centres, atol=0.01)
    with_zeros = np.concatenate([points, np.zeros(1000, np.float32)])
    found = kmeans(with_zeros, 5, "kmeans++", zero=True, seed=1)
    assert 0.0 in found
    assert np.allclose(found[found != 0], centres, atol=0.01)
    assert list(kmeans(np.float32([0.5, -1, 0, 0.5]), 16, "kmeans++", zero=True, seed=1)) == [-1, 0, 0.5]
    assert list(kmeans(np.zeros(4, np.float32), 16, "linear", zero=True, seed=1)) == [0]


def test_the_command_prints_one_document(run, capsys):
    from click.testing import CliRunner

    from tkit.cli._group import Group

    result = CliRunner().invoke(Group(), ["compress", str(run.folder), "prune:sparsity=0.9,epochs=1", "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["variant"] == "prune-0.9"
    assert document["metrics"]["ledger"][-1]["step"] == "prune-0.9"
