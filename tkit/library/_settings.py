"""The arguments of a library function, checked by the compression step that has the same fields."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError

from tkit.compression.step import Step
from tkit_edge.errors import InputError

S = TypeVar("S", bound=Step)


def validated(step: type[S], function: str, **settings: Any) -> S:
    """The step with these settings.

    Raises:
        InputError: what is wrong with them.
    """
    try:
        return step.model_validate(settings)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or function}: {item['msg']}, received {item['input']!r:.80}"
            for item in error.errors()
        )
        raise InputError(f"tkit.{function}: {problems}") from error
