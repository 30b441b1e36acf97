"""A model of the user's own, from docs/models.md through every stage, and what happens without its file."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tkit
from tkit.recipe_loading import load
from tkit.run_folder import Run
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError

EXAMPLE = re.search(r"```python\n(.*?)```", (Path(__file__).parents[2] / "docs" / "models.md").read_text(), re.S)[1]
QUICK = ("fit.epochs=2", "bench.seconds=0.02", 'export.formats=["int8"]', "export.parity.agreement=0.5")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    path = folder / "mine.py"
    path.write_text(EXAMPLE)
    return path, tkit.run(load(path, ["model.width=4", *QUICK]), runs_dir=folder / "runs")


@pytest.fixture
def gone(made):
    path, run = made
    path.rename(path.with_suffix(".away"))
    yield run
    path.with_suffix(".away").rename(path)


def test_the_documentations_example_goes_through_every_stage(made):
    path, run = made
    assert list(run.manifest["stages"]) == ["float/fit", "float/export", "float/bench"]
    assert set(Bundle.read(run.folder / "float" / "export").models) == {"int8"}
    assert run.manifest["recipe_origin"]["path"] == str(path)


def test_another_process_opens_the_run_with_the_same_class(made):
    _, run = made
    code = (
        "import sys; from tkit.run_folder import Run; recipe = Run.open(sys.argv[1]).recipe\n"
        "print(type(recipe.model).__name__, recipe.model.width, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(run.folder)], capture_output=True, text=True)
    assert done.stdout.split() == ["Squeeze", "4", "False"], done.stderr


def test_a_saved_recipe_of_ones_own_runs_again(made, tmp_path):
    path, run = made
    loaded = load(run.folder / "recipe.json", ["model=squeeze:width=2", "fit.epochs=1"])
    assert loaded.origin.path == str(path)
    again = tkit.fit(loaded, runs_dir=tmp_path)
    assert again.recipe.model.width == 2
    assert again.manifest["recipe_origin"] == run.manifest["recipe_origin"]


def test_without_its_file_the_trained_model_is_exported_and_training_says_what_it_needs(gone):
    opened = Run.open(gone.folder)
    assert tkit.export(opened, overrides=["export.io=uint8"])["metrics"]["int8"]["bytes"] > 0
    assert opened.recipe.model_dump(mode="json") == gone.recipe.model_dump(mode="json")
    digest = gone.manifest["recipe_origin"]["sha256"]
    with pytest.raises(InputError, match=rf"'squeeze' is defined by .*mine\.py \(sha256 {digest}\).* is gone"):
        tkit.fit(gone.folder / "recipe.json", runs_dir=gone.folder)


def test_a_changed_file_is_not_run(made, tmp_path):
    path, run = made
    path.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    try:
        with pytest.raises(InputError, match="has changed since"):
            Run.open(run.folder).recipe.model.build(None)
    finally:
        path.write_text(EXAMPLE)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("where", ["inside", "relative"])
def test_a_run_folder_brings_no_code_along(made, where, tmp_path, monkeypatch):
    _, run = made
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "recipe.json").write_bytes((run.folder / "recipe.json").read_bytes())
    (folder / "mine.py").write_bytes(EXAMPLE.encode() + f"open({str(tmp_path / 'ran')!r}, 'w')\n".encode())
    digest = hashlib.sha256((folder / "mine.py").read_bytes()).hexdigest()
    path = "run/mine.py" if where == "relative" else str(folder / "mine.py")
    manifest = {**run.manifest, "recipe_origin": {"path": path, "sha256": digest}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="unknown kind 'squeeze'"):
        Run.open(folder)
    assert not (tmp_path / "ran").exists()


BUILDS = {
    "no model": ("return 3", "returned a int, expected a functional model"),
    "another size": ("return net((9, 9, 1), spec.outputs[0].shape[0])", r"takes \[\(None, 9, 9, 1\)\], the data gives"),
    "other classes": ("return net(spec.shape, 7)", r"gives \[\(None, 7\)\], expected \[\(None, 10\)\]"),
    "softmax": ("return net(spec.shape, 10, activation='softmax')", "ends in a softmax"),
    "own layer": (
        "return net(spec.shape, 10, layer=Own(name='own'))",
        "layer 'own' is a Own, which isn't one of",
    ),
    "lambda": ("return net(spec.shape, 10, layer=keras.layers.Lambda(abs))", "is a Lambda"),
    "subclassed": ("return type('Sub', (keras.Model,), {})()", "returned a Sub, expected a functional"),
}
FILE = """
from typing import Literal
from tkit.models import Model
from tkit.recipe import Recipe
from tkit_pipelines.data.images import Images

