"""Objects that name a source of data instead of holding it: paths, TFDS builders, tables of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tkit.in_memory.recorded import text_file
from tkit_edge.errors import InputError
from tkit_pipelines import split_names
from tkit_pipelines.sources.csv_file import FILE, LABEL


def source_of(data: Any, runs_dir: str | Path | None, *, texts: bool = False) -> str | None:
    """What `data.source` is for a text, a path, a TFDS builder or a pandas DataFrame; None for data in memory.

    A table is recorded as a .csv file. Its paths count from the working directory.

    Args:
        data: any object.
        runs_dir: where runs lie.
        texts: whether a table holds texts, not files of images.

    Raises:
        InputError: a builder without its data, or a table without a column of files.
    """
    if isinstance(data, (str, Path)):
        return str(data)
    if _is_a(data, "tensorflow_datasets", "DatasetBuilder"):
        if not data.info.splits:
            raise InputError(f"The TFDS builder {data.info.full_name} has no data yet: builder.download_and_prepare()")
        return f"tfds:{data.data_path}"
    if _is_a(data, "pandas", "DataFrame"):
        table = data if texts else _of_files(data)
        return text_file(table.to_csv(index=False).encode(), "data.csv", runs_dir)
    return None


def _is_a(value: Any, package: str, name: str) -> bool:
    """Whether this is of a class of a package that need not be installed."""
    return any(cls.__name__ == name and cls.__module__.partition(".")[0] == package for cls in type(value).__mro__)


def _of_files(table: Any) -> Any:
    """The columns of files, labels and splits, the files' paths absolute."""
    lower = {str(column).lower(): column for column in table.columns}
    file, label, split = (
        next((lower[name] for name in names if name in lower), None) for names in (FILE, LABEL, split_names.COLUMNS)
    )
    if file is None or label is None:
        raise InputError(
            f"The DataFrame has the columns {', '.join(map(str, table.columns))}: expected one with the images' files, "
            "'file', one with their labels, 'label', and where there are parts 'split' (train, validation, test)."
        )
    found = table[[file, label, *([] if split is None else [split])]].copy()
    found[file] = [str(Path(str(cell)).expanduser().absolute()) for cell in found[file]]
    return found
