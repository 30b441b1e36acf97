"""A real Jupyter kernel: progress is one display that is updated, and TensorFlow's lines stay away."""

import os

import nbformat
import pytest
from nbclient import NotebookClient

CELL = """
import tkit, keras
run = tkit.fit("digits_cnn", dry_run=True, runs_dir={runs!r}, overrides=["model.width=8"])
run
"""


class Client(NotebookClient):
    """Keeps the kinds of the messages that the kernel sends."""

    def process_message(self, message, cell, index):
        self.kinds.append(message["msg_type"])
        return super().process_message(message, cell, index)


@pytest.mark.slow
def test_a_training_shows_one_line_that_is_updated_and_nothing_of_tensorflow(tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)  # which silences most of it
    # A kernel that knows of pytest leaves native lines to the terminal.
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL.format(runs=str(tmp_path)))])
    client = Client(book, timeout=600)
    client.kinds = []
    client.execute(env=environment)
    outputs = book.cells[0].outputs
    assert [output.output_type for output in outputs if output.output_type != "stream"] == [
        "display_data",  # progress
        "execute_result",
    ]
    assert client.kinds.count("display_data") == 1 and client.kinds.count("update_display_data") >= 1
    progress, result = (output for output in outputs if output.output_type != "stream")
    assert progress.data["text/plain"].startswith("epoch 1/1  train ")
    assert "<table>" in result.data["text/html"]
    (said,) = (output for output in outputs if output.output_type == "stream")
    assert said.name == "stdout" and said.text.count("\n") == 1 and "parameters" in said.text
