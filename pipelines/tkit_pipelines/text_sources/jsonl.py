"""A .jsonl or .ndjson file, or .gz of one: a JSON object a line, whose keys are columns (see `text_columns`)."""

from __future__ import annotations

import json

from tkit_edge.errors import InputError
from tkit_pipelines import text_lines
from tkit_pipelines.table_file import TableFile
from tkit_pipelines.text_table import Table, as_cell


class Jsonl(TableFile):
    """Texts in the user's own file of JSON lines."""

    usage = "FILE.jsonl|.ndjson"
    suffixes = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")

    def table(self) -> Table:
        """The objects; the columns are the keys of all, in the order in which they come first."""
        numbers: list[int] = []
        rows: list[dict] = []
        for number, line in enumerate(text_lines.lines(self.path), 1):
            if line.strip():
                numbers.append(number)
                rows.append(self._row(line, number))
        if not rows:
            raise InputError(f"{self.path}: the file is empty. Expected a JSON object a line.")
        names = tuple(dict.fromkeys(key for row in rows for key in row))

        def column(at: int) -> list[str]:
            name = names[at]
            return [
                as_cell(row.get(name), f"{self.path}: line {number}: {name!r}")
                for number, row in zip(numbers, rows, strict=True)
            ]

        return Table(self.path, names, len(names), column, numbers)

    def _row(self, line: str, number: int) -> dict:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", error)
            raise InputError(f"{self.path}: line {number} is no JSON: {reason}. Expected an object a line.") from error
        if not isinstance(row, dict):
            raise InputError(
                f"{self.path}: line {number}: expected a JSON object a line, such as "
                f'{{"text": "...", "label": "..."}}, received {type(row).__name__}.'
            )
        return row
