"""Reading a JSON object whose author isn't trusted: each value is checked where it is taken."""

from __future__ import annotations

from typing import Any

from tkit_edge.errors import InputError

MAX_NAME_BYTES = 255  # of a file, on the usual file systems


def is_plain_name(name: str) -> bool:
    """Whether `name` can only be that of a file or folder right there: no path, nothing that leads out."""
    plain = bool(name) and name not in (".", "..") and name.isprintable() and not any(sign in name for sign in "/\\")
    return plain and len(name.encode()) <= MAX_NAME_BYTES


class Fields:
    """A JSON object and its place, for messages such as `bundle.json: input.height: expected int, ...`."""

    def __init__(self, value: Any, file: str, place: str = "") -> None:
        self.file = file
        self.place = place
        self.value = self._of_type(value, dict, place or "the whole")

    def get(self, key: str, kind: type | tuple[type, ...]) -> Any:
        """The value of `key`, of one of the types `kind`."""
        where = f"{self.place}{key}"
        if key not in self.value:
            raise InputError(f"{self.file}: {where} is missing.")
        return self._of_type(self.value[key], kind, where)

    def count(self, key: str, least: int = 1, most: int | None = None) -> int:
        """A whole number from `least` to `most`, without an upper bound by default."""
        number = self.get(key, int)
        if number < least or (most is not None and number > most):
            bound = f"at least {least}" if number < least else f"at most {most}"
            raise InputError(f"{self.file}: {self.place}{key}: expected {bound}, received {number}.")
        return number

    def texts(self, key: str) -> list[str]:
        """A list of strings, not empty."""
        items = self.get(key, list)
        if not items or not all(isinstance(item, str) for item in items):
            raise InputError(f"{self.file}: {self.place}{key}: expected a list of strings.")
        return items

    def file_name(self, key: str) -> str:
        """The name of a file in the same folder: no path that leads out of it."""
        name = self.get(key, str)
        if not is_plain_name(name):
            raise InputError(f"{self.file}: {self.place}{key}: expected a file's plain name, received {name[:60]!r}.")
        return name

    def part(self, key: str) -> Fields:
        """The object at `key`."""
        return Fields(self.get(key, dict), self.file, f"{self.place}{key}.")

    def items(self, key: str) -> list[Fields]:
        """A list of objects."""
        values = self.get(key, list)
        return [Fields(value, self.file, f"{self.place}{key}.{number}.") for number, value in enumerate(values)]

    def parts(self) -> dict[str, Fields]:
        """All keys with their objects; at least one."""
        if not self.value:
            raise InputError(f"{self.file}: {self.place.rstrip('.')} is empty.")
        return {key: self.part(key) for key in self.value}

    def _of_type(self, value: Any, kind: type | tuple[type, ...], where: str) -> Any:
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            names = " or ".join(item.__name__ for item in kinds)
            raise InputError(f"{self.file}: {where}: expected {names}, received {type(value).__name__}.")
        return value
