"""The notebooks run to their end, and are committed as a reader wants to see them."""

import ast
import json
import re
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = [path.name for path in sorted(FOLDER.glob("*.ipynb"))]
FEWEST = 2  # epochs of the first training; compression repeats a fine-tuning that is too short to succeed
MOST_BYTES = 300_000
CHATTER = re.compile(r"absl::InitializeLog|\b\w+\.cc:\d+\]|cuda|oneDNN|XNNPACK delegate|WARNING:tensorflow", re.I)


@pytest.fixture
def runner(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import execute

    yield execute
    del sys.modules["execute"]


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code(notebook) for output in cell.outputs]


def source(notebook):
    return ast.parse("\n".join(cell.source for cell in code(notebook)))


def test_there_are_six_in_an_order_to_read_them():
    assert [name.partition("-")[0] for name in NAMES] == list("123456")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_to_its_end_in_an_empty_folder_without_a_line_of_tensorflow(name, runner):
    notebook = runner.read(FOLDER / name)
    executed = runner.execute(notebook, EPOCHS=FEWEST)
    found = outputs(executed)
    assert [output.text for output in found if output.get("name") == "stderr"] == []
    assert not CHATTER.search("".join(output.get("text", "") for output in found))
    assert [cell.source for cell in executed.cells] == [cell.source for cell in notebook.cells]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_is_committed_with_its_outputs_and_is_small(name, runner):
    notebook = runner.read(FOLDER / name)
    assert (FOLDER / name).stat().st_size < MOST_BYTES
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    assert any("image/png" in json.dumps(output) for output in outputs(notebook))
    assert not [output for output in outputs(notebook) if output.output_type == "error"]


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_names_no_folder_of_the_machine_that_executed_it(name):
    text = (FOLDER / name).read_text()
    assert not re.search(r"(/home/|/root/|/tmp/|/work/|/Users/|site-packages)", text)
    assert not re.search(r"iopub\.|shell\.execute_reply", text)


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_defines_nothing_and_imports_only_public_names(name, runner):
    tree = source(runner.read(FOLDER / name))
    defining = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert not [node for node in ast.walk(tree) if isinstance(node, defining)]
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "tkit" in modules
    assert {module for module in modules if module.startswith("tkit")} <= {"tkit", "tkit_edge"}


@pytest.mark.slow
def test_other_values_of_parameters_are_used_and_unknown_ones_refused(runner):
    made = runner.read(FOLDER / NAMES[0])
    made.cells = [cell for cell in made.cells if "parameters" in cell.metadata.get("tags", ())]
    made.cells += [runner.new_code_cell("import os, sys\nprint(EPOCHS, os.getcwd(), file=sys.stderr)")]
    assert runner.parameters(made) == {"EPOCHS": 15}
    (said,) = outputs(runner.execute(made, EPOCHS=3))
    assert said.text == "3 .\n"
    assert outputs(made) == []
    with pytest.raises(ValueError, match="no parameters of this notebook: STEPS"):
        runner.execute(made, STEPS=3)
