"""Recipes by name, by the path of a Python file or of a saved `recipe.json`, with dotted overrides applied."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

import tkit.recipes
from tkit import user_recipe
from tkit.recipe import Recipe, check
from tkit.recipe_v1 import MOVED, upgraded
from tkit.user_recipe import Kinds, MissingModel, Origin
from tkit_edge.errors import InputError
from tkit_edge.json_file import read_json
from tkit_pipelines.config import Config, did_you_mean, kinds, parse_value
from tkit_pipelines.data import Data

Kind = TypeVar("Kind", bound=Data)
CHANGEABLE = ("compress", "export.", "bench.", "fit.checkpoint.", "data.source")
"""What may be changed of the recipe of a run whose training has begun; other images are refused when they are
read."""
MAX_JSON_BYTES = 2**20  # of a recipe
_SHOWN = 200  # characters of a wrong value, in a message


class Loaded(NamedTuple):
    """A recipe, and its origin if that is a user's own Python file."""

    recipe: Recipe
    origin: Origin | None


def load(recipe: str | Path, overrides: Sequence[str] = ()) -> Loaded:
    """The recipe named or stored at `recipe`, with `overrides` such as "fit.epochs=5" applied in order.

    Args:
        recipe: a name from `tkit list`, or the path of a .py or .json file.
        overrides: `dotted.key=value`; values are JSON or plain text, components are `kind:key=value,...`.

    Raises:
        InputError: an unknown recipe, key or kind (with the closest match), or a value of the wrong type.

    Example: `load("cifar10_cnn", ["fit.epochs=5", "model.depth=4"]).recipe`
    """
    text = str(recipe)
    origin, own = None, Kinds()
    if text.endswith(".json"):
        loaded, origin, own = _from_json(Path(text))
    elif text.endswith(".py"):
        loaded, origin, own = _from_file(Path(text))
    else:
        names = tkit.recipes.names()
        if text not in names:
            raise InputError(
                f"Unknown recipe {text!r}.{did_you_mean(text, names)} "
                "Your own recipe is given by its path: --recipe ./mine.py"
            )
        loaded = importlib.import_module(f"tkit.recipes.{text}").recipe()
    return Loaded(with_overrides(loaded, overrides, own), origin)


def with_overrides(recipe: Recipe, overrides: Sequence[str], own: Kinds | None = None) -> Recipe:
    """The recipe with `key=value` overrides applied; `own` are the kinds of a user's recipe file.

    Raises:
        InputError: an unknown key or kind, a value of the wrong type, or parts that don't fit each other.
    """
    recipe = overridden(recipe, overrides, own)
    check(recipe)
    return recipe


def overridden(recipe: Recipe, overrides: Sequence[str], own: Kinds | None = None) -> Recipe:
    """The same, without the check that the parts fit."""
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise InputError(f"Expected an override of the form key=value, received {override!r}.")
        recipe = replace(recipe, key, value, own=own)
    return recipe


def data_with_overrides(data: Kind, overrides: Sequence[str]) -> Kind:
    """A data set's settings with overrides such as "data.resize=keras-crop" applied, when there is no recipe."""
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key.startswith("data."):
            raise InputError(f"Expected an override of the form data.KEY=VALUE here, received {override!r}.")
        data = replace(data, key.removeprefix("data."), value, "data.")
    return data


def _from_json(path: Path) -> tuple[Recipe, Origin | None, Kinds]:
    origin = user_recipe.origin_beside(path)
    try:
        values = upgraded(read_json(path, MAX_JSON_BYTES))
        try:
            return Recipe.model_validate(values), origin, {}
        except ValidationError:
            if origin is None:
                raise
        # It names kinds that only the user's file defines: that file is run if it is unchanged.
        gone = origin.state()
        own = {} if gone else user_recipe.own_kinds(user_recipe.run_file(Path(origin.path))[0])
        model = values["model"]
        if gone and isinstance(model, dict) and model.get("kind") not in kinds("tkit.models"):
            values = {**values, "model": MissingModel.of(model, origin)}
        return Recipe.model_validate(values, context=own), origin, own
    except ValidationError as error:
        state = origin and origin.state()
        needs = f" It was made by {origin.path} (sha256 {origin.sha256}), which {state}." if origin and state else ""
        raise InputError(f"{path} is not a valid recipe: {describe(error)}{needs}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not a valid recipe: {error}") from error


