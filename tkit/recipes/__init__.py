"""tkit's own recipes, one file each: the file's name is the recipe's, its docstring's first line the summary."""

from __future__ import annotations

from pathlib import Path


def names() -> list[str]:
    """The names of tkit's recipes, without importing any of them."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.py") if file.stem != "__init__")


def summary(name: str) -> str:
    """The first line of a recipe's docstring, without importing it."""
    with open(Path(__file__).parent / f"{name}.py", encoding="utf-8") as file:
        return file.readline().strip().strip('"')
