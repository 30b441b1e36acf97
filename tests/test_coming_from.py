"""What docs/coming-from.md shows of tkit's side is run, section by section, on one small model and its images."""

import ast
import inspect
import os
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import tkit

PAGE = (Path(__file__).parents[1] / "docs" / "coming-from.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
OURS = {
    title: code
    for title, text in SECTIONS.items()
    if (code := "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)))
}
CALLS = sorted(set(re.findall(r"`(tkit\.\w+\(.*?\))`", PAGE)))
LEAST_ACCURACY = 0.9


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """A folder with images, texts and a file, the model of the page, and what else its first lines say is there."""
    folder = tmp_path_factory.mktemp("coming-from")
    random = np.random.default_rng(0)
    labels = np.arange(72) % 3
    pixels = random.normal(40 + 80 * labels[:, None, None, None], 20, (72, 16, 16, 3)).clip(0, 255).astype(np.uint8)
    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        path = folder / "images" / "abc"[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    Image.fromarray(pixels[2]).save(folder / "cat.jpg")
    rows = [("so good", 1), ("a bad film", 0), ("good and warm", 1), ("dull", 0)] * 30
    lines = [f"{text} {number},{stars}" for number, (text, stars) in enumerate(rows)]
    (folder / "reviews.csv").write_text("\n".join(["review,stars", *lines]))
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(8, 3, strides=2, use_bias=False),
            layers.BatchNormalization(momentum=0.5),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, name="logits"),
        ]
    )
    loss, x = keras.losses.SparseCategoricalCrossentropy(from_logits=True), (pixels / 255).astype(np.float32)
    model.compile(keras.optimizers.Adam(0.03), loss)
    model.fit(x, labels, epochs=60, verbose=0)
    (folder / "model.tflite").write_bytes(tkit.to_tflite(model, "int8", calibration=x))
    names = {"x": x, "y": labels, "x_test": x, "y_test": labels, "loss": loss, "keras": keras, "tkit": tkit}
    return folder, model, names


@pytest.fixture
def run(workshop, monkeypatch):
    folder, trained, names = workshop
    model = keras.models.clone_model(trained)
    model.set_weights(trained.get_weights())
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TKIT_RUNS", os.fspath(folder / "runs"))

    def execute(code):
        found = {**names, "model": model}
        exec(compile(code, "coming-from.md", "exec"), found)
        return found

    return execute


def test_the_page_has_a_side_of_ours_in_each_section_that_shows_one_of_theirs():
    assert {title for title, text in SECTIONS.items() if "```py\n" in text} == set(OURS)
    assert len(OURS) >= 9


@pytest.mark.slow
@pytest.mark.parametrize("title", OURS)
def test_a_section_of_the_page_runs(title, run, workshop):
    _, _, names = workshop
    found = run(OURS[title])
    model = found["model"]
    if "run" in found:
        assert list((found["run"].folder / "float" / "export").glob("*.tflite"))
    assert np.mean(model.predict(names["x"], verbose=0).argmax(1) == names["y"]) >= LEAST_ACCURACY


@pytest.mark.parametrize("call", CALLS)
def test_a_call_in_a_table_has_the_name_and_the_arguments_of_a_function(call):
    node = ast.parse(call, mode="eval").body
    signature = inspect.signature(getattr(tkit, node.func.attr))
    signature.bind(*node.args, **{keyword.arg: keyword.value for keyword in node.keywords})


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`tkit\.(\w+)`", PAGE))))
def test_a_name_of_the_page_is_public(name):
    assert name in tkit.__all__
