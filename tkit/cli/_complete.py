"""Shell completion. Called on every Tab, so nothing here is slow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click

import tkit.recipes

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from tkit.recipe import Recipe
    from tkit_pipelines.config import Config


def _item(value: str, kind: str = "plain") -> CompletionItem:
    from click.shell_completion import CompletionItem

    return CompletionItem(value, type=kind)


def _begun(values: Iterator[str] | list[str], incomplete: str) -> list[CompletionItem]:
    return [_item(value) for value in values if value.startswith(incomplete)]


def files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The shell's own completion of paths."""
    return [_item(incomplete, "file")]


def recipes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Recipe names, or paths once the typed text matches no name."""
    return _begun(tkit.recipes.names(), incomplete) or files(context, parameter, incomplete)


def override_keys(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Keys such as `fit.epochs=`, and the values of keys with a fixed set."""
    from tkit.recipe_loading import load
    from tkit_edge.errors import InputError

    typed = [item for item in context.params.get("overrides") or () if "=" not in item]
    try:
        recipe = load(context.params.get("recipe") or next(iter(typed), tkit.recipes.names()[0])).recipe
    except InputError:
        return []
    key, equals, _ = incomplete.partition("=")
    if equals:
        return _begun([f"{key}={value}" for value in _values(recipe, key)], incomplete)
    return _begun([f"{name}=" for name in _keys(recipe)], incomplete)


def recipe_then_override_keys(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """A recipe's name if the line has none yet, else override keys."""
    named = context.params.get("recipe") or context.params.get("resume") or context.params.get("overrides")
    found = [] if named else _begun(tkit.recipes.names(), incomplete)
    return found or override_keys(context, parameter, incomplete)


def _keys(recipe: Recipe) -> Iterator[str]:
    from tkit_pipelines.config import Component, Config

    def walk(config: Config, prefix: str) -> Iterator[str]:
        for name in type(config).model_fields:
            value: Any = getattr(config, name)
            if isinstance(value, Config):
                if isinstance(value, Component):
                    yield prefix + name
                yield from walk(value, f"{prefix}{name}.")
            elif name not in ("kind", "version"):
                yield prefix + name

    return walk(recipe, "")


def _values(recipe: Recipe, key: str) -> list[str]:
    """The values of a key, where they are a fixed set: kinds of components, words, true and false."""
    from tkit_pipelines.config import Config

    config: Any = recipe
    *parents, name = key.split(".")
    for parent in parents:
        config = getattr(config, parent, None)
    if not isinstance(config, Config) or name not in type(config).model_fields:
        return []
    return _choices(type(config), name)


def _choices(config: type[Config], name: str) -> list[str]:
    """The words that a field accepts, and the kinds of its components."""
    from tkit_pipelines.config import OneOf, kinds

    field = config.model_fields[name]
    waiting, found = [field.annotation, *field.metadata], []
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, OneOf):
            found += kinds(item.package)
        elif item is bool:
            found += ["true", "false"]
        elif get_origin(item) is Literal:
            found += [str(value) for value in get_args(item)]
        else:
            waiting += [*get_args(item), *getattr(item, "__metadata__", ())]
    return list(dict.fromkeys(found))


def runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The run folders, newest first, or paths once the typed text matches none."""
    from tkit.run_location import runs_folder

    top = runs_folder(context.params.get("runs_dir"))
    found = sorted(top.glob("*/manifest.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    return _begun([str(file.parent) for file in found], incomplete) or files(context, parameter, incomplete)


def variants(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The variants of the run on the line."""
    return _begun(list(dict.fromkeys(key.rpartition("/")[0] for key in _stages(context))), incomplete)


def formats(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The formats in which the run on the line was exported."""
    listed = [name for key, entry in _stages(context).items() if key.endswith("/export") for name in entry["metrics"]]
    return _begun(list(dict.fromkeys(["keras", *listed])), incomplete)


def classes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The classes that the generator of the run on the line knows."""
    listed = [name for entry in _stages(context).values() for name in entry.get("input", {}).get("classes", [])]
    return _begun(listed, incomplete)


def _stages(context: click.Context) -> dict[str, Any]:
    """The finished stages of the run on the line."""
    from tkit import manifest
    from tkit.run_location import runs_folder
    from tkit_edge.errors import InputError

    # While an option's value is being typed, click leaves the arguments unassigned.
    run = context.params.get("run") or context.params.get("subject") or next(iter(context.args), None)
    for folder in (Path(run), runs_folder(context.params.get("runs_dir")) / run) if run else ():
        try:
            return manifest.read(folder)["stages"]
        except InputError:
            continue
    return {}


def steps(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The kinds of compression steps, and the fields of the one that is being typed."""
    from tkit_pipelines.config import component_class, kinds

    kind, colon, rest = incomplete.partition(":")
    if not colon or kind not in kinds("tkit.compression.steps"):
        return _begun(kinds("tkit.compression.steps"), incomplete)
    before, comma, _ = rest.rpartition(",")
    fields = [name for name in component_class("tkit.compression.steps", kind).model_fields if name != "kind"]
    return _begun([f"{kind}:{before}{comma}{name}=" for name in fields], incomplete)


def devices(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The kinds of devices, and the names in devices.toml."""
    from tkit.devices import known_devices
    from tkit_edge.errors import InputError
    from tkit_pipelines.config import kinds

    try:
        names = list(known_devices())
    except InputError:
        names = []
    return _begun([*names, *(kind.replace("_", "-") for kind in kinds("tkit.targets"))], incomplete)


def forms(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The formats of .tflite files, and what else a model can become."""
    from tkit_pipelines.config import kinds

    tflite = ["float32", "float16", "dynamic", "int8", "int16x8"]
    return _begun([*tflite, *(kind.replace("_", "-") for kind in kinds("tkit.handovers"))], incomplete)
