"""Encoded texts kept on disk, so that each text is encoded once: what took long is read back by every later stage.

An entry is a folder `<cache>/decoded/<sha256>/` with `tokens.npy` (int32 [N, length]) and `meta.json`, of the texts and
the tokenizer whose digest names it. One that fails its checksum counts as missing; a cache that can't be written costs
time only.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from tkit_edge.inputs.text import Text
from tkit_pipelines.cache import cache_dir
from tkit_pipelines.progress import progress

WORTH = 1.0
"""Seconds of encoding from which on it is kept."""
_CHUNK = 1024  # texts encoded between two signs of progress


def encoded(input: Text, texts: Sequence[str], source: str) -> np.ndarray:
    """The ids of all texts: int32 [N, length].

    Args:
        input: what encodes them.
        texts: the texts.
        source: what a person calls them.
    """
    folder = cache_dir() / "decoded" / _key(input, texts)
    kept = _read(folder, (len(texts), input.length))
    if kept is not None:
        return kept
    began = time.perf_counter()
    tokens = np.empty((len(texts), input.length), np.int32)
    with progress("tokenizing", len(texts)) as advance:
        for start in range(0, len(texts), _CHUNK):
            part = texts[start : start + _CHUNK]
            tokens[start : start + len(part)] = input.encoded_texts(part)
            advance(len(part))
    if time.perf_counter() - began > WORTH:
        with suppress(OSError):
            _write(folder, tokens, source)
    return tokens


def _key(input: Text, texts: Sequence[str]) -> str:
    digest = hashlib.sha256(json.dumps(input.as_json(), sort_keys=True).encode())
    for text in texts:
        data = text.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:32]


def _read(folder: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """The tokens of an entry that is whole."""
    try:
        meta = json.loads((folder / "meta.json").read_text())
        tokens = np.load(folder / "tokens.npy", allow_pickle=False)
        whole = tokens.shape == shape and tokens.dtype == np.int32 and zlib.crc32(tokens.data) == meta["crc32"]
        return tokens if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(folder: Path, tokens: np.ndarray, source: str) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.partial-", dir=folder.parent))
    try:
        np.save(partial / "tokens.npy", tokens)
        key = {"source": {"texts": source}, "shape": [tokens.shape[1]]}
        (partial / "meta.json").write_text(json.dumps({"key": key, "crc32": zlib.crc32(tokens.data)}))
        if folder.exists():  # a damaged entry, or another process was quicker
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
