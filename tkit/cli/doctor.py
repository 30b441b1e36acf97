"""Report what tkit runs on and what is missing; check a run folder.

The output is meant to be pasted into a bug report. With a RUN, every file that its
manifest lists is verified, every checkpoint too, and it reports what --resume would do.
Ends with exit code 3 if something needed is missing or damaged.

Examples:
  tkit doctor
  tkit doctor runs/digits_cnn-1
  tkit doctor --json
"""

from __future__ import annotations

from pathlib import Path

import click

import tkit
from tkit.cli import _complete, _options
from tkit.cli._command import tkit_command
from tkit_edge.text import counted


@tkit_command(__doc__)
@click.argument("run", required=False, type=click.Path(path_type=Path), shell_complete=_complete.runs)
@_options.runs_dir_option
@_options.json_option
def command(run: Path | None, runs_dir: Path | None, as_json: bool) -> None:
    """`tkit doctor`."""
    from tkit_edge.errors import BoundError

    with _options.results(as_json, "doctor") as show:
        _options.silence_tensorflow()
        found = tkit.doctor(run, runs_dir=runs_dir)
        lines: list[str] = []
        for section, facts in found.facts.items():
            width = max((len(name) for name in facts), default=0)
            lines += [section, *(f"  {name:<{width}}  {value}" for name, value in facts.items())]
        lines += [f"note     {item.what} {item.remedy}" for item in found.notes]
        lines += [f"problem  {item.what} {item.remedy}" for item in found.problems]
        document = {
            **found.facts,
            "problems": [item._asdict() for item in found.problems],
            "notes": [item._asdict() for item in found.notes],
        }
        show(document, "\n".join([*lines, *([] if found.problems else ["no problems found"])]))
    if found.problems:
        raise BoundError(f"{counted(len(found.problems), 'problem')} found.")
