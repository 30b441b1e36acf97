"""An interrupted run that goes on is the run that was not interrupted."""

import hashlib
import io
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tkit
from tkit.lock import locked
from tkit.recipe_loading import load
from tkit.run_folder import Run
from tkit.stages import _setup as setup
from tkit.training.checkpoint import Checkpoint, Checkpoints
from tkit_edge.errors import InputError

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SMALL = (
    "model.width=8",
    "model.dropout=0.3",
    "fit.epochs=4",
    "fit.ema=0.9",
    "fit.lookahead=0.5",
    "fit.early_stopping=3",
)
PATIENCE = 600
"""Seconds that only a hang takes, on however busy a machine."""
OFTEN = ("fit.steps_per_execution=3", "fit.checkpoint.steps=5")


class Stop(Exception):
    """Stands for a process that dies."""


def dying(epoch, step):
    """A callback that ends training there, as abruptly as an exception can."""
    import keras

    class Dying(keras.callbacks.Callback):
        def on_epoch_begin(self, number, logs=None):
            self.epoch = number

        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) >= (epoch, step):
                raise Stop

    return Dying()


def rows(run):
    import csv

    with open(run.folder / "history.csv", newline="") as file:
        return [
            {key: value for key, value in row.items() if key not in ("seconds", "images_per_second")}
            for row in csv.DictReader(file)
        ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tkit.fit(load("digits_cnn", [*SMALL, *OFTEN]), runs_dir=tmp_path_factory.mktemp("whole"))


@pytest.fixture
def cut(tmp_path):
    """A run that died in the third epoch."""
    with pytest.raises(Stop):
        tkit.fit(load("digits_cnn", [*SMALL, *OFTEN]), runs_dir=tmp_path, callbacks=(dying(2, 10),))
    return Run.open(tmp_path / "digits_cnn-1")


def assert_same(run, other):
    with (
        np.load(run.folder / "float" / "weights.npz") as ours,
        np.load(other.folder / "float" / "weights.npz") as theirs,
    ):
        assert ours.files == theirs.files
        for name in ours.files:
            np.testing.assert_array_equal(ours[name], theirs[name], name)
    assert rows(run) == rows(other)
    last, expected = (Checkpoints(item.folder / "checkpoints", 2).newest() for item in (run, other))
    assert last.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(last.arrays[name], array, name)


def test_a_run_that_died_goes_on_as_if_it_had_not(cut, whole):
    assert [path.name for path in Checkpoints(cut.folder / "checkpoints", 2).paths()] == [
        "000002-00000.checkpoint",
        "000002-00006.checkpoint",
    ]
    assert_same(tkit.fit(resume=cut), whole)


def test_a_damaged_checkpoint_is_passed_over_with_a_word(cut, whole, capsys):
    newest = Checkpoints(cut.folder / "checkpoints", 2).paths()[-1]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    assert_same(tkit.fit(resume=cut.folder), whole)
    assert re.search(r"000002-00006.checkpoint is damaged \(its checksum doesn't fit\)", capsys.readouterr().err)


def test_a_run_without_a_whole_checkpoint_begins_again(cut, whole):
    for path in Checkpoints(cut.folder / "checkpoints", 2).paths():
        path.write_bytes(path.read_bytes()[:-1])
    assert_same(tkit.fit(resume=cut), whole)


def test_a_finished_run_says_so_and_stays(whole, capsys):
    before = (whole.folder / "manifest.json").read_bytes()
    tkit.fit(resume=whole.folder)
    assert "training is finished" in capsys.readouterr().err
    assert (whole.folder / "manifest.json").read_bytes() == before


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["fit.epochs=9"], r"fit.epochs can't be changed .*export., bench., fit.checkpoint."),
        (["model.width=16"], "model.width can't be changed"),
        (["data.source=synthetic:10"], "the images or their labels are others"),
        (["fit.checkpoint.keep=0"], "fit.checkpoint.keep"),
    ],
)
def test_what_would_be_another_run_is_refused(cut, overrides, message):
    before = {path: path.read_bytes() for path in Checkpoints(cut.folder / "checkpoints", 2).paths()}
    with pytest.raises(InputError, match=message):
        tkit.fit(resume=cut, overrides=overrides)
    assert {path: path.read_bytes() for path in before} == before
    assert Run.open(cut.folder).recipe == load("digits_cnn", [*SMALL, *OFTEN]).recipe


def test_a_recipe_that_was_edited_is_refused_by_what_changed(cut):
    path = cut.folder / "recipe.json"
    path.write_text(path.read_text().replace('"learning_rate": 0.004', '"learning_rate": 0.005'))
    with pytest.raises(InputError, match=r"fit.optimizer.learning_rate was 0.004, is 0.005"):
        tkit.fit(resume=cut.folder)


