"""OpenSSH's client: how it is called, and how Python is started at the other end."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from tkit.remote.address import Address

CONNECT_SECONDS = 15
ALIVE_SECONDS, ALIVE_COUNT = 5, 3
"""A connection on which nothing answers for as long as both multiplied is lost."""
FAILED, NOT_FOUND = 255, 127
"""Exit codes: of ssh for its own errors and where a signal ended the command, and of a shell."""
MARK = b"tkit: python "
"""What the line with the version of Python there begins with; a login shell may print others before."""
_START = (
    f"import sys;print('{MARK.decode()}%d.%d' % sys.version_info[:2]);sys.stdout.flush();"
    "b=sys.stdin.buffer;exec(b.read(int(b.readline())))"
)


def command(address: Address, pythons: Sequence[str], config: Path | None, silence: int) -> list[str]:
    """The call of ssh that starts the first Python there is, which then reads a program's size and text.

    Args:
        address: where to.
        pythons: paths there, `~/` being the home folder.
        config: the ssh configuration file; the user's own by default.
        silence: the program's first argument; the second is the path of that Python.
    """
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": CONNECT_SECONDS,
        "ServerAliveInterval": ALIVE_SECONDS,
        "ServerAliveCountMax": ALIVE_COUNT,
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "PermitLocalCommand": "no",
        "RemoteCommand": "none",
        "ControlMaster": "no",
        "LogLevel": "INFO",
    }
    return [
        "ssh",
        *([] if config is None else ["-F", str(config)]),
        "-T",
        *(f"-o{name}={value}" for name, value in options.items()),
        *address.arguments,
        _start(pythons, silence),
    ]


def _start(pythons: Sequence[str], silence: int) -> str:
    """For any login shell there."""
    quoted = [(shlex.quote(path.removeprefix("~/")), path.startswith("~/")) for path in pythons]
    found = " ".join(f'"$HOME"/{path}' if at_home else path for path, at_home in quoted)
    start = f'exec "$p" -c {shlex.quote(_START)} {silence} "$(command -v "$p")"'
    script = f'for p in {found}; do command -v "$p" >/dev/null 2>&1 && {start}; done; exit {NOT_FOUND}'
    return f"exec /bin/sh -c {shlex.quote(script)}"
