"""Recipes: tkit's own, overrides, files, and what a user's mistake says."""

import hashlib
import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

import tkit.recipes
from tkit.recipe import Recipe
from tkit.recipe_loading import load
from tkit_edge.errors import InputError
from tkit_pipelines.config import kinds

MINE = """
from typing import Literal
from tkit.models import Model
from tkit.recipe import Recipe
from tkit_pipelines.data.images import Images

class Mine(Model):
    kind: Literal["mine"] = "mine"
    width: int = 4

    def build(self, spec):
        raise NotImplementedError

def recipe():
    return Recipe(name="mine", data=Images(source="digits", image_size=(8, 8), channels=1), model=Mine())
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


@pytest.mark.parametrize("name", tkit.recipes.names())
def test_each_of_tkits_recipes_says_what_it_is_and_survives_json(name, tmp_path):
    recipe = load(name).recipe
    assert recipe.name == name
    assert len(tkit.recipes.summary(name)) > 20
    path = tmp_path / "recipe.json"
    path.write_text(recipe.model_dump_json(indent=2))
    assert load(path).recipe == recipe


def test_a_recipe_cannot_be_changed():
    recipe = load("digits_cnn").recipe
    with pytest.raises(ValidationError, match="frozen"):
        recipe.fit.epochs = 3


@pytest.mark.parametrize(
    ("override", "read", "value"),
    [
        ("fit.epochs=5", lambda recipe: recipe.fit.epochs, 5),
        ("fit.l2=1e-3", lambda recipe: recipe.fit.l2, 1e-3),
        ("fit.clip_norm=null", lambda recipe: recipe.fit.clip_norm, None),
        ("fit.precision=float32", lambda recipe: recipe.fit.precision, "float32"),
        ("model.depth=1", lambda recipe: recipe.model.depth, 1),
        ("model=resnet:depth=14", lambda recipe: (recipe.model.kind, recipe.model.depth), ("resnet", 14)),
        ("data.image_size=16,24", lambda recipe: recipe.data.image_size, (16, 24)),
        ("data.image_size=[16,24]", lambda recipe: recipe.data.image_size, (16, 24)),
        ("data.source=my data/a=b", lambda recipe: recipe.data.source, "my data/a=b"),
        ("data.augment=[]", lambda recipe: recipe.data.augment, ()),
        (
            "data.augment=flip,translate:pixels=2,cutout:size=3",
            lambda recipe: [op.kind for op in recipe.data.augment],
            ["flip", "translate", "cutout"],
        ),
        ("data.augment.0.pixels=2", lambda recipe: recipe.data.augment[0].pixels, 2),
        ("export.formats=int8", lambda recipe: recipe.export.formats, ("int8",)),
        ("export.parity.drop=0.5", lambda recipe: recipe.export.parity.drop, 0.5),
    ],
)
def test_overrides_are_dotted_and_coerced(override, read, value):
    assert read(load("digits_cnn").recipe) != value or value is None
    assert read(load("digits_cnn", ["fit.clip_norm=9", override]).recipe) == value


def test_overrides_apply_in_order():
    recipe = load("digits_cnn", ["model.depth=1", "model=cnn:width=8", "fit.epochs=2", "fit.epochs=3"]).recipe
    assert (recipe.model.width, recipe.fit.epochs) == (8, 3)
    assert recipe.model.depth == type(recipe.model)().depth


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("fit.epoch=3", r"Unknown key 'fit.epoch'. Did you mean 'fit.epochs'\? Available: .*optimizer"),
        ("fits.epochs=3", r"Unknown key 'fits'. Did you mean 'fit'\?"),
        ("fit.epochs.more=3", r"Unknown key 'fit.epochs.more'"),
        ("fit.epochs=three", r"fit.epochs: .*integer.*'three'"),
        ("fit.epochs=0", r"fit.epochs: .*greater than or equal to 1.*0"),
        ("fit.precision=float8", r"fit.precision: .*'float32'.*'float8'"),
        ("model=resnt", r"unknown kind 'resnt'. Did you mean 'resnet'\?"),
        ("model=cnn:depht=2", r"depht: unknown key"),
        ("model=_blocks", r"unknown kind '_blocks'"),
        ("data.augment.3.pixels=2", r"data.augment.3.*position from 0 to 0"),
        ("export.formats=int8,int4", r"int4"),
        ("export.formats=int8,int8", r"at most once"),
        ("fit.epochs", r"key=value, received 'fit.epochs'"),
    ],
)
def test_a_wrong_override_says_what_is_there(override, message):
    with pytest.raises(InputError, match=message):
        load("digits_cnn", [override])


def test_an_unknown_recipe_names_the_closest_and_falls_back_to_none():
    with pytest.raises(InputError, match=r"Did you mean 'cifar10_cnn'\?.*cifar10_resnet8.*--recipe ./mine.py"):
        load("cifar_cnn")


def test_a_users_own_recipe_comes_with_its_path_and_hash(mine):
    loaded = load(mine, ["model.width=6"])
    assert loaded.recipe.model.width == 6
    assert loaded.origin == (str(mine), hashlib.sha256(MINE.encode()).hexdigest())
    assert load("digits_cnn").origin is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def recipe(): return 3", "must return a tkit.Recipe, received int"),
        ("x = 1", r"has no function recipe\(\)"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def recipe(:", "SyntaxError"),
    ],
)
def test_a_users_own_recipe_that_does_not_work_says_why(text, message, tmp_path):
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load(path)


def test_a_recipe_file_that_is_not_there_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"No recipe file at .*mine\.py"):
        load(tmp_path / "mine.py")
    with pytest.raises(InputError, match=r"Cannot read .*recipe\.json"):
        load(tmp_path / "recipe.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fields: fields.update(epochs=3), "epochs: unknown key"),
        (lambda fields: fields["model"].update(kind="os.system"), "unknown kind 'os.system'"),
        (lambda fields: fields["model"].pop("kind"), "unknown kind 'None'"),
        (lambda fields: fields.update(version=3), "version"),
        (lambda fields: fields.update(name="../up"), "name"),
        (lambda fields: fields.pop("data"), "data: Field required"),
    ],
)
def test_a_recipe_file_of_another_form_is_an_input_error(change, message, tmp_path):
    fields = load("digits_cnn").recipe.model_dump(mode="json")
    change(fields)
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(fields))
    with pytest.raises(InputError, match=f"is not a valid recipe: .*{message}"):
        load(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe"])
def test_a_damaged_recipe_file_is_an_input_error(content, tmp_path):
    path = tmp_path / "recipe.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"recipe\.json is not (valid JSON|a valid recipe)"):
        load(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"epochs": 20', '"epochs": NaN', "fit.epochs: expected a finite number"),
        ('"epochs": 20', '"epochs": 1e999', "fit.epochs: expected a finite number"),
        ('"epochs": 20', '"epochs": 20, "epochs": 2', "the key 'epochs' occurs twice"),
        ('"epochs": 20', '"epochs": ' + "[" * 200 + "]" * 200, "at most 100 levels"),
        ('"epochs": 20', '"epochs": 20' + " " * 2**20, "expected at most 1,048,576"),
        ('"augment": [', '"augment": ["flip:a=' + "[" * 50_000 + '", ', "not a valid recipe: data.augment.0"),
    ],
)
def test_a_hostile_recipe_file_is_an_input_error_that_names_the_key(old, new, message, tmp_path):
    text = json.dumps(load("digits_cnn", ["fit.epochs=20"]).recipe.model_dump(mode="json"))
    assert old in text
    path = tmp_path / "recipe.json"
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        load(path)


def test_a_number_that_json_cannot_hold_is_refused():
    with pytest.raises(InputError, match=r"bench.seconds: .*finite"):
        load("digits_cnn", ["bench.seconds=Infinity"])


def test_the_schema_lists_the_fields_the_kinds_and_their_meaning():
    schema = Recipe.model_json_schema()
    assert set(schema["properties"]) == set(Recipe.model_fields)
    models = schema["properties"]["model"]["anyOf"]
    assert [model["properties"]["kind"]["const"] for model in models] == kinds("tkit.models")
    assert schema["$defs"]["Fit"]["properties"]["epochs"]["description"] == "Passes over the training split."


def test_loading_a_json_recipe_imports_nothing_that_it_names(tmp_path):
    fields = load("digits_cnn").recipe.model_dump(mode="json")
    fields["model"] = {"kind": "antigravity"}
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(fields))
    code = (
        "import sys; from tkit.recipe_loading import load; from tkit_edge.errors import InputError\n"
        f"try: load({str(path)!r})\nexcept InputError: sys.exit('antigravity' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
