"""tkit: from a Keras 3 recipe to a measured .tflite.

    run = tkit.run("digits_cnn")

or a Keras script of one's own, with its own training loop:

    model = tkit.quantize_aware(model, calibration=x[:500])

Names are imported when they are first used, so that `import tkit` costs nothing. The functions are verbs (`tkit.fit`,
`tkit.export`), the packages nouns (`tkit.training`, `tkit.conversion`).
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tkit.compressible.schedule import Schedule as Schedule
    from tkit.library.clusterable import clusterable as clusterable
    from tkit.library.load_model import load_model as load_model
    from tkit.library.narrow import narrow as narrow
    from tkit.library.prunable import prunable as prunable
    from tkit.library.quantize_aware import quantize_aware as quantize_aware
    from tkit.library.report_on import report_on as report_on
    from tkit.library.strip import strip as strip
    from tkit.library.to_tflite import to_tflite as to_tflite
    from tkit.recipe import Recipe as Recipe
    from tkit.recipe_loading import load as load_recipe
    from tkit.recipes import names as list_recipes
    from tkit.run_folder import Run as Run
    from tkit.stages.adopt import adopt as adopt
    from tkit.stages.bench import bench as bench
    from tkit.stages.bench_file import bench_file as bench_file
    from tkit.stages.bench_on import bench_on as bench_on
    from tkit.stages.cache import cache as cache
    from tkit.stages.check import check as check
    from tkit.stages.compare import compare as compare
    from tkit.stages.compress import compress as compress
    from tkit.stages.data import data as data
    from tkit.stages.doctor import doctor as doctor
    from tkit.stages.evaluate import evaluate as evaluate
    from tkit.stages.export import export as export
    from tkit.stages.fit import fit as fit
    from tkit.stages.hand_over import hand_over as hand_over
    from tkit.stages.inspect import inspect as inspect
    from tkit.stages.predict import predict as predict
    from tkit.stages.predict_on import predict_on as predict_on
    from tkit.stages.run import run as run
    from tkit.stages.sample import sample as sample
    from tkit.stages.why_int8 import why_int8 as why_int8

    __version__: str

_SOURCES = {
    "Recipe": ("tkit.recipe", "Recipe"),
    "Run": ("tkit.run_folder", "Run"),
    "Schedule": ("tkit.compressible.schedule", "Schedule"),
    "adopt": ("tkit.stages.adopt", "adopt"),
    "bench": ("tkit.stages.bench", "bench"),
    "bench_file": ("tkit.stages.bench_file", "bench_file"),
    "bench_on": ("tkit.stages.bench_on", "bench_on"),
    "cache": ("tkit.stages.cache", "cache"),
    "check": ("tkit.stages.check", "check"),
    "clusterable": ("tkit.library.clusterable", "clusterable"),
    "compare": ("tkit.stages.compare", "compare"),
    "compress": ("tkit.stages.compress", "compress"),
    "data": ("tkit.stages.data", "data"),
    "doctor": ("tkit.stages.doctor", "doctor"),
    "evaluate": ("tkit.stages.evaluate", "evaluate"),
    "export": ("tkit.stages.export", "export"),
    "fit": ("tkit.stages.fit", "fit"),
    "hand_over": ("tkit.stages.hand_over", "hand_over"),
    "inspect": ("tkit.stages.inspect", "inspect"),
    "list_recipes": ("tkit.recipes", "names"),
    "load_model": ("tkit.library.load_model", "load_model"),
    "load_recipe": ("tkit.recipe_loading", "load"),
    "narrow": ("tkit.library.narrow", "narrow"),
    "predict": ("tkit.stages.predict", "predict"),
    "predict_on": ("tkit.stages.predict_on", "predict_on"),
    "prunable": ("tkit.library.prunable", "prunable"),
    "quantize_aware": ("tkit.library.quantize_aware", "quantize_aware"),
    "report_on": ("tkit.library.report_on", "report_on"),
    "run": ("tkit.stages.run", "run"),
    "sample": ("tkit.stages.sample", "sample"),
    "strip": ("tkit.library.strip", "strip"),
    "to_tflite": ("tkit.library.to_tflite", "to_tflite"),
    "why_int8": ("tkit.stages.why_int8", "why_int8"),
}

__all__ = [
    "Recipe",
    "Run",
    "Schedule",
    "adopt",
    "bench",
    "bench_file",
    "bench_on",
    "cache",
    "check",
    "clusterable",
    "compare",
    "compress",
    "data",
    "doctor",
    "evaluate",
    "export",
    "fit",
    "hand_over",
    "inspect",
    "list_recipes",
    "load_model",
    "load_recipe",
    "narrow",
    "predict",
    "predict_on",
    "prunable",
    "quantize_aware",
    "report_on",
    "run",
    "sample",
    "strip",
    "to_tflite",
    "why_int8",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("keras-tkit")
    if name not in _SOURCES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _SOURCES[name]
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


if "ipykernel" in sys.modules:  # in a notebook TensorFlow is often imported by hand, after this
    from tkit import _quiet

    _quiet.silence_import()
