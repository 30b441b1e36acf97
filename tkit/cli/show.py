"""Show a recipe with its overrides applied.

One line per setting, written as the override that sets it.

Examples:
  tkit show cifar10_cnn
  tkit show cifar10_cnn fit.epochs=5 model.depth=4
  tkit show ./mine.py --json > recipe.json
  tkit show digits_cnn --schema
"""

from __future__ import annotations

import click

from tkit.cli import _complete
from tkit.cli._command import tkit_command
from tkit.cli._options import json_option, load, overrides_argument, print_json, stdout_width


@tkit_command(__doc__)
@click.argument("recipe", metavar="RECIPE|PATH", shell_complete=_complete.recipes)
@overrides_argument
@json_option
@click.option("--schema", is_flag=True, help="The JSON schema of recipe.json instead.")
def command(recipe: str, overrides: tuple[str, ...], as_json: bool, schema: bool) -> None:
    """`tkit show`."""
    from tkit.cli._describe import lines

    shown = load(recipe, overrides).recipe
    if schema:
        print_json(type(shown).model_json_schema())
    elif as_json:
        print_json(shown.model_dump(mode="json"))
    else:
        for line in lines(shown, stdout_width()):
            click.echo(line)
