"""Measure exported files: latency, memory, size, accuracy.

Each file runs through the LiteRT runtime in its own process, with 1 and n threads,
with and without XNNPACK. Your own .keras file becomes a run first (it needs --data)
and is exported if it wasn't yet; a bundle and any .tflite file are measured as they
are, without accuracy. A figure over its bound ends with exit code 3.

With --device they are measured there, and several devices side by side: a Raspberry
Pi over ssh, Android over adb, an emulated ARM64, TFLite Micro, an Ethos-U.

Examples:
  tkit bench runs/digits_cnn-1
  tkit bench runs/digits_cnn-1 --formats int8 --threads 1 --kernels xnnpack --seconds 5
  tkit bench runs/digits_cnn-1 --formats int8 --threads sweep --operators true
  tkit bench runs/digits_cnn-1 --max-bytes 60000 --max-p50-ratio 0.5 --at-least 0.9
  tkit bench runs/digits_cnn-1 --reference last-release.tflite --max-p50-ratio 1.05
  tkit bench model.keras --data ./images --pixels 0-1
  tkit bench model.tflite
  tkit bench runs/digits_cnn-1/float/export
  tkit bench runs/digits_cnn-1 --device ssh://pi@raspberrypi.local
  tkit bench runs/digits_cnn-1 --device local --device ethos-u:ethos-u55-128 --device tflm
  tkit bench runs/digits_cnn-1 --json
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import tkit
from tkit.cli import _model, _options
from tkit.cli._command import tkit_command

if TYPE_CHECKING:
    from tkit.keras_files.formats import Pixels
    from tkit.results.devices import DevicesResult


_SHORT = {
    "formats": ("bench.formats", "Which files, such as int8,float32."),
    "threads": ("bench.threads", "Thread counts, such as 1,4, or sweep."),
    "kernels": ("bench.kernels", "Some of xnnpack, builtin, reference."),
    "seconds": ("bench.seconds", "Measuring time per row, at least."),
    "precision": ("bench.precision", "How well each p50 is to be known. [default: 0.02]"),
    "most_seconds": ("bench.most_seconds", "Measuring time per row, at most. [default: 3 times --seconds]"),
    "operators": ("bench.operators", "true: time each operator too."),
    "max_bytes": ("bench.budget.bytes", "Bound on the size of the int8 file, in bytes."),
    "max_p50_ms": ("bench.budget.p50_ms", "Bound on its p50, in ms."),
    "max_p50_ratio": ("bench.budget.p50_ratio", "Bound on its p50, as a multiple of the reference's."),
    "reference": ("bench.budget.reference", "A format, or another .tflite file. [default: float32]"),
    "max_memory": ("bench.budget.peak_memory", "Bound on the peak memory, in bytes."),
    "at_least": ("bench.budget.accuracy", "Lowest accuracy on the test images, such as 0.9."),
}


def _short_options(command: Callable) -> Callable:
    """One option per override of `_SHORT`."""
    for name, (key, text) in reversed(_SHORT.items()):
        option = f"--{name.replace('_', '-')}"
        command = click.option(option, name, metavar="VALUE", help=f"{text} Short for {key}=VALUE.")(command)
    return command


@tkit_command(__doc__)
@_model.takes_a_model
@_options.variant_option
@_options.device_option(multiple=True)
@_options.install_option
@_short_options
@_options.json_option
@_options.overrides_argument
def command(
    run: Path,
    data: str | None,
    pixels: Pixels | None,
    skip_bad: bool,
    runs_dir: Path | None,
    variant: str | None,
    devices: tuple[str, ...],
    install: bool,
    as_json: bool,
    overrides: tuple[str, ...],
    **short: str | None,
) -> None:
    """`tkit bench`."""
    from tkit.keras_files.formats import is_model

    given = [f"{_SHORT[name][0]}={value}" for name, value in short.items() if value is not None]
    overrides = (*given, *overrides)
    with _options.results(as_json, "bench") as show:
        if run.suffix == ".tflite" or (run / "bundle.json").is_file():
            options = {"data": data, "pixels": pixels, "skip_bad": skip_bad, "runs_dir": runs_dir, "variant": variant}
            settings = _model.file_settings(run, options, overrides)
            if devices:
                return _show_devices(show, tkit.bench_on(run, devices, settings=settings, install=install))
            measured = tkit.bench_file(run, settings)
            return show(measured.metrics, _options.bench_table(measured.metrics))
        opened = _model.open_run(run, data, pixels, runs_dir, skip_bad, overrides)
        _options.silence_tensorflow()
        variant = variant or opened.variant
        if is_model(run) and f"{variant}/export" not in opened.manifest["stages"]:
            tkit.export(opened, variant=variant)
        if devices:
            return _show_devices(show, tkit.bench_on(opened, devices, variant=variant, install=install))
        tkit.bench(opened, variant=variant)
        summary = opened.summary("bench", variant)
        where = {key: summary[key] for key in ("run", "variant")}
        show({**where, **summary["metrics"]}, _options.bench_table(summary["metrics"]))


def _show_devices(show: Callable[[Any, str], None], found: DevicesResult) -> None:
    """Prints what devices gave; those that failed end the command."""
    from tkit_edge.errors import InputError

    shown = found.display()
    show(dict(found), shown.text(most=len(shown.rows)))
    if found.failures:
        raise InputError(f"Not measured: {', '.join(found.failures)}.")
