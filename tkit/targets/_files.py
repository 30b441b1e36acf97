"""A target that this machine stands in for, or compiles for: it takes files one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tkit import console
from tkit.targets import Target
from tkit_edge import files, flatbuffer
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.graph import macs, parameters
from tkit_edge.judge import Judge


@dataclass(frozen=True)
class ModelFile:
    """A .tflite file, by itself or of a bundle."""

    path: Path
    format: str | None
    """Its name in the bundle."""
    bundle: Bundle | None

    def judge(self, test: Path | None) -> Judge | None:
        """What is right of the test examples, where there are any."""
        return None if test is None else Judge.of(test, self.bundle, self.path)

    def facts(self) -> dict[str, Any]:
        """What a row of a measurement has of every file."""
        data = files.read_bytes(self.path)
        graph = flatbuffer.read(data, str(self.path))
        return {
            "file": self.path.name,
            "format": self.format,
            "bytes": len(data),
            "macs": macs(graph),
            "parameters": parameters(graph),
        }


class FileTarget(Target):
    """A target for single files; those that it can't take are named in the document's `cannot`."""

    preferred: ClassVar[tuple[str, ...]] = ()
    """The formats that are worth a try."""

    def each(
        self, subject: Path, formats: Sequence[str], do: Callable[[ModelFile], Any]
    ) -> tuple[list[Any], list[str]]:
        """What `do` gives for each file that the target can take, and why it can't take the others.

        Args:
            subject: a bundle's folder, or a file.
            formats: which files of a bundle; where none is named the `preferred` ones, else all.
            do: raises InputError for a file that the target can't take.

        Raises:
            InputError: it can take none.
        """
        found, errors = [], []
        for file in self._files(subject, formats):
            console.progress(f"{self.title}: {file.path.name}")
            try:
                found.append(do(file))
            except InputError as error:
                errors.append(str(error))
        if not found:
            raise InputError("\n  ".join(errors))
        return found, errors

    def told(self, found: dict[str, Any], errors: Sequence[str], **facts: Any) -> dict[str, Any]:
        """The target's document."""
        document = self.document(found, **facts)
        return {**document, "cannot": [*document["cannot"], *errors]}

    def _files(self, subject: Path, formats: Sequence[str]) -> list[ModelFile]:
        if not subject.is_dir():
            return [ModelFile(subject, None, None)]
        bundle = Bundle.read(subject)
        names = formats or [fmt for fmt in self.preferred if fmt in bundle.models] or bundle.models
        return [ModelFile(bundle.path(fmt), fmt, bundle) for fmt in names]
