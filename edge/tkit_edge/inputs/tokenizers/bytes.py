"""The bytes of the text in UTF-8: no vocabulary, nothing unknown, long sequences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tkit_edge import vocabulary as vocabularies
from tkit_edge.fields import Fields
from tkit_edge.inputs.tokenizers import FIRST, Tokenizer
from tkit_edge.text_normalization import normalized_blocks

BYTES = 256
_SPACE = FIRST + ord(" ")


@dataclass(frozen=True)
class Bytes(Tokenizer):
    """An id per byte of the normalized text."""

    kind = "bytes"
    lowercase: bool

    @property
    def size(self) -> int:
        """The special ids and one per byte."""
        return FIRST + BYTES

    def encode(self, text: str, limit: int) -> list[int]:
        """The first `limit` bytes, which may end within a character; what follows them isn't read."""
        ids: list[int] = []
        for block in normalized_blocks(text, self.lowercase):
            if len(ids) >= limit:
                break
            if ids:
                ids.append(_SPACE)
            ids += [FIRST + byte for byte in block[:limit].encode()]
        return ids[:limit]

    def token(self, number: int) -> str:
        """The ASCII character, or the byte's hexadecimal value."""
        return chr(number) if chr(number).isascii() and chr(number).isprintable() else f"<0x{number:02X}>"

    def as_json(self) -> dict[str, Any]:
        """Whether case is ignored."""
        return {"lowercase": self.lowercase}

    @classmethod
    def from_json(cls, fields: Fields, vocabulary: tuple[str, ...]) -> Bytes:
        """As `as_json` wrote it."""
        vocabularies.refused(vocabulary, fields.file, cls.kind)
        return cls(fields.get("lowercase", bool))
