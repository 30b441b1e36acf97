"""Whether what a user typed after `--data` is texts or images, by names and the first lines of files."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from tkit_edge import images
from tkit_edge.errors import InputError
from tkit_pipelines import text_columns, tfds_builder
from tkit_pipelines.resolve import named
from tkit_pipelines.text_sources import csv_file
from tkit_pipelines.text_sources.folder import TABLES


def reads_texts(source: str) -> bool:
    """Whether `source` is of texts: a name, a table whose columns are texts, or a folder of such or of .txt files.

    Images win where it could be either. What isn't there, or can't be read, counts as images: their source has the
    message for it.

    Example:
        >>> reads_texts("sentences"), reads_texts("digits")
        (True, False)
    """
    name, _, argument = source.partition(":")
    path = Path(source).expanduser()
    try:
        if kinds := named(name):
            return kinds == {"texts"} or (name == "tfds" and _is_set_of_texts(argument))
        return _is_folder_of_texts(path) if path.is_dir() else path.is_file() and _is_table_of_texts(path)
    except (InputError, OSError, ValueError):
        return False


def _is_set_of_texts(name: str) -> bool:
    """Whether a set of TensorFlow Datasets has a text and no image in each example."""
    features = tfds_builder.known(name).info.features.values()
    import tensorflow_datasets as tfds

    return any(isinstance(feature, tfds.features.Text) for feature in features) and not any(
        isinstance(feature, tfds.features.Image) for feature in features
    )


def _is_table_of_texts(path: Path) -> bool:
    if not any(kind.named(path.name) for kind in TABLES):
        return False
    return not csv_file.CsvFile.named(path.name) or text_columns.shows_texts(csv_file.first_rows(path))


def _is_folder_of_texts(path: Path) -> bool:
    """Whether there are tables of texts, or .txt files in folders, and no image."""
    tables, has_documents = [], False
    for folder, inner, names in os.walk(path):
        inner[:] = [name for name in inner if name[0] != "."]
        for name in names:
            suffix = PurePath(name).suffix.lower()
            if suffix in images.SUFFIXES:
                return False
            if any(kind.named(name) for kind in TABLES):
                tables.append(Path(folder, name))
            has_documents = has_documents or (suffix == ".txt" and Path(folder) != path)
    return has_documents or any(map(_is_table_of_texts, tables))
