"""What a vocabulary may hold: some tokens, each once, that a text can have and a line of a file can store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tkit_edge.errors import InputError
from tkit_edge.text import counted

MAX_TOKENS = 1_000_000
MAX_TOKEN_BYTES = 255


def checked(vocabulary: Sequence[Any], file: str) -> tuple[str, ...]:
    """The vocabulary of a tokenizer that needs one.

    Args:
        vocabulary: whose author isn't trusted.
        file: which error messages name.

    Raises:
        InputError: none, too many, a token that isn't one, or one that is there twice.
    """
    if not 1 <= len(vocabulary) <= MAX_TOKENS:
        raise InputError(f"{file}: vocabulary: expected 1 to {MAX_TOKENS:,} tokens, received {len(vocabulary):,}.")
    for number, token in enumerate(vocabulary, 1):
        problem = _problem(token)
        if problem:
            raise InputError(f"{file}: vocabulary: token {number:,} {problem}.")
    if len(set(vocabulary)) < len(vocabulary):
        token, count = Counter(vocabulary).most_common(1)[0]
        raise InputError(f"{file}: vocabulary: expected each token once, {token[:60]!r} is there {count:,} times.")
    return tuple(vocabulary)


def refused(vocabulary: Sequence[Any], file: str, kind: str) -> None:
    """Checks that a tokenizer which has no vocabulary wasn't given one.

    Raises:
        InputError: it was.
    """
    if vocabulary:
        received = counted(len(vocabulary), "token")
        raise InputError(f"{file}: a tokenizer of the kind {kind} has no vocabulary, received {received}.")


def _problem(token: Any) -> str | None:
    """What is wrong with a token."""
    if not isinstance(token, str):
        return f"is of type {type(token).__name__}, expected str"
    if not token:
        return "is empty"
    if token.split() != [token]:
        return f"has white space: {token[:60]!r}"
    try:
        size = len(token.encode())
    except UnicodeEncodeError:
        return f"has a surrogate, which UTF-8 can't store: {token[:60]!r}"
    return f"has {size:,} bytes, expected at most {MAX_TOKEN_BYTES}" if size > MAX_TOKEN_BYTES else None
