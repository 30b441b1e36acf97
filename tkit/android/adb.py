"""An Android device, through `adb`, the client of the Android SDK's platform tools.

What is pushed and run is printed, word for word. It is in one new folder under /data/local/tmp, which is deleted at the
end.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tkit import console
from tkit_edge.errors import InputError

ROOT = "/data/local/tmp"
"""Where the shell's user may write and execute."""
_FOLDER = re.compile(re.escape(ROOT) + r"/tkit-\w+")
_STATES = {
    "unauthorized": "doesn't trust this computer yet: unlock it, and allow USB debugging from this computer",
    "authorizing": "is being asked to trust this computer: unlock it, and allow USB debugging",
    "offline": "doesn't answer: unplug it and plug it in again, or run adb kill-server",
    "no permissions": "can't be opened by this user: sudo apt install android-sdk-platform-tools-common",
}


class Adb:
    """A device that is connected.

    Args:
        serial: as `adb devices` lists it.
    """

    def __init__(self, serial: str) -> None:
        self.serial = serial

    @classmethod
    def find(cls, serial: str | None) -> Adb:
        """The device with that serial; without one, the only one that is connected.

        Raises:
            InputError: adb isn't installed, there is no such device or more than one, or it can't be used yet.
        """
        found = _devices()
        if not found:
            raise InputError(
                "adb sees no device. Plug one in, turn on USB debugging in its developer options; adb devices lists it."
            )
        if serial is None and len(found) > 1:
            raise InputError(
                f"adb sees {len(found)} devices; choose one: {' or '.join(f'adb:{name}' for name in found)}."
            )
        serial = next(iter(found)) if serial is None else serial
        if serial not in found:
            raise InputError(f"adb sees no device {serial!r}. It sees: {', '.join(found)}.")
        if found[serial] != "device":
            reason = _STATES.get(found[serial], f"is in the state {found[serial]!r}")
            raise InputError(f"The device {serial} {reason}.")
        return cls(serial)

    def property(self, name: str) -> str:
        """One of its system properties; empty where it has none of that name."""
        return self._shell(["getprop", name], shown=False).strip()

    def cores(self) -> int:
        """The processor cores that it has."""
        answer = self._shell(["nproc"], shown=False).strip()
        return int(answer) if answer.isdigit() else 1

    @contextmanager
    def folder(self) -> Iterator[str]:
        """A new folder there, which is deleted when the block ends.

        Raises:
            InputError: it can't be made; when the block ends, it couldn't be deleted.
        """
        made = self._shell(["mktemp", "-d", f"{ROOT}/tkit-XXXXXX"]).strip()
        if not _FOLDER.fullmatch(made):
            raise InputError(f"The device {self.serial} made no folder in {ROOT}: {made or 'it gives no reason'}")
        try:
            yield made
        finally:
            if self._run(["shell", f"rm -rf {made}"]).returncode:
                console.say(f"{self.serial}: {made} could not be deleted: adb -s {self.serial} shell rm -rf {made}")

    def push(self, source: Path, folder: str) -> str:
        """Copies a file into a folder there; its path there. InputError where that fails, as on a full disk."""
        path = f"{folder}/{source.name}"
        ran = self._run(["push", str(source), path])
        if ran.returncode:
            raise InputError(f"The device {self.serial} didn't take {source}: {_last_line(ran.stdout)}")
        return path

    def run(self, command: Sequence[str]) -> str:
        """What a command prints there; InputError where it fails."""
        return self._shell(command)

    def _shell(self, command: Sequence[str], shown: bool = True) -> str:
        ran = self._run(["shell", shlex.join(command)], shown)
        if ran.returncode:
            errors = re.findall(r"^(?:ERROR|error|adb): .*", ran.stdout, re.M)
            reason = " ".join(errors[-3:]) or _last_line(ran.stdout)
            raise InputError(
                f"The device {self.serial} ended {Path(command[0]).name} with exit code {ran.returncode}: {reason}"
            )
        return ran.stdout

    def _run(self, words: Sequence[str], shown: bool = True) -> subprocess.CompletedProcess[str]:
        command = ["adb", "-s", self.serial, *words]
        if shown:
            console.progress(shlex.join(command))
        return _call(command)


def _devices() -> dict[str, str]:
    """The state of each device by its serial."""
    ran = _call(["adb", "devices"])
    if ran.returncode:
        raise InputError(f"adb devices failed: {_last_line(ran.stdout)}")
    lines = [
        re.match(r"(\S+)\s+(no permissions|\S+)", line) for line in ran.stdout.partition("attached")[2].splitlines()
    ]
    return {line[1]: line[2] for line in lines if line}


def _call(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Runs adb; both of its outputs, in the order that they came."""
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError as error:
        raise InputError(
            "adb isn't installed here: sudo apt install adb, or the Android SDK's platform tools"
        ) from error


def _last_line(said: str) -> str:
    return next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "it gives no reason")
