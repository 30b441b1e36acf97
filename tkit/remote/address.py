"""The address of a machine that OpenSSH reaches: `[user@]host[:port]`."""

from __future__ import annotations

import re
from typing import NamedTuple

from tkit_edge.errors import InputError

_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.\\-]*")
_HOST = re.compile(r"[A-Za-z0-9_.:%][A-Za-z0-9_.:%-]*")  # a name of the ssh configuration, or an address
_FORM = re.compile(r"(?:([^@]*)@)?(?:\[([^\]]*)\]|([^:]*))(?::(.*))?", re.DOTALL)


class Address(NamedTuple):
    """Where to; what is None is left to the ssh configuration."""

    host: str
    user: str | None = None
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address of `[user@]host[:port]`; an IPv6 address as the host is in brackets.

        Raises:
            InputError: it isn't one.

        Example:
            >>> Address.parse("pi@raspberrypi.local")
            Address(host='raspberrypi.local', user='pi', port=None)
        """
        match = _FORM.fullmatch(text.rstrip("/"))
        user, bracketed, plain, port = match.groups() if match else (None, None, "", None)
        host = plain if bracketed is None else bracketed
        shown = f"Expected a device ssh://[user@]host[:port], received {f'ssh://{text}'!r}"
        if user is not None and ":" in user:
            raise InputError(f"{shown[: shown.index(', received')]}, without a password: it goes by your ssh keys.")
        if not _HOST.fullmatch(host or "") or (user is not None and not _USER.fullmatch(user)):
            raise InputError(f"{shown}.")
        if port is not None and not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
            raise InputError(f"{shown}: the port is a number from 1 to 65535.")
        return cls(host, user, None if port is None else int(port))

    @property
    def login(self) -> str:
        """`user@host`, as messages and ssh's own commands have it."""
        return self.host if self.user is None else f"{self.user}@{self.host}"

    @property
    def arguments(self) -> list[str]:
        """ssh's arguments that name it."""
        return [
            *(["-p", str(self.port)] if self.port is not None else []),
            *(["-l", self.user] if self.user is not None else []),
            "--",
            self.host,
        ]

    def command(self, tool: str = "ssh", port: str = "-p") -> str:
        """What a person types to get there."""
        return " ".join([tool, *([f"{port} {self.port}"] if self.port is not None else []), self.login])
