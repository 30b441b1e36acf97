"""What isn't the model's any more is taken away or refused, and a model that is far worse than recorded is an alarm."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

import tkit
from tkit import model_files
from tkit.cli import main
from tkit.run_folder import Run
from tkit_edge.errors import BoundError, InputError

PRUNE = "prune:sparsity=0.5,epochs=1"
SETTINGS = (
    *("fit.epochs=8", "model.width=8", "model.depth=1", "export.formats=float32", "bench.seconds=0.02"),
    *("data.image_size=8", "data.batch_size=16", "bench.kernels=xnnpack", "bench.threads=1"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trained run and a pruned variant of it, of images that are told apart by their brightness."""
    top = tmp_path_factory.mktemp("outdated")
    for number, name in enumerate("abc"):
        (top / "images" / name).mkdir(parents=True)
        for index in range(40):
            pixels = np.random.default_rng(40 * number + index).normal(40 + 80 * number, 10, (8, 8, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(top / "images" / name / f"{index}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TKIT_CACHE", str(top / "cache"))
        made = tkit.fit("cifar10_cnn", overrides=[*SETTINGS, f"data.source={top / 'images'}"], runs_dir=top / "runs")
        assert made.entry("fit")["metrics"]["val_accuracy"] > 0.9
        tkit.compress(made, [PRUNE])
        yield made


def problems(run):
    return [f"{item.what} {item.remedy}" for item in tkit.doctor(run).problems]


def made_anew(run):
    """Other weights in the `float` variant, as a training anew would leave them."""
    folder = run.folder / "float"
    model = model_files.load(folder)
    model.set_weights([value * np.float32(1.001) for value in model.get_weights()])
    facts = {key: run.entry("fit", "float")[key] for key in ("metrics", "seconds", "input", "output", "data")}
    run.finish("fit", "float", outputs=model_files.save(model, folder), **facts)
    run.finish("compress", "prune-0.5", **compressed(run))  # stays the newest


def compressed(run):
    entry = run.entry("compress", "prune-0.5")
    outputs = [run.folder / name for name in entry["outputs"]]
    return {**{key: entry[key] for key in ("metrics", "seconds", "source", "steps")}, "outputs": outputs}


def test_a_failed_gate_takes_the_earlier_export_away_and_prints_its_figures(run, capsys):
    tkit.export(run, variant="float")
    tkit.bench(run, variant="float")
    capsys.readouterr()
    command = ["export", str(run.folder), "--variant", "float", "--json", "export.parity.float32=1e-30"]
    for earlier in (True, False):
        with pytest.raises(SystemExit) as stopped:
            main(command)
        assert stopped.value.code == 3
        printed = capsys.readouterr()
        document = json.loads(printed.out)
        assert (document["kind"], set(document["figures"])) == ("past-bound", {"float32"})
        assert document["figures"]["float32"]["bytes"] > 1000
        assert "bound 1e-30" in printed.err
        assert ("earlier export was taken away" in printed.err) is earlier
        assert not (run.folder / "float" / "export").exists()
    left = Run.open(run.folder)
    assert not {"float/export", "float/bench"} & set(left.manifest["stages"])
    assert not (run.folder / "float" / "bench").exists()
    with pytest.raises(InputError, match="no finished float/export"):
        tkit.bench(left, variant="float")
    assert problems(left) == []


def test_formats_that_all_miss_a_bound_are_a_missed_bound(run):
    tkit.export(run, variant="float")
    with pytest.raises(BoundError, match="earlier export was taken away"):
        tkit.export(run, variant="float", skip_failed=True, overrides=["export.parity.float32=1e-30"])


def test_an_export_of_an_earlier_model_is_refused_by_every_reader(run):
    run = Run.open(run.folder)
    tkit.export(run, variant="float")
    tkit.bench(run, variant="float")
    tkit.evaluate(run, variant="float")
    assert problems(run) == []
    made_anew(run)
    image = next((run.folder.parents[1] / "images").rglob("*.png"))
    readers = [
        lambda: tkit.bench(run, variant="float"),
        lambda: tkit.evaluate(run, variant="float", format="float32"),
        lambda: tkit.predict(run, [image], variant="float"),
        lambda: run.whole("export", "float"),
    ]
    for read in readers:
        with pytest.raises(InputError, match=rf"float/export was made of .* tkit export {run.folder} --variant float"):
            read()
    found = problems(run)
    for stage in ("export", "bench", "evaluate"):
        assert any(
            f"float/{stage} was made of another" in item and f"tkit {stage} {run.folder}" in item for item in found
        )
    resumed = tkit.run(resume=run)
    assert run.whole("export", "float")
    tkit.evaluate(resumed, variant="float")
    assert problems(resumed) == []


def test_a_variant_that_is_compressed_anew_has_no_export_any_more(run, capsys):
    run = Run.open(run.folder)
    tkit.export(run, variant="prune-0.5")
    run.keep_recipe(run.recipe.model_copy(update={"data": run.recipe.data.model_copy(update={"batch_size": 8})}))
    weights = run.folder / "prune-0.5" / "weights.npz"
    before = weights.read_bytes()
    weights.write_bytes(b"damaged")
    tkit.compress(run, [PRUNE])
    assert weights.read_bytes() != before
    assert "made of an earlier model" in capsys.readouterr().err
    assert "prune-0.5/export" not in run.manifest["stages"]
    assert not (run.folder / "prune-0.5" / "export").exists()


@pytest.mark.parametrize("variant", ["float", "prune-0.5"])
def test_a_model_far_below_its_recorded_accuracy_is_an_alarm(run, variant):
    run = Run.open(run.folder)
    tkit.export(run, variant=variant)
    images = run.folder.parents[1] / "images"
    run.manifest["stages"]["float/fit"].pop("data")  # as runs of before had none to compare

    def swap():
        for old, new in (("a", "kept"), ("b", "a"), ("kept", "b")):
            (images / old).rename(images / new)

    swap()
    try:
        with pytest.raises(BoundError, match=r"accuracy of 3.*; .* was recorded when it was made.*order") as error:
            tkit.export(run, variant=variant)
        assert error.value.figures["keras"]["interval"][1] < error.value.figures["keras"]["recorded"] - 0.05
        assert f"{variant}/export" not in run.manifest["stages"]
    finally:
        swap()


def test_an_adopted_model_at_chance_is_warned_of_at_adoption_and_at_export(run, tmp_path, capsys):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([*layers, keras.layers.Dense(3)])
    # Lines over the brightness that are highest for dark (a), middle (b) and bright images (c).
    lines, offsets = np.array([[-1, 0, 1]] * 3, np.float32), np.array([0.95, 0, -1.9], np.float32)
    for name, order in (("right", [0, 1, 2]), ("wrong", [1, 2, 0])):
        model.layers[-1].set_weights([lines[:, order], offsets[order]])
        model.save(tmp_path / f"{name}.keras")
        made = tkit.adopt(
            tmp_path / f"{name}.keras",
            data=str(run.folder.parents[1] / "images"),
            runs_dir=tmp_path / "runs",
            overrides=["export.formats=float32"],
        )
        adopted = capsys.readouterr().err
        tkit.export(made)
        exported = capsys.readouterr().err
        recorded = made.entry("adopt")["metrics"]
        assert recorded["accuracy"] == (1.0 if name == "right" else 0.0)
        for said in (adopted, exported):
            assert ("can't be told from chance (33.33%)" in said) is (name == "wrong")
