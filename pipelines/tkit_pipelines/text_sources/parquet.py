"""A .parquet file with a text and a label a row (see `text_columns`); needs pyarrow."""

from __future__ import annotations

from functools import cache

from tkit_edge.errors import InputError
from tkit_pipelines.table_file import TableFile
from tkit_pipelines.text_table import Table, as_cell


class Parquet(TableFile):
    """Texts in the user's own Parquet file."""

    usage = "FILE.parquet"
    suffixes = (".parquet",)

    def table(self) -> Table:
        """The rows; a column is read when it is asked for."""
        try:
            import pyarrow
            from pyarrow import parquet
        except ModuleNotFoundError as error:
            raise InputError(f"{self.path}: a Parquet file needs pyarrow: pip install 'keras-tkit[parquet]'") from error

        damage = (pyarrow.ArrowException, OSError)
        try:
            with parquet.ParquetFile(self.path) as file:
                names, rows = tuple(file.schema_arrow.names), file.metadata.num_rows
        except damage as error:
            raise InputError(f"{self.path}: the Parquet file can't be read ({error}). Write it again.") from error

        @cache
        def column(at: int) -> list[str]:
            try:
                with parquet.ParquetFile(self.path) as file:
                    values = file.read([names[at]]).column(0).to_pylist()
            except damage as error:
                raise InputError(f"{self.path}: the column {names[at]!r} can't be read ({error}).") from error
            return [as_cell(value, f"{self.path}: row {row}: {names[at]!r}") for row, value in enumerate(values, 1)]

        return Table(self.path, names, len(names), column, range(1, rows + 1), "row")
