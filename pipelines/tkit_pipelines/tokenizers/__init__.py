"""Settings of tokenizers, one file per kind, and how each is learned from training texts.

A kind is named after its file and holds one subclass of `TokenizerConfig`; what it learns is the tokenizer of the same
kind in `tkit_edge.inputs.tokenizers`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from tkit_edge.inputs.tokenizers import Tokenizer
from tkit_pipelines.config import Component


class TokenizerConfig(Component):
    """What a tokenizer is like before it has seen a text."""

    @abstractmethod
    def learn(self, texts: Sequence[str]) -> Tokenizer:
        """The tokenizer for training texts; the same ones give the same tokenizer on every machine."""
