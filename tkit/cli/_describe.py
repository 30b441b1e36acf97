"""A recipe as text: one `key=value` per line, which is also the override that sets it, with its meaning."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from tkit_pipelines.config import Component, Config

_COLUMN = 44
_BELOW = "    # "


def lines(config: Config, width: int | None = None, prefix: str = "") -> Iterator[str]:
    """The settings of `config`, each with its documentation: beside it, or below if `width` columns are too few."""
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if name in ("version", "kind"):
            continue
        meaning = " ".join((field.description or "").split())
        if isinstance(value, Config) and not _fits_one_line(value):
            yield from lines(value, width, f"{prefix}{name}.")
        elif isinstance(value, tuple) and any(_is_long(item) for item in value):
            yield _line(f"{prefix}{name}={','.join(item.kind for item in value)}", meaning, width)
            for number, item in enumerate(value):
                yield from lines(item, width, f"{prefix}{name}.{number}.")
        else:
            yield _line(f"{prefix}{name}={_text(value)}", meaning, width)


def _line(setting: str, meaning: str, width: int | None) -> str:
    beside = f"{setting:{_COLUMN}}  # {meaning}"
    if not meaning or width is None or len(beside) <= width:
        return beside if meaning else setting
    return f"{setting}\n{textwrap.fill(meaning, width, initial_indent=_BELOW, subsequent_indent=_BELOW)}"


def _is_long(item: Any) -> bool:
    return isinstance(item, Component) and not _fits_one_line(item)


def _fits_one_line(config: Config) -> bool:
    values = config.model_dump(mode="json").values()
    return isinstance(config, Component) and not any(isinstance(value, (list, dict)) for value in values)


def _text(value: Any) -> str:
    """As the command line accepts it; JSON where plain text would be parsed as something else."""
    if isinstance(value, Component):
        if not _fits_one_line(value):
            return json.dumps(value.model_dump(mode="json"))
        fields = [f"{name}={_text(getattr(value, name))}" for name in type(value).model_fields if name != "kind"]
        return ":".join([value.kind, ",".join(fields)]).rstrip(":")
    if isinstance(value, tuple):
        return ",".join(_text(item) for item in value) or "[]"
    if isinstance(value, str):
        try:
            json.loads(value)
        except ValueError:
            return value
    return json.dumps(value)
