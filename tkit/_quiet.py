"""Keeps TensorFlow's start-up chatter off the terminal, and lets everything else through.

`TF_CPP_MIN_LOG_LEVEL` silences TensorFlow's C++ lines only after its logging has been set up; the ones that
it writes while it is being imported (oneDNN, CUDA stubs, the absl warning) ignore every variable. They are
filtered out of standard error during that one import, by their text: an unknown line reaches the terminal.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from tkit import console
from tkit_pipelines import notebook

_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\)"
    rb"|[IWE]\d{4} .*\b(port|cudart_stub|cuda_platform|cpu_feature_guard|computation_placer)\.cc:\d+\]"
    rb"|[IWE]\d{4} .*\b(util|node_def_util)\.cc:\d+\]"
    rb"|[IWE]\d{4} .*Unable to register cu\w+ factory"
    rb"|To enable the following instructions: .* rebuild TensorFlow"
    rb"|INFO: Created TensorFlow Lite XNNPACK delegate"
)

_LOGGERS = ("tensorflow", "absl", "h5py")
_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_silent = False
_levels: dict[str, int] = {}
"""Of the loggers that are silenced, as they were."""

import_seconds: float | None = None
"""What TensorFlow's import took, where `silence` was called before it."""


def silence() -> None:
    """From now on TensorFlow, whenever it is imported in this process or a child, prints nothing but its errors.

    Call it before TensorFlow is imported; variables that the user has set stay as they are.
    """
    global _silent
    _silent = True
    silence_import()
    warnings.filterwarnings("ignore", module=r"(tensorflow|keras|h5py|google)\.")
    _errors_only("matplotlib")  # where it may not write its cache
    if "tensorflow" in sys.modules:
        _errors_only(*_LOGGERS)


def silence_import() -> None:
    """TensorFlow's native lines stay away from its import on; its loggers and all warnings are left alone."""
    os.environ.setdefault(_LEVEL, "3")
    if "tensorflow" not in sys.modules and not _finders():
        sys.meta_path.insert(0, _Finder())


@contextmanager
def silenced() -> Iterator[None]:
    """`silence` for a block: what it has changed is as before when the block ends. With -v all is printed.

    TensorFlow reads the level of its native lines once, while it is imported: of a TensorFlow that is imported inside
    they stay away for good, of one that was there before they stay as they are; in a notebook, where Python's own lines
    take another way, the known ones are dropped.
    """
    global _silent
    if _silent or console.level() == "verbose":
        yield
        return
    variable, kept = os.environ.get(_LEVEL), _finders()
    try:
        with warnings.catch_warnings(), chatter_dropped() if notebook.running() else nullcontext():
            silence()
            yield
    finally:
        _silent = False
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder in kept or finder not in _finders()]
        for name, level in _levels.items():
            logging.getLogger(name).setLevel(level)
        _levels.clear()
        if variable is None:
            os.environ.pop(_LEVEL, None)


def _finders() -> list[MetaPathFinder]:
    return [finder for finder in sys.meta_path if isinstance(finder, _Finder)]


def _errors_only(*names: str) -> None:
    """Python's loggers; TensorFlow's after its import, because absl must make its own logger itself."""
    for name in names:
        logger = logging.getLogger(name)
        _levels.setdefault(name, logger.level)
        logger.setLevel(max(logger.level, logging.ERROR))


@contextmanager
def chatter_dropped(everything: bool = False) -> Iterator[None]:
    """Standard error without the known lines, native code's too; the rest is written when the block ends.

    With `everything` no line is written: for calls whose errors are exceptions, such as the TFLite converter's. With -v
    all of it is shown as it comes.
    """
    if console.level() == "verbose":
        yield
        return
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            caught.seek(0)
            for line in caught:
                if not everything and not _CHATTER.match(line):
                    console.rest()
                    os.write(2, line)


class _Finder(MetaPathFinder):
    """Wraps the one import of TensorFlow in `chatter_dropped`, then is gone."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def quietly(module: ModuleType) -> None:
                global import_seconds
                began = time.perf_counter()
                with chatter_dropped():
                    execute(module)
                import_seconds = time.perf_counter() - began
                if _silent:
                    _errors_only(*_LOGGERS)

            spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec
