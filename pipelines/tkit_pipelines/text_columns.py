"""Which column of a table holds the texts and which the labels, whatever they are called.

1. A column that the user names (`data.text`, `data.label`) is that.
2. Else the one column of a common name (`TEXT`, `LABEL`, in any case); several such are an error.
3. Else, where one column is left beside splits and an index, it is.
4. Without a header, the column whose texts are longest on average holds the texts, the other one the labels.

The first row is a header where the user names a column, or where a cell of it is a common name that doesn't come again
in its column. A first row whose label comes nowhere else is refused: it is a header of unknown names, or a class of one
text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import zip_longest
from pathlib import PurePath

from tkit_edge import images
from tkit_edge.errors import InputError
from tkit_edge.text import counted
from tkit_pipelines import split_names
from tkit_pipelines.class_names import is_number
from tkit_pipelines.config import did_you_mean
from tkit_pipelines.sources.csv_file import FILE
from tkit_pipelines.split_names import Split
from tkit_pipelines.text_source import Wanted, images_given
from tkit_pipelines.text_table import Columns, Table

TEXT = {
    *("text", "texts", "sentence", "sentences", "review", "review_text", "review_body", "reviewtext", "comment"),
    *("comment_text", "content", "message", "title", "headline", "body", "tweet", "tweet_text", "query", "question"),
    *(
        "utterance",
        "description",
        "document",
        "article",
        "abstract",
        "summary",
        "post",
        "sms",
        "email",
        "news",
        "phrase",
    ),
    *("raw_text", "full_text", "clean_text", "文本", "内容", "评论", "句子", "标题", "正文", "テキスト", "本文"),
}
LABEL = {
    *("label", "labels", "class", "class_name", "class_index", "class_label", "label_name", "category", "categories"),
    *("sentiment", "airline_sentiment", "polarity", "target", "star", "stars", "score", "rating", "ratings", "overall"),
    *("intent", "emotion", "topic", "y", "gold_label", "标签", "类别", "分类", "情感", "评分", "ラベル", "カテゴリ"),
}
INDEX = {"", "id", "idx", "index", "unnamed_0"}
_SHOWN = 20
"""Rows that show what a column holds."""


def choose(table: Table, wanted: Wanted) -> tuple[Table, Columns]:
    """The rows below the header, and what their columns hold.

    Raises:
        InputError: columns that aren't there or can't be told, or images in the place of texts.
    """
    if table.names is None and (wanted.text or wanted.label or _is_header(table)):
        table = table.below_header()
    if table.names is None:
        _refuse_images(table, range(table.width))
        return table, _unnamed(table, wanted)
    columns = _named(table, table.names, wanted)
    _refuse_images(table, [columns.text])
    return table, columns


def choose_alike(table: Table, split: Split, train: Table, columns: Columns, wanted: Wanted) -> tuple[Table, Columns]:
    """The same for the table of another split than training; one for testing may lack labels.

    Args:
        table: its rows, with their header.
        split: which it is.
        train: the training rows below their header.
        columns: what their columns hold.
        wanted: what is wanted of the training rows.

    Raises:
        InputError: it has other columns.
    """
    if train.names is None:
        if table.width != train.width:
            raise InputError(
                f"{table.path} has {counted(table.width, 'column')}, {train.path.name} {train.width}: expected as many."
            )
        return table, columns
    wanted = wanted._replace(text=train.names[columns.text])
    if columns.label >= 0:
        label = train.names[columns.label]
        missing = split == "test" and _plain(label) not in map(_plain, table.names or table.first_row())
        wanted = wanted._replace(label=None if missing else label, labels=not missing)
    return choose(table, wanted)


def shows_texts(rows: Sequence[Sequence[str]]) -> bool:
    """Whether a table's first rows are of texts, not of the names of image files; where that can't be told, no."""
    columns = list(zip_longest(*rows, fillvalue=""))
    names = {_plain(cells[0]) for cells in columns}
    if any(map(_are_images, (cells[1:] or cells for cells in columns))) or names & set(FILE) - INDEX:
        return False
    longest = max(columns, key=lambda cells: sum(map(len, cells)), default=())
    is_prose = sum(" " in cell.strip() or not cell.isascii() for cell in longest) > len(longest) / 2
    return bool(names & TEXT) or is_prose


def _is_header(table: Table) -> bool:
    first = table.first_row()
    known = [at for at, name in enumerate(first) if _plain(name) in TEXT | LABEL]
    return any(first[at] not in table.column(at)[1:] for at in known)


def _named(table: Table, names: tuple[str, ...], wanted: Wanted) -> Columns:
    """What the columns called `names` hold."""
    plain = [_plain(name) for name in names]
    text = None if wanted.text is None else _column(table, names, wanted.text, "text")
    label = None if wanted.label is None else _column(table, names, wanted.label, "label")
    split = next((plain.index(name) for name in split_names.COLUMNS if name in plain), -1)
    split = -1 if split in (text, label) else split
    if text is None:
        text = _common(table, names, TEXT, {label, split}, "text")
    if label is None and wanted.labels:
        label = _common(table, names, LABEL, {text, split}, "label")
    unused = LABEL if text is None and not wanted.labels else set[str]()
    rest = [at for at, name in enumerate(plain) if at not in (text, label, split) and name not in INDEX | unused]
    if text is None and len(rest) == 1:
        [text] = rest
    elif text is not None and label is None and len(rest) == 1:
        [label] = rest
    if text is None:
        _refuse_images(table, [at for at in rest if plain[at] in FILE])
        raise _unknown(table, names, "text")
    if wanted.labels and label is None:
        raise _unknown(table, names, "label")
    return Columns(text, label if label is not None and wanted.labels else -1, split)


def _unnamed(table: Table, wanted: Wanted) -> Columns:
    """What the columns of a table without a header hold."""
    columns = [table.column(at) for at in range(table.width)]
    text = max(range(table.width), key=lambda at: sum(map(len, columns[at])))
    if not wanted.labels:
        return Columns(text, -1, -1)
    if table.width != 2:
        raise InputError(
            f"{table.path}: {table.unit} {table.numbers[0]} is no header of known names, and of "
            f"{counted(table.width, 'column')} it can't be told which holds the texts and which the labels. Write "
            "a header above, such as text,label; if that line is one, name its columns: data.text=NAME data.label=NAME."
        )
    first, *others = columns[1 - text]
    if not is_number(first.strip()) and others and first not in others:
        raise InputError(
            f"{table.path}: the label of {table.unit} {table.numbers[0]}, {first!r}, comes nowhere else, so that "
            "line is taken for a header of names that aren't known. Name its columns: data.text=NAME data.label=NAME. "
            "If it is none, write one above, such as text,label."
        )
    return Columns(text, 1 - text, -1)


def _column(table: Table, names: tuple[str, ...], name: str, what: str) -> int:
    """The column that the user named."""
    if name in names:
        return names.index(name)
    alike = [at for at, other in enumerate(names) if _plain(other) == _plain(name)]
    if len(alike) == 1:
        return alike[0]
    raise InputError(f"{table.path} has no column {name!r} (data.{what}).{did_you_mean(name, names)}")


def _common(
    table: Table, names: tuple[str, ...], common: Collection[str], taken: Collection[int | None], what: str
) -> int | None:
    """The one column of a common name."""
    found = [at for at, name in enumerate(names) if _plain(name) in common and at not in taken]
    if len(found) > 1:
        raise InputError(
            f"{table.path}: several columns may hold the {what}s: {_listed([names[at] for at in found])}. Name one: "
            f"data.{what}={names[found[0]]}."
        )
    return found[0] if found else None


def _unknown(table: Table, names: tuple[str, ...], what: str) -> InputError:
    return InputError(
        f"{table.path}: which column holds the {what}s can't be told; its columns are {_listed(names)}. "
        f"Name one: data.{what}=NAME."
    )


def _refuse_images(table: Table, columns: Iterable[int]) -> None:
    """Refuse a table of image files."""
    for at in columns:
        if _are_images(table.column(at)[:_SHOWN]):
            raise images_given(str(table.path))


def _are_images(cells: Sequence[str]) -> bool:
    return bool(cells) and all(PurePath(cell.strip()).suffix.lower() in images.SUFFIXES for cell in cells)


def _listed(names: Collection[str]) -> str:
    return ", ".join(map(repr, names))


def _plain(name: str) -> str:
    """A column's name for comparison: in lower case, words apart by underscores."""
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")
