"""tkit_edge stays light: it runs where TensorFlow and tkit's own dependencies are not."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tkit_edge

ROOT = Path(tkit_edge.__file__).parent
FORBIDDEN = {
    "tensorflow",
    "keras",
    "pydantic",
    "click",
    "rich",
    "tkit",
    "tkit_pipelines",
    "sklearn",
    "matplotlib",
}
PROBE = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def imported(package, folder):
    """The top-level modules that importing all of a package brings in."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, package], capture_output=True, text=True, cwd=folder, check=True
    )
    return set(done.stdout.split())


def test_all_modules_import_nothing_heavy():
    names = imported("tkit_edge", ROOT.parent)
    assert "numpy" in names
    assert not names & (FORBIDDEN | {"PIL", "ai_edge_litert"})  # these two come when they are used


def test_this_check_can_fail(tmp_path):
    (tmp_path / "pydantic.py").write_text("")
    (tmp_path / "heavy").mkdir()
    (tmp_path / "heavy" / "__init__.py").write_text("")
    (tmp_path / "heavy" / "part.py").write_text("import pydantic\n")
    assert "pydantic" in imported("heavy", tmp_path) & FORBIDDEN


def test_running_a_model_does_not_import_tensorflow(made):
    code = "import sys; from tkit_edge.runtime import Model; Model(sys.argv[1]); print('tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code, made / "int8.tflite"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("module", "costly"),
    [
        ("tkit_edge.classifier", {"_hashlib", "importlib.metadata", "multiprocessing", "concurrent.futures"}),
        ("tkit_edge.worker", {"_hashlib", "importlib.metadata", "tkit_edge.bench"}),
        ("tkit_edge.__main__", {"numpy", "multiprocessing", "tkit_edge.bench"}),
    ],
)
def test_what_takes_time_and_memory_is_imported_where_it_is_used(module, costly):
    """OpenSSL is 3.5 MiB, importlib.metadata 2."""
    code = "import sys; __import__(sys.argv[1]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, module], capture_output=True, text=True, check=True)
    assert module in done.stdout.split()
    assert not costly & set(done.stdout.split())


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_syntax_is_that_of_python_3_9(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
