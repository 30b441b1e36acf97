"""Puts what a benchmark measured into a page of docs/, a section a script, and its main figures into the README."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
DOCS, README = ROOT / "docs", ROOT / "README.md"
ROWS_END = "<!-- rows of benchmarks end -->"


def publish(
    name: str,
    title: str,
    body: str,
    rows: Sequence[tuple[str, str]],
    measured: Mapping[str, Sequence[Mapping[str, Any]]],
    page: str = "benchmarks.md",
) -> None:
    """Replaces the section and the README's rows of benchmark `name`, or adds them.

    Args:
        name: marks what is its own: the script's, with the machine where each has a section.
        title: the section's heading.
        body: Markdown under it.
        rows: (what, figure) pairs for the README's table.
        measured: the results' rows, which tell machine, versions and date.
        page: the file in docs/.
    """
    newest = max((row for side in measured.values() for row in side), key=lambda row: row["date"])
    setup, date = newest["setup"], newest["date"]
    print(f"{title}\n\n{body}\n\n{setup}; {date}")
    section = f"<!-- {name} -->\n## {title}\n\n{body}\n\n{date}: {setup}.\n<!-- /{name} -->\n"
    path = DOCS / page
    text = path.read_text(encoding="utf-8")
    own = re.compile(rf"<!-- {(mark := re.escape(name))} -->\n.*?<!-- /{mark} -->\n", re.DOTALL)
    text = own.sub(lambda _: section, text) if own.search(text) else f"{text.rstrip()}\n\n{section}"
    path.write_text(text, encoding="utf-8")
    tag = f"<!-- {name} -->"
    lines = README.read_text(encoding="utf-8").splitlines()
    old = [number for number, line in enumerate(lines) if line.endswith(f"{tag} |")]
    place = old[0] if old else lines.index(ROWS_END)
    lines = [line for line in lines if not line.endswith(f"{tag} |")]
    lines[place:place] = [f"| {what} | {figure} {tag} |" for what, figure in rows]
    README.write_text("\n".join(lines) + "\n", encoding="utf-8")
