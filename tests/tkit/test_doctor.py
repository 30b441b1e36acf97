"""The environment as it is, and run folders whole, damaged and littered."""

import importlib.metadata
import json

import numpy as np
import pytest

import tkit
from tkit.cli import main
from tkit.recipe_loading import load
from tkit.run_folder import Run
from tkit.stages import doctor as module
from tkit.training.checkpoint import Checkpoint, Checkpoints
from tkit_edge.errors import InputError


@pytest.fixture
def run(tmp_path):
    made = Run.create(load("digits_cnn"), tmp_path)
    (made.folder / "float").mkdir()
    outputs = [made.folder / "float" / name for name in ("one", "two")]
    for path in outputs:
        path.write_text(path.name)
    (made.folder / "history.csv").write_text("epoch")
    made.finish("fit", "float", outputs=outputs, metrics={}, seconds=1.0, class_names=["ant", "bee"])
    return made


def checkpoint(epoch, step):
    setup = {"recipe": {}, "data": "", "precision": "float32", "threads": 2, "machine": None, "versions": {}}
    facts = {"epoch": epoch, "step": step, "seconds": 0.0, "history": [{"loss": 1.0}] * epoch, "stopped": False}
    kept = {"kept_epoch": -1, "kept_loss": None}
    return Checkpoint({"model/0000": np.zeros(3, np.float32)}, {**facts, **kept, "setup": setup})


def test_this_environment_is_whole_and_described():
    found = tkit.doctor()
    assert found.problems == []
    assert found.facts["packages"]["keras"] == importlib.metadata.version("keras")
    extras = found.facts["extras"]
    assert extras["dev: pytest"] == importlib.metadata.version("pytest")
    gpu = next(value for name, value in extras.items() if name.startswith("gpu: "))
    assert gpu in ("not installed: pip install 'keras-tkit[gpu]'", importlib.metadata.version("tensorflow"))
    assert "(" in found.facts["computation"]["precision"]
    assert found.facts["computation"]["runtime"].startswith("ai-edge-litert")
    assert "free" in found.facts["folders"]["cache"]


def test_a_missing_and_a_broken_package_are_problems_with_their_command(monkeypatch, tmp_path, capsys):
    (tmp_path / "halfway.py").write_text("raise OSError('libmissing.so')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "NEEDED", {"no-such-package": "no_such", "numpy": "halfway"})
    problems = tkit.doctor().problems
    assert ("no-such-package is not installed.", "pip install no-such-package") in problems
    assert any("numpy cannot be imported: OSError: libmissing.so" in item.what for item in problems)
    with pytest.raises(SystemExit) as stopped:
        main(["doctor", "--json"])
    assert stopped.value.code == 3
    assert len(json.loads(capsys.readouterr().out)["problems"]) == 2


def test_a_whole_run_passes(run, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["doctor", str(run.folder)])
    text = capsys.readouterr().out
    assert stopped.value.code == 0
    assert "2 listed, 0 missing, 0 damaged, 0 left over" in text
    assert "no problems found" in text


def test_missing_damaged_and_left_over_files_are_named(run):
    (run.folder / "float" / "one").write_text("changed")
    (run.folder / "float" / "two").unlink()
    (run.folder / "float" / "three").write_text("of nobody's")
    found = tkit.doctor(run)
    assert [item.what.rpartition("/")[2] for item in found.problems] == [
        "two is missing.",
        "one is damaged: its sha256 is not the manifest's.",
    ]
    assert all("tkit fit --recipe" in item.remedy for item in found.problems)
    assert "float/three" in found.notes[-1].what


def test_left_over_files_alone_are_no_problem(run):
    (run.folder / "junk").write_text("")
    found = tkit.doctor(run)
    assert found.problems == []
    assert "junk" in found.notes[-1].what


@pytest.fixture
def cut(tmp_path):
    """A run whose training was cut after its second checkpoint, in the third epoch."""
    made = Run.create(load("digits_cnn", ["fit.epochs=4"]), tmp_path)
    for epoch, step in ((1, 0), (2, 6)):
        Checkpoints(made.folder / "checkpoints", keep=2).write(checkpoint(epoch, step))
    return made


def test_checkpoints_are_verified_and_what_resume_would_do_is_said(cut):
    found = tkit.doctor(cut)
    assert found.problems == []
    assert found.facts["checkpoints"] == {
        "000001-00000.checkpoint": "whole, after 1 epoch and 0 steps",
        "000002-00006.checkpoint": "whole, after 2 epochs and 6 steps",
        "resume": f"tkit fit --resume {cut.folder} goes on after 2 epochs and 6 steps, of 4 epochs",
    }


def test_a_damaged_checkpoint_is_a_problem_and_the_one_before_it_goes_on(cut):
    first, last = Checkpoints(cut.folder / "checkpoints", keep=2).paths()
    last.write_bytes(last.read_bytes()[:-1])
    found = tkit.doctor(cut)
    assert found.facts["checkpoints"][last.name] == "damaged: its checksum doesn't fit"
    (problem,) = found.problems
    assert problem.what == f"{last} is damaged."
    assert problem.remedy.endswith("goes on after 1 epoch and 0 steps, of 4 epochs.")
    first.write_bytes(b"")
    assert "trains from the beginning" in tkit.doctor(cut).facts["checkpoints"]["resume"]


def test_checkpoints_of_a_finished_training_are_left_over(run):
    path = Checkpoints(run.folder / "checkpoints", keep=2).write(checkpoint(1, 0))
    facts = tkit.doctor(run).facts["checkpoints"]
    assert facts[path.name].endswith("left over of the finished training, may be deleted")
    assert facts["resume"] == f"tkit run --resume {run.folder} does export and bench"
    path.write_bytes(b"damaged")
    found = tkit.doctor(run)
    assert found.facts["checkpoints"][path.name].startswith("damaged")
    assert found.problems == []


def test_an_unknown_run(tmp_path):
    with pytest.raises(InputError, match="No run at"):
        tkit.doctor(tmp_path / "nowhere")
