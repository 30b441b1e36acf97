"""What the shell may complete: recipes, override keys, runs. Called on every Tab, so nothing here is slow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

import tkit.recipes

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from tkit.recipe import Recipe


def _item(value: str, kind: str = "plain") -> CompletionItem:
    from click.shell_completion import CompletionItem

    return CompletionItem(value, type=kind)


def files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The shell's own completion of paths."""
    return [_item(incomplete, "file")]


def recipes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Recipe names, or paths once what is typed begins no name."""
    names = [name for name in tkit.recipes.names() if name.startswith(incomplete)]
    return [_item(name) for name in names] or files(context, parameter, incomplete)


def override_keys(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """`fit.epochs=` and the like: the keys of the recipe on the line, else of the first one."""
    if "=" in incomplete:
        return []
    from tkit.recipe import load
    from tkit_edge.errors import InputError

    try:
        recipe = load(context.params.get("recipe") or tkit.recipes.names()[0]).recipe
    except InputError:
        return []
    return [_item(f"{key}=") for key in _keys(recipe) if key.startswith(incomplete)]


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


def runs(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The run folders, newest first, or paths once what is typed begins none."""
    from tkit.run import runs_folder

    found = sorted(runs_folder().glob("*/manifest.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    names = [str(file.parent) for file in found if str(file.parent).startswith(incomplete)]
    return [_item(name) for name in names] or files(context, parameter, incomplete)


def steps(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The kinds of compression steps."""
    from tkit_pipelines.config import kinds

    return [_item(kind) for kind in kinds("tkit.compress") if kind.startswith(incomplete)]
