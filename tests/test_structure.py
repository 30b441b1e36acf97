"""The house's structure: no circles, short files, short functions, Keras's private names in one place."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("tkit", "pipelines/tkit_pipelines", "edge/tkit_edge")
MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 60


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
