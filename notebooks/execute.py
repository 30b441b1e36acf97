"""Executes the notebooks in this folder, each in a new kernel and an empty folder, and rewrites their outputs.

make notebooks
python notebooks/execute.py 1-first-model.ipynb    # one of them

What is kept of the outputs doesn't depend on the machine's folders or on when it was executed.
"""

import argparse
import ast
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

FOLDER = Path(__file__).parent
NOTEBOOKS = sorted(FOLDER.glob("[0-9]*.ipynb"))
TIMEOUT = 600  # seconds that a cell may take
MOST_LINES = 40  # of one stream in a committed notebook
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def read(path: Path) -> NotebookNode:
    """A notebook as it is committed."""
    return nbformat.read(path, as_version=4)


def parameters(notebook: NotebookNode) -> dict[str, Any]:
    """The names and values of the cell with papermill's tag `parameters`."""
    assignments = ast.parse(_parameter_cell(notebook).source).body
    return {node.targets[0].id: ast.literal_eval(node.value) for node in assignments if isinstance(node, ast.Assign)}


def execute(notebook: NotebookNode, **changed: Any) -> NotebookNode:
    """Runs all cells and returns the notebook with their outputs, cleaned.

    Args:
        notebook: as `read` gives it; it isn't changed.
        changed: other values of its parameters.

    Raises:
        ValueError: a parameter that the notebook doesn't have.
        CellExecutionError: a cell that fails.
    """
    if unknown := sorted(changed.keys() - parameters(notebook).keys()):
        raise ValueError(f"no parameters of this notebook: {', '.join(unknown)}")
    executed = nbformat.from_dict(notebook)
    where = executed.cells.index(_parameter_cell(executed)) + 1
    executed.cells.insert(where, new_code_cell("\n".join(f"{name} = {value!r}" for name, value in changed.items())))
    with tempfile.TemporaryDirectory(prefix="notebook-") as folder:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TKIT_", "TF_"))}
        environment = kept | {"TMPDIR": folder, "IPYTHONDIR": folder}
        client = NotebookClient(
            executed,
            timeout=TIMEOUT,
            record_timing=False,
            resources={"metadata": {"path": folder}},
            extra_arguments=["--log-level=ERROR"],  # the kernel's own, which warns of TCP on one machine
        )
        client.execute(env=environment)
        del executed.cells[where]
        return _cleaned(executed, {folder: ".", str(FOLDER.parent): ".", str(Path.home()): "~"})


def _parameter_cell(notebook: NotebookNode) -> NotebookNode:
    (found,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    return found


def _cleaned(notebook: NotebookNode, folders: dict[str, str]) -> NotebookNode:
    """The notebook without this machine's folders, addresses and versions, without widgets, with short streams."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), start=1):
        cell.execution_count = number
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number
            if output.output_type == "stream":
                output.text = _shortened(_neutral(output.text, folders))
            for kind, value in output.get("data", {}).items():
                if isinstance(value, str) and not kind.startswith("image/"):
                    output.data[kind] = _neutral(value, folders)
        cell.outputs = [
            output
            for output in cell.outputs
            if "application/vnd.jupyter.widget-view+json" not in output.get("data", ())
        ]
    return notebook


def _neutral(text: str, folders: dict[str, str]) -> str:
    for folder, name in folders.items():
        text = text.replace(folder, name)
    return _ADDRESS.sub("", text)


def _shortened(text: str) -> str:
    """A stream as it looks in the end, where lines were overwritten, without its middle where it is long."""
    lines = [line.rpartition("\r")[2] for line in text.replace("\r\n", "\n").split("\n")]
    if len(lines) > MOST_LINES:
        lines[MOST_LINES // 2 : -MOST_LINES // 2] = ["..."]
    return "\n".join(lines)


def main() -> None:
    """Executes the notebooks and writes them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NOTEBOOK", help="all where none is named")
    names = parser.parse_args().names
    for path in [FOLDER / Path(name).name for name in names] or NOTEBOOKS:
        began = time.perf_counter()
        executed = execute(read(path))
        nbformat.write(executed, path)
        print(f"{path.name}: {time.perf_counter() - began:.0f} s, {path.stat().st_size / 1000:.0f} KB", flush=True)


if __name__ == "__main__":
    main()
