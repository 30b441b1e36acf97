"""An Android device: LiteRT's `benchmark_model`, which the user has, is pushed there and measures the files."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from tkit import console
from tkit.android import benchmark_model
from tkit.android.adb import Adb as Client
from tkit.bench_config import Bench
from tkit.targets import Target
from tkit.targets._files import ModelFile
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.report import VERSION
from tkit_edge.settings import thread_counts
from tkit_edge.text import counted

PAGE = "docs/android.md"
_PROPERTIES = {
    "model": "ro.product.model",
    "processor": "ro.soc.model",
    "android": "ro.build.version.release",
    "abi": "ro.product.cpu.abi",
}


class Adb(Target):
    """An Android device that adb has connected to."""

    kind: Literal["adb"] = "adb"
    serial: str | None = None
    """As `adb devices` lists it; not needed where one device is connected."""
    benchmark_model: Path | None = None
    """LiteRT's benchmark_model for the device's processor, on this machine."""

    @classmethod
    def fields_of(cls, address: str) -> dict[str, Any]:
        """`adb:emulator-5554` is one of several devices."""
        return {"serial": address} if address else {}

    @property
    def title(self) -> str:
        """`Target.title`."""
        return "adb" if self.serial is None else f"adb:{self.serial}"

    @property
    def cannot(self) -> tuple[str, ...]:
        """`Target.cannot`."""
        return (
            "accuracy and golden samples (benchmark_model runs on random inputs)",
            "p90 and p99 (benchmark_model gives a median and a 95th percentile)",
        )

    def check(self, bundle: Path) -> dict[str, Any]:
        """Raises InputError: outputs can't be compared."""
        raise InputError(
            "adb can't check a bundle: benchmark_model runs on random inputs and shows no outputs. Check it in the app."
        )

    def predict(self, bundle: Path, items: Sequence[str], format: str | None, top: int | None) -> dict[str, Any]:
        """Raises InputError: outputs can't be seen."""
        raise InputError("adb can't predict: benchmark_model runs on random inputs and shows no outputs.")

    def bench(self, subject: Path, settings: Bench, test: Path | None = None) -> dict[str, Any]:
        """`Target.bench`, without a score."""
        tool = self._tool()
        device = Client.find(self.serial)
        facts = {name: device.property(key) for name, key in _PROPERTIES.items()}
        runs = [*device.property("ro.product.cpu.abilist").split(","), facts["abi"]]
        if benchmark_model.abi(tool) not in runs:
            raise InputError(
                f"{tool} is for {benchmark_model.abi(tool)}, {facts['model']} runs {facts['abi']}: see {PAGE}."
            )
        cores = device.cores()
        with device.folder() as folder:
            program = device.push(tool, folder)
            device.run(["chmod", "755", program])
            rows = [
                row
                for file in _files(subject, settings)
                for row in _measured(device, program, file, device.push(file.path, folder), settings, cores)
            ]
        found = {
            "kind": "bench",
            "version": VERSION,
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "seconds": settings.seconds,
            "results": rows,
        }
        return self.document(found, serial=device.serial, **facts, cores=cores, tool=tool.name)

    def _tool(self) -> Path:
        if self.benchmark_model is None:
            raise InputError(
                f"{self.title} needs LiteRT's benchmark_model for the device. Name it in devices.toml: "
                f'benchmark_model = "/path/benchmark_model" ({PAGE} has where to get it).'
            )
        return self.benchmark_model.expanduser()


def _files(subject: Path, settings: Bench) -> list[ModelFile]:
    """The files to measure."""
    if not subject.is_dir():
        return [ModelFile(subject, None, None)]
    bundle = Bundle.read(subject)
    return [ModelFile(bundle.path(fmt), fmt, bundle) for fmt in settings.formats or bundle.models]


def _measured(
    device: Client, program: str, file: ModelFile, there: str, settings: Bench, cores: int
) -> Iterator[dict[str, Any]]:
    """A row for each number of threads and each set of kernels that really ran."""
    facts = file.facts()
    seen: set[tuple[int, str]] = set()
    for kernels in settings.kernels:
        if kernels == "reference":
            console.say("benchmark_model has no reference kernels: not measured.")
            continue
        for threads in thread_counts(settings.threads or None, cores):
            options = benchmark_model.arguments(there, threads, kernels, settings.seconds)
            timing = benchmark_model.parsed(device.run([program, *options]))
            if (threads, timing.kernels) in seen:
                continue
            seen.add((threads, timing.kernels))
            told = f"{file.path.name}, {counted(threads, 'thread')}, {timing.kernels}"
            console.progress(f"{told}: {timing.mean_ms:.3f} ms on average")
            yield {
                **facts,
                "threads": threads,
                **timing._asdict(),
                "runs_per_second": 1e3 / timing.mean_ms,
                "score": None,
                **({} if timing.p50_ms else {"note": f"mean {timing.mean_ms:.3f} ms (it gives no median)"}),
            }
