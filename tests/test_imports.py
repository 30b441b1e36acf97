"""The packages' dependency direction, what stays light to import, and the public names of `tkit`."""

import subprocess
import sys
from pathlib import Path

import pytest

import tkit.stages

ALL_MODULES = """
import importlib, pkgutil, {package} as package
skip = {skip!r}
for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if info.name.rpartition(".")[2] != "__main__" and not info.name.startswith(skip):
        importlib.import_module(info.name)
"""


# `Schedule` is a callback of Keras's, whose class must be there.
DOCUMENTATION = """
import inspect, pydoc, tkit
for name in (name for name in tkit.__all__ if name != "Schedule"):
    public = getattr(tkit, name)
    assert pydoc.render_doc(public) and public.__doc__, name
    if inspect.isfunction(public):
        assert "self" not in inspect.signature(public).parameters, name
"""


def all_modules(package, skip=()):
    return ALL_MODULES.format(package=package, skip=skip)


def imported(code):
    """The modules in sys.modules after `code` has run in a process of its own."""
    code += "\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def packages(modules):
    return {module.partition(".")[0] for module in modules}


def test_the_check_sees_what_is_imported():
    assert {"json", "numpy"} <= imported("import json, numpy")
    assert "tkit_pipelines.config" in imported(all_modules("tkit_pipelines"))


def test_tkit_edge_imports_nothing_of_tkit_and_no_tensorflow():
    heavy = {"tkit", "tkit_pipelines", "tensorflow", "keras", "pydantic", "rich", "click", "sklearn"}
    assert not heavy & packages(imported(all_modules("tkit_edge")))


def test_tkit_pipelines_imports_nothing_of_tkit_and_tensorflow_only_when_used():
    assert not {"tkit", "tensorflow", "keras"} & packages(
        imported(all_modules("tkit_pipelines", skip=("tkit_pipelines.batches",)))
    )
    assert "tkit" not in packages(imported(all_modules("tkit_pipelines")))


def test_models_know_neither_training_nor_recipes():
    modules = imported(all_modules("tkit.models") + all_modules("tkit.keras_files", skip=("tkit.keras_files.child",)))
    assert {"tkit.models.resnet", "tkit.keras_files.reader"} <= modules
    others = ("tkit.training", "tkit.conversion", "tkit.compression", "tkit.recipe", "tkit.stages")
    assert not [name for name in modules if name.startswith(others)]


def test_recipes_and_run_folders_need_no_tensorflow():
    modules = imported("import tkit.run_folder, tkit.recipe_loading; tkit.recipe_loading.load('cifar10_resnet20')")
    assert "pydantic" in modules
    assert not {"tensorflow", "keras", "sklearn"} & packages(modules)


def test_importing_tkit_imports_nothing_else():
    modules = imported("import tkit; dir(tkit); tkit.list_recipes()")
    assert not {"numpy", "pydantic", "click", "tensorflow"} & packages(modules)


def test_help_of_every_public_name_imports_neither_tensorflow_nor_what_draws():
    modules = packages(imported(DOCUMENTATION))
    assert "tkit" in modules
    assert not {"tensorflow", "keras", "sklearn", "matplotlib", "rich"} & modules


def test_every_stage_is_public():
    stages = {path.stem for path in Path(tkit.stages.__file__).parent.glob("[!_]*.py")}
    assert stages <= set(tkit.__all__)


def test_every_public_name_is_there_and_stays_a_function_beside_the_module_of_its_name():
    code = f"""{DOCUMENTATION}
from tkit import _quiet
_quiet.silence()
import tkit.training.config, tkit.run_folder, tkit.conversion.config
functions = ("adopt", "bench", "data", "doctor", "evaluate", "export", "fit", "inspect", "predict", "run")
for name in (*functions, "load_recipe", "list_recipes"):
    assert inspect.isfunction(getattr(tkit, name)), name
for name in tkit.__all__:
    assert name in dir(tkit) and getattr(tkit, name).__doc__, name
assert tkit.Recipe.__name__ == "Recipe" and tkit.Run.__name__ == "Run"
import tkit.training.engine
assert inspect.isfunction(tkit.fit)
"""
    assert "tensorflow" in imported(code)


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        _ = tkit.nope


def test_the_packages_carry_their_distributions_versions():
    from importlib.metadata import version

    import tkit_edge

    assert tkit.__version__ == version("keras-tkit")
    assert tkit_edge.__version__ == version("tkit-edge")
