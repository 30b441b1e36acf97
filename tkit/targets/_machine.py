"""A machine with Python: `tkit-edge` runs there, and its JSON comes back."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

from tkit import console
from tkit.bench_config import Bench
from tkit.targets import Target
from tkit_edge.bundle import Bundle
from tkit_edge.errors import BoundError, InputError

UNTIMED = ("file", "format", "bytes", "macs", "parameters", "threads", "kernels", "score", "golden")
"""What a row of a measurement tells where the clock and the memory mean nothing."""
UNTIMED_PARTS = ("start", "conditions", "power", "reading")
"""What the rest of it doesn't tell then."""
ERROR = "tkit-edge: "
"""What its error begins with."""


class Ran(NamedTuple):
    """A command that has ended."""

    code: int
    output: str
    """Its standard output."""
    errors: str
    """The end of its standard error, from tkit-edge's own error on; what came before it was shown as it came."""


class Progress:
    """tkit-edge's standard error as it comes: lines of progress are shown, its error isn't.

    Args:
        named: from the text as it comes to the text for people.
        quiet: don't show progress.
    """

    def __init__(self, named: Callable[[str], str] = str, *, quiet: bool = False) -> None:
        self._named, self._quiet = named, quiet
        self._lines: list[bytes] = []
        self._rest = b""

    def read(self, data: bytes) -> None:
        """Takes the next bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self._lines or line.startswith(ERROR.encode()):
                self._lines.append(line)
            elif not self._quiet:
                console.progress(self._named(line.decode(errors="replace")))

    def errors(self) -> str:
        """What came from tkit-edge's error on."""
        return self._named(b"\n".join([*self._lines, self._rest]).decode(errors="replace"))


class Session(Protocol):
    """A machine that has been reached."""

    @property
    def facts(self) -> dict[str, Any]:
        """What it is, for the document's `device`."""
        ...

    def put(self, path: Path, formats: Sequence[str] = ()) -> str:
        """Brings a file or a bundle there; its path there.

        Args:
            path: the file, or the bundle's folder.
            formats: of a bundle, the only models that are needed; all where none is named.
        """
        ...

    def edge(self, arguments: Sequence[str]) -> Ran:
        """Runs `tkit-edge` there; its progress goes where this process's does."""
        ...


class Machine(Target):
    """A machine with Python, numpy and a LiteRT runtime."""

    timed: ClassVar[bool] = True
    """Whether the clock and the memory there mean anything."""

    @abstractmethod
    def session(self) -> AbstractContextManager[Session]:
        """Reaches the machine; nothing is left there when the block ends.

        Raises:
            InputError: it can't be reached, or lacks what tkit-edge needs; with the command that mends it.
        """

    def check(self, bundle: Path) -> dict[str, Any]:
        """`Target.check`."""
        with self.session() as there:
            return self._document(there, "check", there.put(bundle), "--json")

    def bench(self, subject: Path, settings: Bench, test: Path | None = None) -> dict[str, Any]:
        """`Target.bench`."""
        with self.session() as there:
            arguments = ["bench", there.put(subject, settings.formats), "--json", "--seconds", str(settings.seconds)]
            arguments += ["--precision", str(settings.precision)]
            if settings.most_seconds is not None:
                arguments += ["--most-seconds", str(settings.most_seconds)]
            arguments += ["--operators"] if settings.operators and self.timed else []
            arguments += ["--test", there.put(test)] if test is not None else []
            for option in ("formats", "threads", "kernels"):
                if values := getattr(settings, option):
                    arguments += [f"--{option}", ",".join(map(str, values))]
            if settings.budget.p50_ratio is not None and settings.budget.reference.endswith(".tflite"):
                arguments += ["--also", there.put(Path(settings.budget.reference))]
            found = self._document(there, *arguments)
        if not self.timed:
            found["results"] = [
                {key: value if key in UNTIMED else None for key, value in row.items()} for row in found["results"]
            ]
            found.update(dict.fromkeys(UNTIMED_PARTS))
        return found

    def predict(self, bundle: Path, items: Sequence[str], format: str | None, top: int | None) -> dict[str, Any]:
        """`Target.predict`; items that are files here are brought there."""
        read = Bundle.read(bundle)
        format, found = format or read.default_format, list(read.input.items(items))
        options = ["--format", format, *(["--top", str(top)] if top is not None else [])]
        if not found:
            raise InputError(f"Found no {read.input.example} in {', '.join(items)}.")
        with self.session() as there:
            folder = there.put(bundle, [format])
            given = [there.put(item) if isinstance(item, Path) else str(item) for item in found]
            return self._document(there, "predict", folder, *options, "--json", "--", *given)

    def _document(self, there: Session, *arguments: str) -> dict[str, Any]:
        ran = there.edge(arguments)
        # A check that fails, and predictions of which some have an error, are documents too.
        if ran.code not in (0, InputError.exit_code, BoundError.exit_code) or not ran.output.strip():
            said = ran.errors.strip().removeprefix(ERROR)
            raise InputError(said if ran.code == InputError.exit_code and said else _failed(self, arguments, ran))
        try:
            found = json.loads(ran.output)
        except ValueError as error:
            raise InputError(_failed(self, arguments, ran)) from error
        return self.document(found, **there.facts)


def _failed(target: Target, arguments: Sequence[str], ran: Ran) -> str:
    return (
        f"tkit-edge {arguments[0]} failed on {target.title} with exit code {ran.code}. {ran.errors.strip()[-2000:]}"
    ).strip()
