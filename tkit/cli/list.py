"""List the recipes.

Each is a short Python file; `tkit show RECIPE` prints its settings. Your own recipe
is such a file too, given by its path: --recipe ./mine.py

Examples:
  tkit list
  tkit list --json
"""

from __future__ import annotations

import click

import tkit.recipes
from tkit.cli._command import tkit_command
from tkit.cli._options import DOCUMENT_VERSION, json_option, print_json


@tkit_command(__doc__)
@json_option
def command(as_json: bool) -> None:
    """`tkit list`."""
    recipes = [{"name": name, "summary": tkit.recipes.summary(name)} for name in tkit.recipes.names()]
    if as_json:
        print_json({"kind": "recipes", "version": DOCUMENT_VERSION, "recipes": recipes})
        return
    width = max(len(recipe["name"]) for recipe in recipes)
    for recipe in recipes:
        click.echo(f"{recipe['name']:{width}}  {recipe['summary']}")
