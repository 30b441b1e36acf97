"""Lines of text files from anybody: UTF-8, or UTF-16 with a byte order mark; a line without an end fills no memory."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from tkit_edge.errors import InputError
from tkit_pipelines.text_source import MAX_CHARACTERS

_GZIP = b"\x1f\x8b"
_File = io.BufferedReader | gzip.GzipFile
_MOST_BYTES = 4 * MAX_CHARACTERS  # of a line in UTF-8


def lines(path: Path) -> Iterator[str]:
    """The lines of a file, plain or .gz, with their ends: `\\n` alone ends a line, maybe after an `\\r`.

    Raises:
        InputError: it can't be read, or a line is in another encoding or longer than `MAX_CHARACTERS`.
    """
    try:
        with path.open("rb") as plain:
            file: _File = gzip.GzipFile(fileobj=plain) if plain.peek(2)[:2] == _GZIP else plain
            is_utf16 = file.peek(2)[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
            yield from _utf16_lines(file, path) if is_utf16 else _utf8_lines(file, path)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def whole(path: Path) -> str:
    """The text of a file of at most `MAX_CHARACTERS`; see `lines`."""
    if path.is_file() and (size := path.stat().st_size) > _MOST_BYTES:
        raise InputError(
            f"{path} has {size:,} bytes; a text may have {MAX_CHARACTERS:,} characters. Shorten or split it."
        )
    return "".join(lines(path))


def _utf8_lines(file: _File, path: Path) -> Iterator[str]:
    number, line = 1, file.readline(_MOST_BYTES + 1).removeprefix(codecs.BOM_UTF8)
    while line:
        if len(line) > _MOST_BYTES:
            raise _too_long(path, number)
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path}: line {number}, byte {error.start + 1}: 0x{line[error.start]:02X} is not UTF-8. The file is "
                "in another encoding, or mixes several. Save it as UTF-8, or as UTF-16 with a byte order mark."
            ) from error
        if len(text) > MAX_CHARACTERS:
            raise _too_long(path, number)
        yield text
        number, line = number + 1, file.readline(_MOST_BYTES + 1)


def _utf16_lines(file: _File, path: Path) -> Iterator[str]:
    number = 1
    try:
        # Lone surrogates, which Windows lets pass, are for the caller to replace.
        with io.TextIOWrapper(file, "utf-16", "surrogatepass", newline="\n") as reader:
            while line := reader.readline(MAX_CHARACTERS + 1):
                if len(line) > MAX_CHARACTERS:
                    raise _too_long(path, number)
                yield line
                number += 1
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: line {number}: the UTF-16 ends within a character. Save the file again.") from error


def _too_long(path: Path, number: int) -> InputError:
    return InputError(
        f"{path}: line {number} has more than {MAX_CHARACTERS:,} characters, the most that a text may have. Shorten or "
        "split it; or is this file no text, or without line ends?"
    )