class Mine(Model):
    kind: Literal["mine"] = "mine"

    def build(self, spec):
        import keras

        class Own(keras.layers.Layer):
            def call(self, x):
                return x

        def net(shape, classes, activation=None, layer=None):
            inputs = x = keras.Input(shape)
            x = layer(x) if layer else x
            x = keras.layers.Flatten()(x)
            return keras.Model(inputs, keras.layers.Dense(classes, activation=activation)(x))

        BUILD

def recipe():
    data = Images(source="digits", image_size=(8, 8), channels=1)
    return Recipe(name="mine", data=data, model=Mine())
"""


@pytest.mark.parametrize(("build", "message"), BUILDS.values(), ids=list(BUILDS))
def test_a_model_that_cannot_be_trained_and_exported_is_refused_before_training(build, message, tmp_path):
    (tmp_path / "mine.py").write_text(FILE.replace("BUILD", build))
    with pytest.raises(InputError, match=message):
        tkit.fit(tmp_path / "mine.py", runs_dir=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_nested_model_of_ones_own_is_laid_out_flat(tmp_path):
    import keras

    from tkit.models import Spec, Statistics
    from tkit.models._own import plain

    inner_inputs = keras.Input((8, 8, 1))
    inner = keras.Model(inner_inputs, keras.layers.Conv2D(3, 3, name="inside")(inner_inputs) + 1.0)
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.GlobalAveragePooling2D()(inner(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2, name="logits")(x))
    made = plain(model, "mine.build()", Spec.of_images((8, 8, 1), 2, Statistics(0.0, 1.0)))
    assert all(isinstance(layer, keras.layers.Layer) and not isinstance(layer, keras.Model) for layer in made.layers)
    images = keras.random.uniform((3, 8, 8, 1))
    assert float(keras.ops.max(abs(made(images) - model(images)))) < 1e-5


def test_a_kind_that_tkit_has_already_is_refused(tmp_path):
    (tmp_path / "mine.py").write_text(FILE.replace('"mine"', '"cnn"', 2).replace("BUILD", "return 3"))
    with pytest.raises(InputError, match="a kind that tkit doesn't have"):
        load(tmp_path / "mine.py")


def test_a_mistake_in_recipe_names_its_line(tmp_path):
    (tmp_path / "mine.py").write_text("def recipe():\n    x = 1\n    return x.nothing\n")
    with pytest.raises(InputError, match=r"mine\.py could not be run, line 3: AttributeError"):
        load(tmp_path / "mine.py")


def test_code_from_outside_of_the_working_directory_is_announced_before_it_runs(tmp_path, monkeypatch, capsys):
    (tmp_path / "here").mkdir()
    inside, outside = tmp_path / "here" / "inside.py", tmp_path / "outside.py"
    for path in (inside, outside):
        path.write_text(f'import sys\nprint("running", file=sys.stderr)\n# {path.name}\n{EXAMPLE}')
    monkeypatch.chdir(tmp_path / "here")
    load(inside)
    assert capsys.readouterr().err == "running\n"
    load(outside)
    said = capsys.readouterr().err
    assert re.fullmatch(r".*outside.py is code from outside the working directory: it is run now.\nrunning\n", said)
