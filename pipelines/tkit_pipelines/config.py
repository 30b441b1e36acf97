"""The base of every config: frozen, validated, and found again by its `kind` tag.

A component (a model, a batch op, a schedule, a compression step) is one file named after its kind, holding
one `Component` subclass with `kind: Literal["<file name>"] = "<file name>"`. A recipe's JSON names the kind;
only files of the component's own package are looked up, never an import path out of the data. Files whose
names begin with an underscore hold no component.
"""

from __future__ import annotations

import difflib
import importlib
import json
import pkgutil
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import core_schema


class Config(BaseModel):
    """A frozen, validated set of values; an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,  # a recipe is saved as JSON, which has neither
    )


class Component(Config):
    """A config with a `kind`: which of its package's components it is."""

    kind: str


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """The tail of an error message: the closest match of `name`, then all that is valid."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{hint} Available: {', '.join(names)}."


def kinds(package: str) -> list[str]:
    """The kinds that `package` (a dotted name) holds: its file names, without importing them."""
    root = importlib.import_module(package)
    return [info.name for info in pkgutil.iter_modules(root.__path__) if not info.name.startswith("_")]


def component_class(package: str, kind: str) -> type[Component]:
    """The class of `kind` in `package`; ValueError for a kind that isn't there, naming those that are."""
    if kind not in kinds(package):
        raise ValueError(f"unknown kind {kind!r}.{did_you_mean(kind, kinds(package))}")
    module = importlib.import_module(f"{package}.{kind}")
    for value in vars(module).values():
        own = isinstance(value, type) and issubclass(value, Component) and value.__module__ == module.__name__
        if own and value.model_fields["kind"].default == kind:
            return value
    raise TypeError(f"{module.__name__} holds no Component with kind {kind!r}")


def parse_value(text: str) -> Any:
    """A command line's value: JSON where it is JSON (numbers, true, null, lists), else the text itself."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def parse_component(text: str) -> dict[str, Any]:
    """`kind` or `kind:key=value,key=value` as a mapping; ValueError where it has another form."""
    kind, _, rest = text.partition(":")
    values: dict[str, Any] = {"kind": kind}
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"{text!r}: expected kind:key=value,key=value, received {pair!r}")
        values[key] = parse_value(value)
    return values


class OneOf:
    """Annotation of a field that holds one component of `package`: `Annotated[Model, OneOf("tkit.models")]`.

    An instance passes as it is (a user's own subclass too); a mapping is resolved through its `kind`; a
    string is read by `parse_component`. Kinds that the package doesn't have come from the validation context:
    `model_validate(values, context={"mine": Mine})`.
    """

    def __init__(self, package: str) -> None:
        self.package = package

    def resolve(self, value: Any, info: ValidationInfo) -> Any:
        """A component from a mapping or a string; anything else is returned for pydantic to judge."""
        if isinstance(value, str):
            value = parse_component(value)
        if isinstance(value, dict):
            kind, own = str(value.get("kind")), info.context or {}
            known = kind in kinds(self.package) or kind not in own
            cls = component_class(self.package, kind) if known else own[kind]
            return cls.model_validate(value, context=info.context)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_before_validator_function(
            self.resolve,
            core_schema.is_instance_schema(source),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda component, info: component.model_dump(mode="json", exclude_defaults=info.exclude_defaults),
                info_arg=True,
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [component_class(self.package, kind).model_json_schema() for kind in kinds(self.package)]}
