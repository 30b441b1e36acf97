"""The twelve lines that the README shows: they run as they stand, and end in a proven int8 file."""

import re
from pathlib import Path

import keras
import numpy as np

import tkit
from tkit.kernels.exported import kernels
from tkit_edge import anatomy, flatbuffer

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_twelve_lines_from_a_keras_model_and_arrays_to_a_proven_file(script, trained, tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"^```py\n(import tkit\n.*?)^```", README, re.M | re.S)
    assert len(code.replace("\n\n", "\n").splitlines()) == 12
    monkeypatch.chdir(tmp_path)
    x_test, y_test = script.test
    data = {"x": script.x[:1280], "y": script.y[:1280], "x_test": x_test, "y_test": y_test}
    names = {"keras": keras, "model": trained, "loss": keras.losses.SparseCategoricalCrossentropy(), **data}
    exec(compile(code, "README.md", "exec"), names)
    file = Path("model.tflite").read_bytes()
    found = kernels(flatbuffer.read(file), tkit.strip(names["model"]))
    assert anatomy.dissect(file).arithmetic == "int8"
    assert all(
        np.mean(parts[0].matrix == 0) >= 0.5 and len(np.unique(parts[0].matrix)) <= 16 for parts in found.values()
    )
    shown = capsys.readouterr().out
    assert "9 of 9 promises hold in the file" in shown and "Accuracy" in shown
