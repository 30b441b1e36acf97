"""Texts through every stage: trained on sentences, exported, checked, measured, and predicted as they are typed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import tkit
from tkit.cli import main
from tkit_edge.__main__ import main as edge
from tkit_edge.bundle import Bundle
from tkit_edge.check import check, check_inputs
from tkit_edge.errors import InputError

SHORT = ["fit.epochs=12", "export.parity.drop=1", "export.parity.agreement=0.8", "bench.seconds=0.05"]


def command(*arguments):
    """The exit code of a command line."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return ended.value.code


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The recipe for tkit's own sentences, a little trained, with files."""
    made = tkit.fit("sentences_transformer", overrides=SHORT, runs_dir=tmp_path_factory.mktemp("runs"))
    tkit.export(made, overrides=["export.formats=float32,int8"])
    return made


@pytest.mark.slow
def test_sentences_are_told_apart_better_than_by_chance(run):
    found = tkit.evaluate(run)
    low, _ = found["interval"]
    assert low > 0.4  # of three classes
    assert found["samples"] == 84
    assert sum(item["samples"] for item in found["by_length"]) == 84
    first = found["mistakes"][0]
    assert first["true_class"] != first["predicted_class"]
    text = tkit.predict(run, [first["text"]], format="keras")[0]
    assert text.answer.classes[0].label == first["predicted_class"]


@pytest.mark.slow
def test_the_bundle_has_all_that_a_device_needs(run):
    bundle = Bundle.read(run.folder / "float" / "export")
    assert bundle.task == "text-classification"
    assert bundle.input == run.input
    assert not any(item.failed for item in check(bundle))
    assert check_inputs(bundle).differing == ()
    figures = run.entry("export", "float")["metrics"]
    assert figures["float32"]["max_difference"] < 1e-4
    assert figures["int8"]["float_operators"] == {}
    words = (run.folder / "float" / "export" / "vocabulary.txt").read_text().splitlines()
    assert len(words) > 300
    assert len(set(words)) == len(words)


@pytest.mark.slow
def test_the_device_predicts_what_tkit_does(run, capsys):
    sentence = "Fry the onions, then add the cream"
    (ours,) = tkit.predict(run, [sentence], format="int8")
    assert edge(["predict", str(run.folder / "float" / "export"), sentence, "--json"]) == 0
    (theirs,) = json.loads(capsys.readouterr().out)["predictions"]
    assert theirs["classes"] == list(ours.as_json()["classes"])
    assert theirs["text"] == sentence


@pytest.mark.slow
def test_files_are_measured_on_test_texts_and_reading_is_measured_apart(run):
    rows = tkit.bench(run, overrides=["bench.threads=1", "bench.kernels=xnnpack", *SHORT[-1:]])["metrics"]
    assert {row["score"]["samples"] for row in rows["results"]} == {84}
    assert 0 < rows["reading"]["p50_ms"] < 100


@pytest.mark.slow
def test_other_data_is_read_with_the_vocabulary_of_the_run(run, tmp_path):
    (tmp_path / "mine.csv").write_text(
        "text,label\n"
        + "".join(f"{text},{label}\n" for label in run.output.names for text in ("Stir the soup", "Onions", "Trains"))
    )
    ours = tkit.evaluate(run, data=str(tmp_path / "mine.csv"), split="train")
    bundle = tkit.evaluate(
        run.folder / "float" / "export", data=str(tmp_path / "mine.csv"), split="train", format="float32"
    )
    assert ours["confusion"] == bundle["confusion"]


@pytest.mark.slow
def test_a_run_without_its_vocabulary_says_so(run, tmp_path):
    folder = shutil.copytree(run.folder, tmp_path / "copy")
    (folder / "float" / "vocabulary.txt").unlink()
    with pytest.raises(InputError, match=r"Cannot read .*vocabulary\.txt"):
        tkit.predict(folder, ["a text"])


@pytest.mark.slow
def test_training_goes_on_as_if_it_had_not_stopped(tmp_path):
    changes = ["fit.epochs=4", "fit.steps_per_execution=2", "fit.checkpoint.steps=5", "data.bucketed=true"]
    whole = tkit.fit("sentences_transformer", overrides=changes, runs_dir=tmp_path / "whole")

    class Stop(Exception):
        pass

    import keras

    class Stopping(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations.numpy()) >= 24:
                raise Stop

    with pytest.raises(Stop):
        tkit.fit("sentences_transformer", overrides=changes, runs_dir=tmp_path / "stopped", callbacks=(Stopping(),))
    (folder,) = (tmp_path / "stopped").iterdir()
    resumed = tkit.fit(resume=folder)
    one, other = (np.load(item.folder / "float" / "weights.npz") for item in (whole, resumed))
    assert all(np.array_equal(one[name], other[name]) for name in one.files)


@pytest.mark.slow
def test_an_image_run_is_no_place_for_a_sentence(tmp_path, capsys):
    run = tkit.fit("digits_cnn", dry_run=True, runs_dir=tmp_path)
    assert command("predict", str(run.folder), "a stirring, funny film") == 2
    assert "takes images" in capsys.readouterr().err


@pytest.mark.slow
def test_texts_do_not_fit_a_model_of_images(tmp_path, capsys):
    assert command("fit", "--recipe", "digits_cnn", "--runs-dir", str(tmp_path), "data=texts:source=sentences") == 2
    assert "model=cnn takes image" in capsys.readouterr().err
    assert list(Path(tmp_path).iterdir()) == []