@pytest.mark.parametrize(("lookahead", "refused"), [("0", False), ("0.5", True)])
def test_a_setting_that_the_checkpoint_did_not_know_must_have_its_default(lookahead, refused):
    recipe = load("digits_cnn", [f"fit.lookahead={lookahead}"]).recipe
    now = {
        "recipe": recipe.model_dump(mode="json", include={"version", "task", "data", "model", "fit"}),
        **dict.fromkeys(("data", "precision", "threads", "machine", "versions"), "the same"),
    }
    before = json.loads(json.dumps(now))
    del before["recipe"]["fit"]["lookahead"]
    if refused:
        with pytest.raises(InputError, match=r"fit.lookahead was None, is 0.5"):
            setup.compare(before, now, recipe)
    else:
        setup.compare(before, now, recipe)


def test_what_training_does_not_depend_on_may_change(cut, whole):
    run = tkit.fit(resume=cut, overrides=["fit.checkpoint.keep=1", "bench.seconds=0.5"])
    assert_same(run, whole)
    assert Run.open(run.folder).recipe.bench.seconds == 0.5
    assert len(Checkpoints(run.folder / "checkpoints", 1).paths()) == 1


def test_a_second_writer_is_refused_and_a_dead_one_holds_nothing(cut):
    code = f"""
import os, sys
from pathlib import Path
from tkit.lock import locked
with locked(Path({str(cut.folder)!r})):
    print("held", flush=True)
    sys.stdin.read()
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=rf"being written by another process \({holder.pid}\)"):
            tkit.fit(resume=cut)
        holder.kill()
    with locked(cut.folder):
        pass


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_says_the_command_that_goes_on(tmp_path, sent, code):
    command = [sys.executable, "-m", "tkit", "fit", "--recipe", "digits_cnn", "--runs-dir", str(tmp_path)]
    with subprocess.Popen([*command, "fit.epochs=2000", *OFTEN], stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: list(tmp_path.glob("*/checkpoints/000001-*")))
        process.send_signal(sent)
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert f"Go on with: tkit fit --resume {tmp_path / 'digits_cnn-1'}" in said
    assert Checkpoints(tmp_path / "digits_cnn-1" / "checkpoints", 2).newest() is not None


SETUP = {"recipe": {}, "data": "", "precision": "float32", "threads": 2, "machine": None, "versions": {}}
FACTS = {"epoch": 1, "seconds": 0.5, "history": [{"loss": math.inf}], "stopped": False, "kept_epoch": -1}


def facts(step, **changes):
    return {**FACTS, "step": step, "kept_loss": None, "setup": SETUP, **changes}


def test_checkpoints_hold_what_was_put_in(tmp_path):
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=2)
    assert checkpoints.newest() is None
    for step in (5, 10, 15):
        checkpoints.write(Checkpoint({"model/0000": np.full(3, step)}, facts(step)))
    assert [path.name for path in checkpoints.paths()] == ["000001-00010.checkpoint", "000001-00015.checkpoint"]
    newest = checkpoints.newest()
    np.testing.assert_array_equal(newest.arrays["model/0000"], [15, 15, 15])
    assert newest.facts == facts(15)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epoch": 2}, "expected 2 rows of history"),
        ({"kept_epoch": 1}, "an epoch kept of them"),
        ({"step": -1}, "step: expected at least 0, received -1"),
        ({"history": [{"loss": "low"}]}, "history.0.loss: expected int or float, received str"),
        ({"setup": {**SETUP, "threads": 10**6}}, "setup.threads: expected at most 4096"),
        ({"setup": {}}, "setup.recipe is missing"),
    ],
)
def test_a_checkpoint_whose_facts_cannot_be_is_no_whole_one(changes, message):
    with pytest.raises(ValueError, match=message):
        Checkpoint.from_bytes(Checkpoint({}, {**facts(5), **changes}).to_bytes())


@pytest.mark.parametrize(
    ("arrays", "message"),
    [({"model/0000": np.array(["text"])}, "an array without numbers"), ({"a": np.array([{}])}, "holds Python objects")],
)
def test_a_checkpoint_with_other_than_numbers_is_no_whole_one(arrays, message):
    with pytest.raises(ValueError, match=message):
        Checkpoint.from_bytes(Checkpoint(arrays, facts(5)).to_bytes())


def test_a_checkpoint_that_unpacks_to_more_than_itself_is_no_whole_one():
    buffer = io.BytesIO()
    np.savez_compressed(buffer, zeros=np.zeros(10_000_000, np.uint8))
    with pytest.raises(ValueError, match="unpacks to"):
        Checkpoint.from_bytes(hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())


@pytest.mark.slow
def test_five_kills_at_random_moments_leave_no_trace(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import chaos

    result = chaos.survive(tmp_path, kills=5, seed=int(os.environ.get("TKIT_CHAOS_SEED", 0)))
    assert result["kills"] >= 5
    assert result["unequal"] == []


def wait_for(condition):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
