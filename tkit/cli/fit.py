"""Train a recipe's model.

Creates a new run folder, RUNS/<recipe>-<n>, and prints its path on standard output.
Ctrl-C saves the training; --resume continues it as if it had never stopped.
Overrides are dotted keys of the recipe; `tkit show RECIPE` lists them.

Examples:
  tkit fit digits_cnn
  tkit fit --recipe cifar10_cnn --data ./images fit.epochs=5 model.depth=4
  tkit fit --recipe ./mine.py --dry-run
  tkit fit --recipe runs/digits_cnn-1/recipe.json
  tkit fit --resume runs/digits_cnn-1
"""

from __future__ import annotations

from pathlib import Path

import tkit
from tkit.cli import _options
from tkit.cli._command import tkit_command


@tkit_command(__doc__)
@_options.recipe_or_resume
@_options.data_option
@_options.skip_bad_option
@_options.runs_dir_option
@_options.dry_run_option
@_options.json_option
@_options.recipe_and_overrides_argument
def command(
    recipe: str | None,
    resume: Path | None,
    data: str | None,
    skip_bad: bool,
    runs_dir: Path | None,
    dry_run: bool,
    as_json: bool,
    overrides: tuple[str, ...],
) -> None:
    """`tkit fit`."""
    with _options.results(as_json, "fit") as show:
        arguments = _options.begin_or_resume(recipe, resume, data, skip_bad, runs_dir, dry_run, overrides)
        _options.silence_tensorflow()
        run = tkit.fit(**arguments)
        show(run.summary("fit", "float"), str(run.folder))
