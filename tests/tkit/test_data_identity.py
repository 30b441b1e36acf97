"""A run's data: every stage compares it with what the model was made with; overrides and dry runs of the Python API."""

import json
import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import tkit
from tkit.recipe_loading import load, with_late_overrides
from tkit.run_folder import Run
from tkit_edge.errors import InputError

QUICK = ("fit.epochs=1", "bench.seconds=0.05", "model.width=8", "model.depth=1", "export.formats=float32")


def images(folder, shift=0, classes=("a", "b", "c")):
    random = np.random.default_rng(shift)
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for index in range(20):
            pixels = random.normal(40 + 80 * number, 10, (8, 8, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return folder


def own_run(place, **arguments):
    overrides = [*QUICK, f"data.source={place}", "data.image_size=8,8", "data.batch_size=16"]
    return tkit.fit("cifar10_cnn", overrides=overrides, **arguments)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run that was trained with a relative path, from the folder above its data."""
    top = tmp_path_factory.mktemp("identity")
    images(top / "here" / "images")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(top / "here")
        run = own_run("images", runs_dir=top / "runs")
    return run


def copy_of(made, tmp_path):
    """The run and its data, somewhere else, and the run told where its data is."""
    shutil.copytree(made.folder.parents[1] / "here" / "images", tmp_path / "images")
    shutil.copytree(made.folder, tmp_path / "run")
    return Run.open(tmp_path / "run"), [f"data.source={tmp_path / 'images'}"]


def test_the_manifest_has_the_datas_absolute_place_and_digest(made, tmp_path, monkeypatch):
    entry = made.entry("fit")["data"]
    assert entry["source"] == str(made.folder.parents[1] / "here" / "images")
    assert len(entry["sha256"]) == 64
    images(tmp_path / "images", shift=1)
    monkeypatch.chdir(tmp_path)  # where another folder is called the same
    assert tkit.export(made)["metrics"]["float32"]["samples"] > 0


def test_a_renamed_class_is_refused_with_both_lists_by_every_stage(made, tmp_path):
    run, moved = copy_of(made, tmp_path)
    tkit.export(run, overrides=moved)
    run.keep_recipe(with_late_overrides(run.recipe, moved))
    (tmp_path / "images" / "a").rename(tmp_path / "images" / "z")
    before = json.loads((run.folder / "manifest.json").read_text())
    stages = [
        lambda: tkit.export(run),
        lambda: tkit.bench(run),
        lambda: tkit.compress(run, ["prune:sparsity=0.5,epochs=1"]),
        lambda: tkit.why_int8(run),
        lambda: tkit.evaluate(run),
        lambda: tkit.evaluate(run, format="float32"),
    ]
    for stage in stages:
        with pytest.raises(InputError, match=r"expected 3 \(a, b, c\), received 3 \(b, c, z\)"):
            stage()
    assert json.loads((run.folder / "manifest.json").read_text()) == before


def test_other_images_in_the_same_place_are_refused_and_moved_ones_taken(made, tmp_path):
    run, moved = copy_of(made, tmp_path)
    assert tkit.export(run, overrides=moved)["metrics"]
    shutil.rmtree(tmp_path / "images")
    images(tmp_path / "images", shift=7)
    with pytest.raises(InputError, match=r"not those that .* was made with .*data\.source=PATH"):
        tkit.export(run, overrides=moved)


def test_a_model_file_with_changed_data_is_another_run(tmp_path):
    place = images(tmp_path / "images")
    layers = [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3)]
    keras.Sequential(layers).save(tmp_path / "own.keras")

    def adopted():
        return tkit.adopt(tmp_path / "own.keras", data=str(place), runs_dir=tmp_path / "runs").folder.name

    assert (adopted(), adopted()) == ("own-1", "own-1")
    (place / "a" / "0.png").unlink()
    assert adopted() == "own-2"


def test_overrides_count_without_resume_too(tmp_path):
    run = tkit.fit("digits_cnn", overrides=["fit.epochs=1", "model.width=8"], runs_dir=tmp_path)
    assert run.recipe.fit.epochs == run.entry("fit")["metrics"]["epochs"] == 1
    other = tkit.fit(load("digits_cnn"), overrides=["fit.epochs=2", "model.width=8"], runs_dir=tmp_path)
    assert other.entry("fit")["metrics"]["epochs"] == 2


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda run: tkit.fit(resume=run, runs_dir="elsewhere"), "runs_dir"),
        (lambda run: tkit.fit(resume=run, dry_run=True), "dry_run"),
        (lambda run: tkit.evaluate(run.folder, pixels="0-1"), "pixels"),
        (lambda run: tkit.predict(run, ["x.png"], pixels="0-1"), "pixels"),
    ],
)
def test_an_argument_without_a_use_is_refused(made, call, argument):
    with pytest.raises(InputError, match=f"has no use for {argument}"):
        call(made)


THREADS = """
import os, sys
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])
import tkit
run = tkit.fit("digits_cnn", overrides=["fit.epochs=1", *sys.argv[3:]], runs_dir=sys.argv[2])
print(run.entry("fit")["threads"])
"""


def test_machines_of_different_size_agree_with_one_number_of_threads(tmp_path):
    def weights(cores, *overrides, **variables):
        command = [sys.executable, "-c", THREADS, str(cores), str(tmp_path), *overrides]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **variables}, timeout=600)
        assert done.stdout.split()[-1] == "2", done.stderr
        return next(iter(sorted(tmp_path.glob("*/float/weights.npz"))[-1:])).read_bytes()

    assert weights(1, "fit.threads=2") == weights(2, TKIT_THREADS="2")


def test_a_wrong_number_of_threads_is_one_message(tmp_path, monkeypatch):
    monkeypatch.setenv("TKIT_THREADS", "many")
    with pytest.raises(InputError, match="TKIT_THREADS='many': expected a number of threads from 1 to"):
        tkit.fit("digits_cnn", runs_dir=tmp_path)


def test_a_dry_run_is_a_fact_and_no_matter_of_a_name(tmp_path):
    named = load("digits_cnn", ["name=dry-beans", "fit.epochs=3", "model.width=8", "bench.seconds=0.05"])
    run = tkit.run(named, overrides=["export.formats=float32"], runs_dir=tmp_path)
    assert not run.dry_run
    assert run.entry("fit")["metrics"]["epochs"] == 3
    (row,) = {item["score"]["samples"] for item in run.entry("bench")["metrics"]["results"] if item["score"]}
    assert row == 359


def test_a_dry_run_reads_the_data_that_it_was_given(tmp_path):
    one = images(tmp_path / "one", classes=("a",))
    with pytest.raises(InputError, match="only one class"):
        own_run(one, dry_run=True, runs_dir=tmp_path)
    run = own_run(images(tmp_path / "three"), dry_run=True, runs_dir=tmp_path)
    assert run.dry_run
    assert run.output.names == ("a", "b", "c")


def test_a_dry_run_says_what_it_does_not_read(tmp_path, capsys):
    tkit.fit("cifar10_cnn", dry_run=True, runs_dir=tmp_path)
    assert "dry run: tfds:cifar10 is not read; synthetic images" in capsys.readouterr().err
