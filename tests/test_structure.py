"""The structure: no circles, short files, short functions, Keras's private names in one module."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("tkit", "pipelines/tkit_pipelines", "edge/tkit_edge")
MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 60
LONG_FUNCTIONS: set[str] = set()
"""The functions that are longer, of which there may be three."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
KNOWN = {"_asdict", "_replace", "_fields", "_exit"}
"""Public names with an underscore: of named tuples and of `os`."""


def modules():
    """Every module's name, file, and whether it is a package's `__init__`."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = [Path(package).name, *path.relative_to(ROOT / package).with_suffix("").parts]
            is_package = parts[-1] == "__init__"
            yield ".".join(parts[: -1 if is_package else None]), path, is_package


def imports(files):
    """By module, the modules of ours that it imports anywhere, for types too."""
    found = defaultdict(set)
    for name, tree in files.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                wanted = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                wanted = [f"{node.module}.{alias.name}" for alias in node.names]
                wanted = [item if item in files else node.module for item in wanted]
            else:
                continue
            found[name] |= {item for item in wanted if item in files and item != name}
    return found


def circles(graph):
    """The groups of nodes that reach each other (Tarjan 1972)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


@pytest.fixture(scope="module")
def ours():
    """The imports of every module; `tkit`'s own names are imported when they are used, by the caller."""
    found = imports({name: ast.parse(path.read_text()) for name, path, _ in modules()})
    del found["tkit"]
    return found


def test_no_circle_between_modules(ours):
    assert circles(ours) == []


def test_no_circle_between_packages(ours):
    """Modules directly in `tkit` and `tkit_pipelines` are what the packages share, and stand for themselves."""
    inside = {name for name, _, is_package in modules() if is_package}

    def package(name):
        parent = name if name in inside else name.rpartition(".")[0]
        return parent if "." in parent else name

    graph = defaultdict(set)
    for name, wanted in ours.items():
        graph[package(name)] |= {package(item) for item in wanted} - {package(name)}
    assert circles(graph) == []


def test_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_no_file_is_longer_than_a_person_reads_at_once():
    paths = [path for folder in (*PACKAGES, "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    lines = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in paths}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_functions_are_short():
    found = {
        f"{name}.{node.name}"
        for name, path, _ in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, FUNCTIONS) and node.end_lineno - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    }
    assert found == LONG_FUNCTIONS and len(found) <= 3


def private_names(tree):
    """The names with an underscore that are read of anything, and those that the module itself defines."""
    read, defined = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            own = isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name) and node.value.id == "self"
            (defined if own else read).add(node.attr)
        elif isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            defined.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
    return read, defined


def test_keras_private_names_are_in_one_module():
    trees = {name: ast.parse(path.read_text()) for name, path, _ in modules() if name != "tkit.keras_internals"}
    names = {name: private_names(tree) for name, tree in trees.items()}
    ours = set().union(*(defined for _, defined in names.values()))
    found = {name: read - ours - KNOWN for name, (read, _) in names.items() if read - ours - KNOWN}
    assert found == {"tkit.compression.tfmot.int8": {"_weight_vars"}}  # TFMOT's
    wanted = {node.module for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [module for module in wanted if module and module.startswith("keras.src")]


def test_a_private_name_of_somebody_else_is_found():
    read, defined = private_names(ast.parse("class A:\n def f(self, x):\n  self._own = x._theirs\n  return self._own"))
    assert read - defined == {"_theirs"}
