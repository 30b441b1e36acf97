"""The run folder and its manifest."""

import json
import math

import pytest

from tkit import manifest
from tkit.recipe_loading import load
from tkit.run_folder import Run
from tkit_edge.errors import InputError


@pytest.fixture
def run(tmp_path):
    return Run.create(load("digits_cnn"), tmp_path)


def finished(run, stage="fit", variant="float"):
    folder = run.folder / variant
    folder.mkdir(exist_ok=True)
    (folder / "output").write_text("made")
    facts = {"metrics": {"accuracy": 0.5}, "seconds": 1.0, "class_names": ["ant", "bee"]}
    run.finish(stage, variant, outputs=[folder / "output"], **facts)
    return run


def test_a_folder_is_never_used_twice(tmp_path):
    folders = [Run.create(load("digits_cnn"), tmp_path).folder.name for _ in range(3)]
    assert folders == ["digits_cnn-1", "digits_cnn-2", "digits_cnn-3"]


def test_the_recipe_comes_back_equal(run):
    assert Run.open(run.folder).recipe == load("digits_cnn").recipe


def test_a_stage_counts_once_its_entry_is_written(run):
    with pytest.raises(InputError, match="training didn't finish"):
        _ = Run.open(run.folder).variant
    finished(run)
    entry = Run.open(run.folder).entry("fit")
    assert entry["metrics"] == {"accuracy": 0.5}
    assert list(entry["outputs"]) == ["float/output"]
    assert len(entry["outputs"]["float/output"]) == 64


def test_a_missing_stage_names_the_command_that_makes_it(run):
    finished(run)
    with pytest.raises(InputError, match=r"Make it: tkit export .*digits_cnn-1"):
        run.entry("export")


def test_a_missing_stage_of_the_newest_variant_names_a_variant_that_has_it(run):
    for stage, variant in (("fit", "float"), ("export", "float"), ("compress", "prune-0.5")):
        finished(run, stage, variant)
    with pytest.raises(InputError, match=r"prune-0.5/export. Make it: tkit export .*; or take .* --variant float"):
        run.whole("export", run.variant)
    with pytest.raises(InputError, match=r"float/bench. Make it: tkit bench .*digits_cnn-1 --variant float$"):
        run.entry("bench", "float")


def test_an_unknown_variant_lists_what_is_there(run):
    finished(run)
    with pytest.raises(InputError, match=r"no variant 'flaot'. Did you mean 'float'"):
        run.variant_folder("flaot")


def test_a_run_is_found_by_name_in_the_runs_folder(run, monkeypatch):
    monkeypatch.setenv("TKIT_RUNS", str(run.folder.parent))
    assert Run.open("digits_cnn-1").folder == run.folder
    with pytest.raises(InputError, match="Did you mean 'digits_cnn-1'"):
        Run.open("digit_cnn-1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"version": 1}', "stages is missing: the manifest is damaged"),
        ('{"version": 1, "version": 1, "stages": {}}', "'version' occurs twice"),
        ('{"version": 1, "created": NaN, "stages": {}}', "created: expected a finite number"),
        ('{"version": 1, "created": "\\ud800", "stages": {}}', "created: expected text"),
        ("[" * 100_000, "is damaged"),
        ('{"version": 1, "stages": {}, "more": ' + "[" * 101 + "]" * 101 + "}", "at most 100 levels"),
        ('{"version": 3, "stages": {}}', "Update tkit"),
    ],
)
def test_a_damaged_or_newer_manifest_is_refused(run, text, message):
    (run.folder / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=message):
        Run.open(run.folder)


def edited(run, edit):
    """The run's manifest after `edit` changed its entry of float/fit."""
    path = finished(run).folder / "manifest.json"
    content = json.loads(path.read_text())
    edit(content["stages"]["float/fit"], content["stages"])
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda entry, _: entry.update(outputs={"../../x": "0"}), r"float/fit.outputs.../../x: .* inside the run"),
        (lambda entry, _: entry.update(outputs={"/etc/passwd": "0"}), r"outputs./etc/passwd: .* inside the run"),
        (lambda entry, _: entry.update(outputs={"float/./x": "0"}), "inside the run folder"),
        (lambda entry, _: entry.update(outputs={"x" * 300: "0"}), "inside the run folder"),
        (
            lambda entry, _: entry.update(outputs={"float/output": 3}),
            "float/output: expected str, received int",
        ),
        (lambda entry, _: entry.update(outputs=[]), "float/fit.outputs: expected dict, received list"),
        (lambda entry, _: entry.update(class_names=[1]), "class_names: expected a list of strings"),
        (lambda entry, _: entry.update(output="scores"), "output: expected logits or probabilities"),
        (lambda entry, _: entry.pop("metrics"), "metrics is missing"),
        (lambda entry, _: entry["metrics"].update(val_accuracy="high"), "val_accuracy: expected int or float"),
        (
            lambda entry, _: entry["metrics"].update(ledger=[{"accuracy": "high"}]),
            "ledger.0.accuracy: expected int or float",
        ),
        (lambda entry, stages: stages.update({"../../x/fit": entry}), "a key of the form variant/stage"),
        (lambda entry, stages: stages.update(fit=entry), "a key of the form variant/stage"),
        (lambda entry, stages: stages.update({"float/export": 1}), "float/export: expected dict, received int"),
        (
            lambda entry, stages: stages.update({"float/evaluate": {**entry, "metrics": {"../..": {}}}}),
            "a folder's plain name",
        ),
    ],
)
def test_an_entry_that_leads_out_of_the_folder_or_has_other_types_is_refused(run, edit, message):
    edited(run, edit)
    with pytest.raises(InputError, match=message):
        Run.open(run.folder)


def test_a_manifest_past_its_limit_is_refused_unread(run, monkeypatch):
    monkeypatch.setattr(manifest, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="expected at most 100"):
        Run.open(run.folder)


def test_figures_that_are_not_finite_do_not_spoil_the_manifest(run):
    (run.folder / "float").mkdir()
    run.finish("export", "float", outputs=[], metrics={"loss": [math.inf, 1.0]}, seconds=1.0)
    assert Run.open(run.folder).entry("export", "float")["metrics"] == {"loss": [None, 1.0]}


def test_a_manifest_is_replaced_whole(run):
    before = json.loads((run.folder / "manifest.json").read_text())
    finished(finished(run), "export")
    after = json.loads((run.folder / "manifest.json").read_text())
    assert list(after["stages"]) == ["float/fit", "float/export"]
    assert before["stages"] == {}
    assert not list(run.folder.glob(".manifest*"))


def test_what_a_stage_wrote_is_used_only_while_it_is_what_it_wrote(run):
    finished(run)
    assert run.whole("fit", "float") == run.model_folder() == run.folder / "float"
    (run.folder / "float" / "output").write_text("other")
    with pytest.raises(InputError, match=r"float/output is damaged: .* Train again: tkit fit --recipe .*recipe.json"):
        run.model_folder()
    (run.folder / "float" / "output").unlink()
    with pytest.raises(InputError, match=r"float/output is missing"):
        run.whole("fit", "float")


def test_two_processes_that_finish_stages_keep_both_entries(run):
    finished(run)
    other = Run.open(run.folder)
    finished(run, "export")
    finished(other, "bench")
    assert list(Run.open(run.folder).manifest["stages"]) == ["float/fit", "float/export", "float/bench"]
