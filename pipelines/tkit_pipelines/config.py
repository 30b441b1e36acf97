"""The base of every config: frozen, validated, and found again by its `kind` tag.

A component (a model, a data set, a schedule, a compression step) is one file named after its kind, holding one
`Component` subclass with `kind: Literal["<file name>"]`. A recipe's JSON names the kind; only files of the
component's own package are looked up, never an import path out of the data.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from tkit_edge.errors import InputError


class Config(BaseModel):
    """A frozen, validated set of values; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, use_attribute_docstrings=True)


class Component(Config):
    """A config with a `kind`: what it is, in the fixed table of its package."""

    kind: str


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """The tail of an error message: the closest match of `name`, then all that is valid."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{hint} Available: {', '.join(names)}."


@cache
def table(package: str) -> dict[str, type[Component]]:
    """Kind -> class, one entry for each file of `package` (a dotted name) that holds a component."""
    root = importlib.import_module(package)
    classes = {}
    for info in pkgutil.iter_modules(root.__path__):
        module = importlib.import_module(f"{package}.{info.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Component) and value.__module__ == module.__name__:
                if "kind" in value.model_fields and value.model_fields["kind"].default == info.name:
                    classes[info.name] = value
    return classes


class OneOf:
    """Annotation for a field that holds one component of `package`: `Annotated[Model, OneOf("tkit.models")]`.

    An instance passes as it is (a user's own class too); a mapping is resolved through its `kind`.
    """

    cache_schema: ClassVar[bool] = False

    def __init__(self, package: str) -> None:
        self.package = package

    def resolve(self, value: Any) -> Any:
        """A component from a mapping with a `kind`; anything else is returned for pydantic to judge."""
        if not isinstance(value, dict):
            return value
        classes = table(self.package)
        kind = value.get("kind")
        if kind not in classes:
            # ValueError is what pydantic turns into a validation error with the field's path.
            raise ValueError(f"unknown kind {kind!r}.{did_you_mean(str(kind), classes)}")
        return classes[kind].model_validate(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        instance = core_schema.is_instance_schema(source)
        return core_schema.no_info_before_validator_function(
            self.resolve,
            instance,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda component: component.model_dump(mode="json")
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        classes = table(self.package).values()
        return {"anyOf": [cls.model_json_schema() for cls in classes]}


__all__ = ["Component", "Config", "InputError", "OneOf", "did_you_mean", "table"]
