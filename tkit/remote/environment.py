"""What tkit-edge needs on another machine: numpy, a LiteRT runtime, and Pillow for image files.

Nothing is installed there without being asked. What is asked for goes into an environment of tkit's own, which is used
from then on; the machine's other Pythons stay as they are.
"""

from __future__ import annotations

import re
import shlex
from typing import Any

from tkit import console
from tkit.remote.connection import Connection
from tkit.remote.failures import last_line
from tkit_edge import __version__
from tkit_edge.errors import InputError

FOLDER = f".local/share/tkit/env-{__version__}"
"""Of the environment, in the home folder there."""
RUNTIMES = ("ai-edge-litert", "tflite-runtime")
_NEWEST_ARM_32 = (3, 11)
"""Python for which tflite-runtime has wheels for ARMv7; ai-edge-litert has none."""
_INSTALL = (
    'new="$1.new"; python="$2"; shift 2; trap \'rm -rf "$new"\' EXIT; trap "exit 1" HUP INT TERM; '
    '{ "$python" -m venv --clear "$new" '
    '&& "$new/bin/python" -m pip install --disable-pip-version-check --progress-bar off "$@" '
    '&& rm -rf "${new%.new}" && mv "$new" "${new%.new}"; } >&2'
)
_REASONS = (
    (
        r"ensurepip is not\s+available|No module named '?(venv|ensurepip)",
        "Python there lacks venv: sudo apt install python3-venv",
    ),
    (r"No space left|Disk quota", "its disk is full"),
    (
        r"name resolution|new connection|[Nn]etwork is unreachable|timed out|connection error|not known",
        "it can't reach its package index; connect it to the network",
    ),
)


def missing(facts: dict[str, Any], *, optional: bool) -> str | None:
    """What tkit-edge needs and isn't there; None where all is.

    Args:
        facts: of `Connection`.
        optional: whether Pillow counts, which only image files need.
    """
    lacking = [name for name in ("numpy", "pillow") if name not in facts["packages"] and (optional or name == "numpy")]
    lacking += (
        [] if any(name in facts["packages"] for name in RUNTIMES) else [f"a LiteRT runtime ({' or '.join(RUNTIMES)})"]
    )
    return " and ".join(lacking) or None


def requirements(facts: dict[str, Any]) -> list[str]:
    """What pip is to install there.

    Raises:
        InputError: there is no runtime for this machine and Python.
    """
    if facts["bits"] == 64:
        return ["numpy", "ai-edge-litert", "pillow"]
    version = tuple(map(int, facts["python"].split(".")[:2]))
    if not facts["machine"].startswith(("arm", "aarch64")) or facts["machine"].startswith("armv6"):
        raise InputError(
            f"There is no LiteRT runtime for a 32-bit system on {facts['machine']}: tkit-edge runs on 64-bit systems "
            "and on ARMv7 (Raspberry Pi 2 and newer)."
        )
    if version > _NEWEST_ARM_32:
        raise InputError(
            f"There is no LiteRT runtime for a 32-bit system with Python {facts['python']}: tflite-runtime has wheels "
            "for ARMv7 up to Python 3.11. Install a 64-bit system, or an older Python, and name it in devices.toml: "
            'python = "/path/python3.11"'
        )
    return ["numpy<2", "tflite-runtime", "pillow"]


def refuse(there: Connection, lacking: str, python: str | None) -> InputError:
    """The error where something is missing, with the command that installs it.

    Args:
        there: the machine.
        lacking: what `missing` found.
        python: what devices.toml names.
    """
    facts, login = there.facts, there.address.login
    wanted = " ".join(map(shlex.quote, requirements(facts)))
    ssh = there.address.command()
    begin = f"Python {facts['python']} on {login} ({facts['executable']}) lacks {lacking}."
    if python is not None:
        return InputError(f"{begin} {ssh} {python} -m pip install {wanted}")
    by_hand = f"python3 -m venv ~/{FOLDER} && ~/{FOLDER}/bin/pip install {wanted}"
    return InputError(
        f"{begin} With --install, tkit makes an environment of its own there, ~/{FOLDER}; by hand: "
        f"{ssh} {shlex.quote(by_hand)}"
    )


def install(there: Connection) -> str:
    """Makes the environment there, in the place of one that there was.

    Returns:
        The path of its Python.

    Raises:
        InputError: there is no runtime for this machine, no venv, no network, or no room.
    """
    facts, wanted = there.facts, requirements(there.facts)
    folder = f"{facts['home']}/{FOLDER}"
    console.say(f"{there.address.login}: installing {', '.join(wanted)} into {folder}")
    said: list[bytes] = []

    def show(data: bytes) -> None:
        said.append(data)
        for line in filter(str.strip, data.decode(errors="replace").splitlines()):
            console.progress(line)

    ran = there.run(["/bin/sh", "-c", _INSTALL, "sh", folder, facts["executable"], *wanted], show)
    if ran.code:
        text = b"".join(said).decode(errors="replace")
        reason = next((reason for pattern, reason in _REASONS if re.search(pattern, text)), last_line(text))
        raise InputError(f"{there.address.login}: {', '.join(wanted)} can't be installed: {reason}.")
    return f"{folder}/bin/python"
