"""A text, as ids: encoded by the tokenizer that training used, cut or filled up to one length."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tkit_edge import files, images
from tkit_edge.errors import InputError
from tkit_edge.fields import Fields
from tkit_edge.inputs import Input, files_in, tokenizers
from tkit_edge.inputs.tokenizers import PAD, START, Tokenizer
from tkit_edge.tensors import Arrays, TensorSpec
from tkit_edge.text import shortened

SUFFIX = ".txt"
STANDARD_INPUT = "-"
VOCABULARY = "vocabulary.txt"
MAX_VOCABULARY_BYTES = 64 * 2**20
MAX_TEXT_BYTES = 64 * 2**20
MAX_LENGTH = 65_536
"""Ids of a text."""
SHOWN = 100
"""Characters of a text, in a line."""


@dataclass(frozen=True)
class Text(Input):
    """Ids, int32 [length]: `START`, those of the tokenizer as far as there is room, and `PAD` to the end."""

    kind = "text"
    example = "text"
    originals = True
    tokenizer: Tokenizer
    length: int

    @property
    def tensors(self) -> tuple[TensorSpec, ...]:
        """One: the ids."""
        return (TensorSpec("tokens", (self.length,), "int32"),)

    @property
    def sizes(self) -> Mapping[str, int]:
        """Of the ids, the tokenizer's."""
        return {"tokens": self.tokenizer.size}

    def items(self, arguments: Sequence[str]) -> Iterator[str | Path]:
        """Each argument is a text itself, but for .txt files, folders of them, and `-`: a text per line of standard
        input."""
        for argument in arguments:
            if argument == STANDARD_INPUT:
                # Bytes, so that the locale's encoding doesn't matter.
                yield from (decoded(line).rstrip("\r\n") for line in sys.stdin.buffer)
            elif _is_there(argument):
                yield from self._files(Path(argument))
            else:
                yield argument

    def _files(self, path: Path) -> Iterator[Path]:
        if path.is_file() and path.suffix.lower() in images.SUFFIXES:
            raise InputError(f"{path} is an image; this model takes texts: a sentence, .txt files, folders of them, -.")
        if path.is_file() and path.suffix.lower() != SUFFIX:
            raise InputError(
                f"{path} is a file, but no {SUFFIX} file: is it the text, or is the text in it? Rename it, or give a "
                f"text per line on standard input: - < {path}"
            )
        yield from files_in([path], (SUFFIX,))

    def read(self, item: str | Path | bytes) -> Arrays:
        """The ids of a text, of a file's, or of UTF-8 bytes (what isn't UTF-8 counts as U+FFFD)."""
        if isinstance(item, Path):
            item = files.read_bytes(item, MAX_TEXT_BYTES)
        text = decoded(item) if isinstance(item, bytes) else item
        return {"tokens": self.encoded_texts([text])[0]}

    def encoded_texts(self, texts: Sequence[str]) -> np.ndarray:
        """The ids of texts: int32 [n, length]."""
        rows = np.full((len(texts), self.length), PAD, np.int32)
        for row, text in zip(rows, texts):
            ids = self.tokenizer.encode(text, self.length - 1)
            row[0] = START
            row[1 : len(ids) + 1] = ids
        return rows

    def tokens(self, ids: np.ndarray) -> list[str]:
        """What the ids of one text mean, for people."""
        return self.tokenizer.tokens([int(item) for item in ids if item not in (PAD, START)])

    def encoded(self, example: Arrays) -> bytes:
        """Raises InputError: ids don't tell the text."""
        raise InputError("A golden sample of text needs the text itself: ids don't tell it.")

    def suffix(self, data: bytes) -> str:
        """Always the same."""
        return SUFFIX

    def difference(self, expected: Arrays, read: Arrays, suffix: str) -> tuple[float, bool]:
        """How many ids differ; none may."""
        found = int(np.count_nonzero(read["tokens"] != expected["tokens"]))
        return found, found > 0

    def apart(self, difference: float) -> str:
        """With what explains it."""
        return f"{difference:g} ids (another version of Python may know other Unicode characters)"

    def shown(self, item: str | Path) -> str:
        """A text in one line, its end left out where it is long; a file's path whole."""
        return str(item) if isinstance(item, Path) else shortened(item, SHOWN)

    @property
    def attached(self) -> Mapping[str, bytes]:
        """The vocabulary, where there is one: a token per line."""
        words = self.tokenizer.vocabulary
        return {VOCABULARY: "".join(f"{word}\n" for word in words).encode()} if words else {}

    def as_json(self) -> dict[str, Any]:
        """Length, tokenizer, and its vocabulary's digest."""
        stored = {name: hashlib.sha256(data).hexdigest() for name, data in self.attached.items()}
        return {
            "length": self.length,
            "tokenizer": {"kind": self.tokenizer.kind, **self.tokenizer.as_json()},
            "vocabulary": next(({"file": name, "sha256": digest} for name, digest in stored.items()), None),
        }

    @classmethod
    def from_json(cls, fields: Fields, folder: Path) -> Text:
        """As `as_json` wrote it."""
        length = fields.count("length", least=2, most=MAX_LENGTH)
        words: tuple[str, ...] = ()
        if fields.get("vocabulary", (dict, type(None))) is not None:
            words = _vocabulary(fields.part("vocabulary"), folder)
        return cls(tokenizers.read(fields.part("tokenizer"), words), length)


def decoded(data: bytes) -> str:
    """UTF-8 with or without a byte order mark; U+FFFD for what isn't."""
    return data.decode("utf-8-sig", "replace")


def _vocabulary(fields: Fields, folder: Path) -> tuple[str, ...]:
    path = folder / fields.file_name("file")
    data = files.read_bytes(path, MAX_VOCABULARY_BYTES)
    if hashlib.sha256(data).hexdigest() != fields.get("sha256", str):
        raise InputError(f"{path} is not the vocabulary that {fields.file} describes (other sha256). Copy it again.")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no UTF-8 text: {error.reason} at byte {error.start}.") from error
    if not text.endswith("\n"):
        raise InputError(f"{path}: expected a token per line, each with its line end.")
    return tuple(text[:-1].split("\n"))


def _is_there(argument: str) -> bool:
    try:
        return Path(argument).exists()
    except (OSError, ValueError):  # too long for a path, or a NUL
        return False
