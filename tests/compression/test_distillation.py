"""Distillation, and the other steps with a teacher, on a real run."""

import importlib

import keras
import numpy as np
import pytest

import tkit
from tkit import model_files
from tkit.compression.distillation import Distillation, features_of
from tkit.compression.workbench import Workbench
from tkit.promises import Kept
from tkit.recipe_loading import load
from tkit.stages._compress import settings_of
from tkit.training.engine import train


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    wider = load("digits_cnn", ["fit.epochs=8", "model.width=16"])
    return tkit.fit(wider, runs_dir=tmp_path_factory.mktemp("teacher"))


@pytest.mark.parametrize("settings", ["", ",features=20"])
def test_a_student_comes_nearer_to_its_teacher(run, teacher, settings):
    made = tkit.compress(run, [f"distil:teacher={teacher.folder},epochs=4{settings}"])
    folders = (teacher.folder / "float", run.folder / "float", run.folder / made["variant"])
    before, after = distances(run, *folders)
    assert after < 0.9 * before


def test_the_loss_is_the_divergence_from_the_teacher(run, teacher):
    splits = run.recipe.data.load(seed=0)
    work = Workbench(**settings_of(run, splits))
    images = splits.validation.images.astype(np.float32)
    student = model_files.load(run.folder / "float")
    losses = []
    for teaches in (run, teacher):
        lesson = Distillation(str(teaches.folder), student, work, temperature=1.0, weight=1.0)
        losses.append(float(lesson(images, np.eye(10)[splits.validation.labels], student(images), ())))
    apart = distances(run, teacher.folder / "float", run.folder / "float")
    assert losses == pytest.approx([0.0, *apart], rel=0.02, abs=1e-3)


def distances(run, teacher, *students):
    """How far from the teacher's classes each student's are: mean relative entropy on the validation images."""
    images = run.recipe.data.load(seed=0).validation.images.astype(np.float32)
    taught, *said = (keras.ops.softmax(model_files.load(folder)(images)).numpy() for folder in (teacher, *students))
    return [np.mean(np.sum(taught * (np.log(taught + 1e-9) - np.log(one + 1e-9)), axis=1)) for one in said]


def test_a_pruned_model_learns_from_what_it_was(run, pruned):
    made = tkit.compress(run, ["distil:epochs=4"], variant=pruned["variant"])
    assert made["variant"] == "prune-0.75+distil"
    folders = [run.folder / name for name in ("float", pruned["variant"], made["variant"])]
    before, after = distances(run, *folders)
    assert after < 0.9 * before
    kept = Kept.read(folders[2])
    model = model_files.load(folders[2])
    assert kept.pruned
    for name, share in kept.pruned.items():
        assert np.mean(model.get_layer(name).kernel.numpy() == 0) >= share >= 0.75


@pytest.mark.parametrize(
    "step",
    [
        "prune:sparsity=0.8,epochs=4",
        "cluster:clusters=4,epochs=4,optimizer=sgd:learning_rate=0.05",
        "quantize:aware=true,epochs=4",
    ],
)
def test_a_taught_step_comes_nearer_to_what_the_model_was(run, pruned, step):
    alone, taught = (
        tkit.compress(run, [step + more], variant=pruned["variant"])["variant"] for more in ("", ",teacher=self")
    )
    before, after = distances(run, *(run.folder / name for name in ("float", alone, taught)))
    assert after < 0.95 * before


def test_without_an_optimizer_of_its_own_a_step_trains_as_the_run_did(run, pruned, monkeypatch):
    seen = []

    def watching(model, batches, validation, settings, contract, **keywords):
        seen.append(settings)
        return train(model, batches, validation, settings, contract, **keywords)

    monkeypatch.setattr(importlib.import_module("tkit.compression.workbench"), "train", watching)
    for optimizer in ("", ",as_run=true"):
        tkit.compress(run, [f"distil:epochs=1,temperature=3{optimizer}"], variant=pruned["variant"])
    own = run.recipe.fit
    assert [item.optimizer == own.optimizer for item in seen] == [False, True]
    assert [(item.schedule, item.lookahead) == (own.schedule, own.lookahead) for item in seen] == [False, True]


def test_features_bring_the_student_s_likenesses_nearer_to_the_teacher_s(run, teacher):
    images = run.recipe.data.load(seed=0).validation.images.astype(np.float32)

    def likeness(folder):
        model = model_files.load(folder)
        given = np.asarray(keras.Model(model.inputs[0], model.get_layer(features_of(model)).output)(images))
        flat = given.reshape(len(given), -1)
        return flat @ flat.T / np.linalg.norm(flat @ flat.T, axis=1, keepdims=True)

    taught = likeness(teacher.folder / "float")
    apart = []
    for settings in ("", ",features=20"):
        made = tkit.compress(run, [f"distil:teacher={teacher.folder},epochs=4{settings}"])
        apart.append(np.mean((likeness(run.folder / made["variant"]) - taught) ** 2))
    assert apart[1] < 0.8 * apart[0]
