"""A generator from its recipe to a device: trained, looked at, measured, resumed, compressed, exported."""

import json
import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

import tkit
from tests.tkit.test_json_documents import OF_IMAGES
from tests.tkit.test_resume import Stop, assert_same, dying
from tkit.recipe_loading import load
from tkit.run_folder import Run
from tkit_edge import check
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError

SMALL = ("fit.epochs=3", "model.width=8", "task.latent=8", "fit.checkpoint.steps=5", "fit.steps_per_execution=5")
LOOSE = ("export.parity.distance=9", "export.parity.psnr=10", "export.parity.agreement=0")
"""Bounds that a generator of three epochs keeps."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tkit.fit(load("dcgan_digits", [*SMALL, *LOOSE]), runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def exported(whole):
    tkit.export(whole, overrides=["export.formats=float32,int8"])
    return whole


def test_a_run_keeps_its_judge_its_discriminator_and_what_it_looked_like(whole):
    files = {path.relative_to(whole.folder).as_posix() for path in whole.folder.rglob("*")}
    assert {"judge/judge.json", "float/companion.npz", "samples/epoch-0003.png"} <= files
    assert any(name.startswith("samples/film.") for name in files)
    header, *rows = (whole.folder / "history.csv").read_text().splitlines()
    assert {"loss", "discriminator_loss", "distance"} <= set(header.split(","))
    assert len(rows) == 3


def test_a_run_that_died_goes_on_as_if_it_had_not(whole, tmp_path):
    with pytest.raises(Stop):
        tkit.fit(load("dcgan_digits", [*SMALL, *LOOSE]), runs_dir=tmp_path, callbacks=(dying(1, 9),))
    cut = tkit.fit(resume=Run.open(tmp_path / "dcgan_digits-1"))
    assert_same(cut, whole)
    for name in ("float/companion.npz", "judge/weights.npz", "samples/epoch-0001.png", "samples/epoch-0003.png"):
        assert (cut.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name


def test_evaluate_says_the_distance_beside_its_floor(whole):
    found = tkit.evaluate(whole)
    assert found.keys() >= OF_IMAGES
    assert found["distance"] > found["floor"] > 0
    assert 0 <= found["precision"] <= 1
    assert 0 <= found["recall"] <= 1
    assert found["samples"] == 359


def test_its_bundle_makes_the_same_images_here_as_on_a_device(exported):
    bundle = Bundle.read(exported.folder / "float" / "export")
    assert bundle.task == "image-generation"
    assert (bundle.input.kind, bundle.output.kind) == ("noise", "image")
    assert not any(outcome.failed for outcome in check.check(bundle))
    figures = exported.manifest["stages"]["float/export"]["metrics"]["int8"]
    assert figures["psnr"] > 20
    assert figures["distance"] > 0


def test_it_is_benched_without_a_score(exported):
    found = tkit.bench(exported, overrides=["bench.seconds=0.05"])
    assert all(item["p50_ms"] > 0 and item["score"] is None for item in found["metrics"]["results"])


def test_fine_tuning_has_the_discriminator_and_keeps_its_promises(whole):
    steps = ["prune:sparsity=0.5,epochs=1", "quantize:aware=true,epochs=1"]
    found = tkit.compress(whole, steps)
    first, pruned, quantized = found["metrics"]["ledger"]
    assert pruned["nonzero"] / pruned["weights"] == pytest.approx(0.5, abs=0.02)
    assert all(row["distance"] > 0 for row in (first, pruned, quantized))
    exported = tkit.export(whole, variant=found["variant"], overrides=["export.formats=int8"])
    assert "int8" in exported["metrics"]


def test_commands_of_a_classifier_say_what_is_for_a_generator(exported):
    with pytest.raises(InputError, match="sample"):
        tkit.predict(exported, ["7.png"])
    with pytest.raises(InputError, match="mirror"):
        tkit.evaluate(exported, mirror=True)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["fit.early_stopping=3"], "early_stopping=3 waits for a better validation loss"),
        (["data.augment=mixup"], "mixes images"),
        (["data.labels=classes", "data.balance=weights"], "balance=oversample"),
        (["data.image_size=30"], "divisible by 4"),
        (["model=cnn"], "Models that fit: dcgan"),
        (["data=texts:source=sentences,labels=none"], "learns from images"),
    ],
)
def test_what_cannot_be_generated_is_refused(overrides, message, tmp_path):
    with pytest.raises(InputError, match=message):
        tkit.fit("dcgan_digits", overrides=overrides, runs_dir=tmp_path)
    assert not list(tmp_path.iterdir())


def squares(folder, count, side=12):
    """Pictures of one bright square each, somewhere."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(len(folder.name))
    for number in range(count):
        pixels = np.zeros((side, side), np.uint8)
        top, left = random.integers(0, side - 4, 2)
        pixels[top : top + 4, left : left + 4] = random.integers(128, 255)
        PIL.Image.fromarray(pixels).save(folder / f"{number}.png")


def test_a_folder_without_classes_is_enough_and_is_judged_by_rotations(tmp_path):
    squares(tmp_path / "images", 60)
    settings = (*SMALL, "data.image_size=8", "fit.epochs=1", "data.batch_size=16")
    run = tkit.fit("dcgan_digits", overrides=[*settings, f"data.source={tmp_path / 'images'}"], runs_dir=tmp_path)
    assert json.loads((run.folder / "judge" / "judge.json").read_text())["kind"] == "rotations"


def test_a_folder_of_class_folders_makes_images_of_a_class(tmp_path):
    for name in ("one", "other"):
        squares(tmp_path / "images" / name, 40)
    settings = (*SMALL, *LOOSE, "data.image_size=8", "fit.epochs=1", "data.batch_size=16", "data.labels=classes")
    run = tkit.fit("dcgan_digits", overrides=[*settings, f"data.source={tmp_path / 'images'}"], runs_dir=tmp_path)
    assert run.input.classes == ("one", "other")
    tkit.export(run, overrides=["export.formats=int8"])
    command = [sys.executable, "-m", "tkit_edge", "sample", str(run.folder / "float" / "export")]
    subprocess.run([*command, "--num", "4", "--class", "other", "--out", str(tmp_path / "grid.png")], check=True)
    assert PIL.Image.open(tmp_path / "grid.png").size > (16, 16)


def test_images_smaller_than_the_network_makes_are_refused(tmp_path):
    squares(tmp_path / "images", 60)
    settings = ["data.image_size=16", f"data.source={tmp_path / 'images'}"]
    with pytest.raises(InputError, match="up to 12x12 and the network makes 16x16"):
        tkit.fit("dcgan_digits", overrides=settings, runs_dir=tmp_path / "runs")


def test_one_image_is_refused(tmp_path):
    squares(tmp_path / "images", 1)
    with pytest.raises(InputError, match="at least 3"):
        tkit.fit("dcgan_digits", overrides=[f"data.source={tmp_path / 'images'}"], runs_dir=tmp_path / "runs")
