"""Targets, one file per kind: where a model file runs, and what can be told of it there.

`--device` names one by its kind and an address (`ssh://pi@raspberrypi.local`, `qemu-arm64`, `ethos-u:ethos-u55-256`),
or by its name in devices.toml. A target gives JSON documents, all with `device` (what really ran it) and `cannot` (what
it can't tell).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tkit.bench_config import Bench
from tkit_edge.errors import InputError
from tkit_pipelines.config import Component, component_class, did_you_mean, kinds

LOCAL = "local"
"""This machine."""
_ADDRESS = re.compile(r"([a-z][a-z0-9-]*)(?::(?://)?(.*))?", re.DOTALL)


class Target(Component):
    """Where a model file runs, or what it is compiled for."""

    @classmethod
    def fields_of(cls, address: str) -> dict[str, Any]:
        """The fields that an address stands for: what follows `kind:` or `kind://`.

        Raises:
            InputError: it isn't one; the message shows one.
        """
        if address:
            raise InputError(f"The device {cls.shown_kind()} takes no address, received {address!r}.")
        return {}

    @classmethod
    def shown_kind(cls) -> str:
        """The kind as `--device` takes it."""
        return cls.model_fields["kind"].default.replace("_", "-")

    @property
    def title(self) -> str:
        """What tables call it, where it has no name of its own."""
        return self.shown_kind()

    @property
    def cannot(self) -> tuple[str, ...]:
        """What it can't tell, a sentence each."""
        return ()

    def check(self, bundle: Path) -> dict[str, Any]:
        """Runs a bundle's golden samples: the document of `tkit-edge check`, with `device` and `cannot`.

        Raises:
            InputError: it can't be reached, or can't run the files.
        """
        raise InputError(f"{self.title} can't check a bundle: it runs no files.")

    def bench(self, subject: Path, settings: Bench, test: Path | None = None) -> dict[str, Any]:
        """Measures a bundle's files, or one .tflite file.

        Args:
            subject: the bundle's folder, or the file.
            settings: what is measured; what doesn't apply is ignored.
            test: an .npz file with test examples as `tkit-edge bench --test` takes it; None: no score.

        Returns:
            A document whose `results` have a row per file and configuration: `file`, `format`, `bytes`, and what the
            target can tell of `p50_ms`, `peak_memory`, `score`, `arena_bytes`, `flash_bytes`, `sram_bytes`,
            `estimated_ms`, ...; what it can't tell is None or missing.

        Raises:
            InputError: it can't be reached, or can't run the files.
        """
        raise InputError(f"{self.title} can't measure files.")

    def predict(self, bundle: Path, items: Sequence[str], format: str | None, top: int | None) -> dict[str, Any]:
        """What a bundle's model predicts there: the document of `tkit-edge predict`, with `device` and `cannot`.

        Raises:
            InputError: it can't be reached, or can't predict.
        """
        raise InputError(f"{self.title} can't predict: it has no way to read inputs.")

    def document(self, found: Mapping[str, Any], **facts: Any) -> dict[str, Any]:
        """A document of this target: what it found, after what ran it."""
        return {**found, "device": {"kind": self.shown_kind(), "name": self.title, **facts}, "cannot": [*self.cannot]}


def target_of(text: str, settings: Mapping[str, Any] | None = None) -> Target:
    """The target of an address, such as "ssh://pi@raspberrypi.local:2222" or "tflm".

    Args:
        text: the address.
        settings: more fields of the target, as devices.toml has them.

    Raises:
        InputError: no such kind, an address or settings that it doesn't have.
    """
    match = _ADDRESS.fullmatch(text)
    kind = match.group(1).replace("-", "_") if match else text
    if kind not in kinds(__name__):
        names = [name.replace("_", "-") for name in kinds(__name__)]
        raise InputError(f"Unknown device {text!r}.{did_you_mean(text, names)} Names of your own are in devices.toml.")
    found = component_class(__name__, kind)
    assert match is not None and issubclass(found, Target)
    values = {"kind": kind, **found.fields_of(match.group(2) or ""), **(settings or {})}
    try:
        return found.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or text
        own = sorted(name for name in found.model_fields if name != "kind")
        raise InputError(
            f"The device {text!r}: {where}: {problem['msg']}. It takes: {', '.join(own) or 'no settings'}."
        ) from error