def _from_file(path: Path) -> tuple[Recipe, Origin, Kinds]:
    try:
        module, origin = user_recipe.run_file(path)
        own = user_recipe.own_kinds(module)
        if not callable(getattr(module, "recipe", None)):
            raise InputError(f"{path} has no function recipe(). Write one: def recipe(): return Recipe(...)")
        try:
            made = module.recipe()
        except Exception as error:
            user_recipe.fail(path, error)
        if not isinstance(made, Recipe):
            raise InputError(f"{path}: recipe() must return a tkit.Recipe, received {type(made).__name__}.")
        saved = Recipe.model_validate(made.model_dump(mode="json"), context=own)
    except ValidationError as error:
        raise InputError(f"{path}: {describe(error)}") from error
    if saved != made:
        raise InputError(
            f"{path}: the recipe that recipe() returns is another one after it was saved as JSON. Give each component "
            "of your own a kind that tkit doesn't have, and fields that JSON can hold."
        )
    return made, origin, own


def with_late_overrides(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """The recipe with overrides of what a training that has begun doesn't depend on.

    Raises:
        InputError: an override of anything else.
    """
    for override in overrides:
        key = override.partition("=")[0]
        if not key.startswith(CHANGEABLE):
            raise InputError(
                f"{key} can't be changed in a run that has begun: it would be another run. Only these can: "
                f"{', '.join(CHANGEABLE)}."
            )
    return with_overrides(recipe, overrides)


def replace(config: Any, key: str, value: str, path: str = "", own: Kinds | None = None) -> Any:
    """`config` with the field at the dotted `key` set to `value`, given as on the command line.

    `own` are the kinds of a user's recipe file; `path` is where `config` lies in the recipe.
    """
    name, _, rest = key.partition(".")
    here = f"{path}{name}"
    if isinstance(config, tuple):
        if not name.isdigit() or int(name) >= len(config):
            raise InputError(f"Unknown key {here!r}: expected a position from 0 to {len(config) - 1}.")
        changed = replace(config[int(name)], rest, value, f"{here}.", own) if rest else value
        return (*config[: int(name)], changed, *config[int(name) + 1 :])
    if not isinstance(config, Config) or name not in type(config).model_fields:
        if here in MOVED:
            raise InputError(f"{here} has moved: it is {MOVED[here]} now.")
        valid = type(config).model_fields if isinstance(config, Config) else ()
        raise InputError(f"Unknown key {here!r}.{did_you_mean(here, (path + field for field in valid))}")
    current = getattr(config, name)
    if rest:
        new = replace(current, rest, value, f"{here}.", own)
    else:
        new = _split(value) if isinstance(current, tuple) else parse_value(value)
    # The other fields are passed as objects, not as a dump, to preserve a user's own component classes.
    fields = {field: getattr(config, field) for field in type(config).model_fields}
    try:
        return type(config).model_validate({**fields, name: new}, context=own)
    except ValidationError as error:
        raise InputError(f"{path}{describe(error)}") from error


def _split(value: str) -> Any:
    """A list from JSON or from commas: `32,32` or `flip,translate:pixels=2,cutout:size=8,fill=0`."""
    parsed = parse_value(value)
    if not isinstance(parsed, str):
        return parsed if isinstance(parsed, list) else [parsed]
    items = re.split(r",(?![^,:]*=)", value)  # a comma before `key=` stays inside its component
    return [parse_value(item) for item in items if item]


def describe(error: ValidationError) -> str:
    """A pydantic error as one line: each key, what was expected, what was received."""
    lines = []
    for item in error.errors(include_url=False):
        key = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        came = "" if isinstance(item["input"], (dict, Config)) else f" (received {repr(item['input'])[:_SHOWN]})"
        if item["type"] == "extra_forbidden":
            place = next((new for old, new in MOVED.items() if old.endswith(f".{key.rpartition('.')[2]}")), None)
            message, came = "unknown key" if place is None else f"has moved: it is {place} now", ""
        lines.append(f"{key}: {message}{came}" if key else message)
    return "; ".join(lines)
