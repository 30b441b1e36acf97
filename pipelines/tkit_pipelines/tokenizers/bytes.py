"""Bytes: nothing to learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tkit_edge.inputs.tokenizers import bytes as edge
from tkit_pipelines.tokenizers import TokenizerConfig


class Bytes(TokenizerConfig):
    """An id per byte of UTF-8: any language, 260 ids, but sequences five times as long as those of words."""

    kind: Literal["bytes"] = "bytes"
    lowercase: bool = True
    """Whether case is ignored."""

    def learn(self, texts: Sequence[str]) -> edge.Bytes:
        """The same for any texts."""
        return edge.Bytes(self.lowercase)
