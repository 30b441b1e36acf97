"""A machine that OpenSSH reaches, such as a Raspberry Pi: tkit-edge and the files are brought there for a command."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from tkit.remote import environment
from tkit.remote.address import Address
from tkit.remote.connection import Connection
from tkit.remote.subset import members
from tkit.targets._machine import Machine, Progress, Ran
from tkit_edge.archive import write
from tkit_edge.bundle import Bundle


class Ssh(Machine):
    """A machine with an ssh server and Python 3.9 or newer."""

    kind: Literal["ssh"] = "ssh"
    host: str
    """A name of the ssh configuration or of the network, or an address."""
    user: str | None = None
    """By default what the ssh configuration says."""
    port: int | None = Field(None, gt=0, lt=1 << 16)
    """By default what the ssh configuration says."""
    python: str | None = None
    """The path of Python there; by default tkit's own environment, else python3."""
    ssh_config: Path | None = None
    """The ssh configuration file; the user's own by default."""
    install: bool = False
    """Whether tkit may make an environment of its own there where something is missing."""

    @classmethod
    def fields_of(cls, address: str) -> dict[str, Any]:
        """`Target.fields_of`."""
        return {name: value for name, value in Address.parse(address)._asdict().items() if value is not None}

    @property
    def address(self) -> Address:
        """Where it is."""
        return Address(self.host, self.user, self.port)

    @property
    def title(self) -> str:
        """Its address."""
        return f"ssh://{self.address.login}{f':{self.port}' if self.port else ''}"

    @contextmanager
    def session(self) -> Iterator[_There]:
        """`Machine.session`."""
        pythons = [f"~/{environment.FOLDER}/bin/python", "python3"] if self.python is None else [self.python]
        config = None if self.ssh_config is None else self.ssh_config.expanduser()
        with (
            tempfile.TemporaryDirectory(prefix="tkit-") as scratch,
            Connection(self.address, pythons, config) as there,
        ):
            python = there.facts["executable"]
            if lacking := environment.missing(there.facts, optional=self.install):
                if not self.install or self.python is not None:
                    raise environment.refuse(there, lacking, self.python)
                python = environment.install(there)
            program = there.put(write(Path(scratch) / "tkit-edge.pyz"), "tkit-edge.pyz")
            yield _There(there, [python, program], Path(scratch))


class _There:
    def __init__(self, there: Connection, program: Sequence[str], scratch: Path) -> None:
        self._there, self._program, self._scratch = there, program, scratch
        self._sent: dict[str, str] = {}
        """By the path there, the path here."""

    @property
    def facts(self) -> dict[str, Any]:
        return {"interpreter": self._program[0]}

    def put(self, path: Path, formats: Sequence[str] = ()) -> str:
        number = len(self._sent)
        if path.is_dir():
            found = self._put_bundle(path, formats, f"{number}/{path.resolve().name}")
        else:
            found = self._there.put(path, f"{number}/{path.name}")
        self._sent[found] = str(path)
        return found

    def edge(self, arguments: Sequence[str]) -> Ran:
        progress = Progress(self._named)
        ran = self._there.run([*self._program, *arguments], progress.read)
        output = ran.output.decode(errors="replace")
        for path, here in self._sent.items():
            output = output.replace(json.dumps(path)[1:-1], json.dumps(here)[1:-1])
        return Ran(ran.code, output, progress.errors())

    def _named(self, text: str) -> str:
        """A text with the paths here in the place of those there."""
        for path, here in self._sent.items():
            text = text.replace(path, here)
        return text

    def _put_bundle(self, folder: Path, formats: Sequence[str], name: str) -> str:
        """Brings the bundle's files there, of the models only those of the formats; bundle.json last."""
        bundle = Bundle.read(folder)
        for path, source in members(bundle, formats or bundle.models, self._scratch).items():
            made = self._there.put(source, f"{name}/{path}")
        return made.removesuffix("/bundle.json")
