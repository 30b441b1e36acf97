"""The base of all configs: frozen, strict, and components found by kind among their package's files alone."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import ValidationError

from tkit_pipelines.config import Config, OneOf, component_class, did_you_mean, kinds, parse_component
from tkit_pipelines.op import Op
from tkit_pipelines.ops.flip import Flip
from tkit_pipelines.ops.translate import Translate


class Holder(Config):
    """A config that holds an op."""

    op: Annotated[Op, OneOf("tkit_pipelines.ops")]


@pytest.mark.parametrize("value", ["translate:pixels=2", {"kind": "translate", "pixels": 2}, Translate(pixels=2)])
def test_a_component_comes_from_a_string_a_mapping_or_itself(value):
    assert Holder(op=value).op == Translate(pixels=2)


def test_the_json_round_trip_keeps_the_component():
    holder = Holder(op="translate:pixels=2")
    assert Holder.model_validate_json(holder.model_dump_json()) == holder
    assert holder.model_dump(mode="json") == {"op": {"kind": "translate", "pixels": 2}}


def test_a_users_own_subclass_passes():
    class Mine(Flip):
        """A user's own."""

    assert type(Holder(op=Mine()).op) is Mine


def test_configs_are_frozen_and_strict():
    with pytest.raises(ValidationError, match="frozen"):
        Holder(op="flip").op = Translate()
    with pytest.raises(ValidationError, match="Extra inputs"):
        Holder(op="flip", other=1)
    with pytest.raises(ValidationError, match="pixels"):
        Holder(op="translate:pixels=0")
    with pytest.raises(ValidationError, match="instance of Op"):
        Holder(op=3)


@pytest.mark.parametrize("kind", ["flipp", "os", "tkit_pipelines.ops.flip", "../ops/flip", ""])
def test_only_files_of_the_package_are_kinds(kind):
    with pytest.raises(ValidationError, match="unknown kind"):
        Holder(op={"kind": kind})


def test_every_file_of_ops_holds_its_component():
    assert kinds("tkit_pipelines.ops") == [
        *(
            "alternating_flip",
            "colour",
            "crop",
            "cutmix",
            "cutout",
            "flip",
            "mixup",
            "randaugment",
            "random_resized_crop",
            "translate",
        )
    ]
    assert all(issubclass(component_class("tkit_pipelines.ops", kind), Op) for kind in kinds("tkit_pipelines.ops"))


def test_the_json_schema_lists_the_components():
    choices = Holder.model_json_schema()["properties"]["op"]["anyOf"]
    assert {choice["properties"]["kind"]["const"] for choice in choices} == set(kinds("tkit_pipelines.ops"))


def test_strings_are_read_as_kind_and_values():
    assert parse_component("sgd:rate=0.1,name=x") == {"kind": "sgd", "rate": 0.1, "name": "x"}
    with pytest.raises(ValueError, match="expected kind:key=value"):
        parse_component("sgd:rate")


def test_did_you_mean_lists_what_there_is():
    assert did_you_mean("fli", ["flip", "crop"]) == " Did you mean 'flip'? Available: crop, flip."
    assert did_you_mean("zzz", ["flip"]) == " Available: flip."
