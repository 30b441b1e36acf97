"""devices.toml: the names that people give their devices.

    [pi]
    device = "ssh://pi@raspberrypi.local"
    python = "/home/pi/env/bin/python"

    [npu]
    device = "ethos-u:ethos-u55-256"

It is read from $TKIT_DEVICES, else ./devices.toml, else ~/.config/tkit/devices.toml.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tkit.targets import Target, target_of
from tkit_edge.errors import InputError
from tkit_pipelines.config import did_you_mean

VARIABLE = "TKIT_DEVICES"


def targets(names: Sequence[str], *, install: bool = False) -> dict[str, Target]:
    """Targets by what they are called: the name in devices.toml, or the address itself.

    Args:
        names: names, addresses, or "all", which is every device of devices.toml.
        install: whether what is missing there may be installed.

    Raises:
        InputError: an unknown one, a devices.toml that can't be read, or nothing can be installed on any of them.
    """
    known = known_devices()
    if "all" in names:
        if not known:
            raise InputError(f"--device all: {_path() or 'no devices.toml'} names no device.")
        names = [*(name for name in names if name != "all"), *known]
    found = {name: _target(name, known) for name in dict.fromkeys(names)}
    if not install:
        return found
    able = {name: target.model_copy(update={"install": True}) for name, target in found.items() if _can_install(target)}
    if not able:
        raise InputError(f"--install is for devices that are reached over ssh; received {', '.join(found)}.")
    return {**found, **able}


def known_devices() -> dict[str, dict[str, Any]]:
    """The sections of devices.toml; empty where there is none."""
    path = _path()
    if path is None:
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"Cannot read {path}: {error}.") from error
    for name, section in found.items():
        if not isinstance(section, dict) or not isinstance(section.get("device"), str):
            raise InputError(f'{path}: [{name}]: expected device = "ADDRESS", such as "ssh://pi@raspberrypi.local".')
    return found


def _can_install(target: Target) -> bool:
    return "install" in type(target).model_fields


def _target(name: str, known: dict[str, dict[str, Any]]) -> Target:
    if name not in known:
        try:
            return target_of(name)
        except InputError as error:
            raise InputError(f"{error}{did_you_mean(name, known) if known else ''}") from error
    settings = {key: value for key, value in known[name].items() if key != "device"}
    return target_of(known[name]["device"], settings)


def _path() -> Path | None:
    if given := os.environ.get(VARIABLE):
        return Path(given)
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return next((path for path in (Path("devices.toml"), config / "tkit" / "devices.toml") if path.is_file()), None)
