"""What OpenSSH's client says when it gets nowhere, with what to do about it."""

from __future__ import annotations

import re

from tkit.remote.address import Address

_UNREACHABLE = (
    (r"Could not resolve hostname", "There is no host {host}: {said}"),
    (
        r"Connection refused",
        "{host} refuses connections{on_port}: is an ssh server running there? "
        "(Raspberry Pi OS: sudo systemctl enable --now ssh)",
    ),
    (r"timed out|No route to host|unreachable", "{host} can't be reached{on_port}: {said}"),
    (
        r"HOST IDENTIFICATION HAS CHANGED",
        "The host key of {host} is another one than in your known_hosts file. If you know why (it was installed anew), "
        "remove the old one: ssh-keygen -R {known}",
    ),
    (
        r"Host key verification failed|host key is known for",
        "The host key of {host} isn't known on this machine. Connect once by hand, compare the fingerprint, and accept "
        "it: {ssh}",
    ),
    (
        r"Permission denied",
        "{login} refuses your ssh keys. Give it one: ssh-copy-id{port} {login}; a key with a passphrase goes to the "
        "agent: ssh-add. ({said})",
    ),
    (r"configuration option|open user config file", "Your ssh configuration: {said}"),
)


def unreachable(said: str, address: Address) -> str:
    """The message for a connection that could not be made.

    Args:
        said: what ssh printed on standard error.
        address: where to.
    """
    port = address.port
    facts = {
        "host": address.host,
        "login": address.login,
        "ssh": address.command(),
        "port": f" -p {port}" if port else "",
        "on_port": f" on port {port}" if port else "",
        "known": f"'[{address.host}]:{port}'" if port not in (None, 22) else address.host,
    }
    for pattern, message in _UNREACHABLE:
        if line := re.search(f".*(?:{pattern}).*", said):
            return message.format(said=line[0].strip(), **facts)
    return f"ssh can't connect to {address.login}: {last_line(said)}"


def last_line(said: str) -> str:
    """The last line that isn't empty."""
    return next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "it gives no reason")
