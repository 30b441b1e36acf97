"""The folders of apps: what is in them, the web page in a real browser, and the Kotlin code as far as it goes here."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import tkit
from tests.handovers.browser import reported
from tkit.handovers import web
from tkit.recipe_loading import load
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.images import decode
from tkit_edge.inputs.image import RESIZES

PAGE = """
<script type="module">
  const classes = async () => {
    const { load, predict } = await import('./predict.js');
    const classifier = await load();
    const found = [];
    for (const name of NAMES) {
      const file = await (await fetch(`golden/${name}`)).blob();
      found.push(await predict(classifier, await createImageBitmap(file)));
    }
    return found;
  };
  const answer = await classes().catch((error) => String(error.stack || error));
  await fetch('/report', { method: 'POST', body: JSON.stringify(answer) });
</script>
"""
RESAMPLE = """
<script type="module">
  import { pixels } from './pixels.js';

  const image = await createImageBitmap(await (await fetch('photo.png')).blob());
  const found = {};
  for (const [rule, resize] of Object.entries(RULES)) {
    found[rule] = Array.from(pixels(image, { height: 20, width: 24, channels: 3, resize }));
  }
  await fetch('/report', { method: 'POST', body: JSON.stringify(found) });
</script>
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "colours"])
def test_a_browser_gives_the_golden_samples_probabilities(name, request, tmp_path):
    for program in ("npm", "chromium"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: Debian's nodejs, npm and chromium")
    run, folder = request.getfixturevalue(name), tmp_path / "web"
    export = run.folder / "float" / "export"
    tkit.hand_over(run, "web", out=folder)
    installed = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True
    )
    if installed.returncode:
        pytest.skip(f"npm can't install the packages here: {installed.stderr[-300:]}")
    bundle = Bundle.read(export)
    shutil.copytree(export / "golden", folder / "golden")
    head, _ = (folder / "index.html").read_text().split("<p>", 1)
    names = [item.file for item in bundle.golden_file.encoded]
    (folder / "test.html").write_text(head + PAGE.replace("NAMES", json.dumps(names)))
    found = reported(folder, "test.html", tmp_path / "profile")
    assert isinstance(found, list), found
    expected = bundle.output.probabilities(bundle.golden().expected["int8"])
    for answer, shares in zip(found, expected, strict=True):
        assert answer[0]["label"] == bundle.labels[shares.argmax()]
        assert {item["label"] for item in answer} == set(bundle.labels)
        assert answer[0]["probability"] == pytest.approx(shares.max(), abs=0.02)  # another decoder of JPEGs


@pytest.mark.slow
def test_a_browser_resamples_images_of_other_sizes_as_training_did(tmp_path):
    if shutil.which("chromium") is None:
        pytest.skip("chromium is not installed: Debian's chromium")
    photo(tmp_path / "photo.png")
    script = (Path(web.__file__).with_name("_web") / "predict.js").read_text()
    begin = script.index("/** Pixels of 0-255")
    (tmp_path / "pixels.js").write_text(script[begin:].replace("function pixels", "export function pixels", 1))
    (tmp_path / "test.html").write_text(RESAMPLE.replace("RULES", json.dumps(RESIZES)))
    found = reported(tmp_path, "test.html", tmp_path / "profile")
    for rule, pixels in found.items():
        expected = decode((tmp_path / "photo.png").read_bytes(), 20, 24, 3, rule).reshape(-1).astype(int)
        assert np.abs(np.array(pixels) - expected).max() <= 1, rule


@pytest.mark.slow
def test_the_kotlin_code_compiles_and_resamples_as_training_did(digits, tmp_path):
    if shutil.which("kotlinc") is None or shutil.which("java") is None:
        pytest.skip("kotlinc is not installed: Debian's kotlin")
    folder, program = tmp_path / "android", tmp_path / "main.jar"
    tkit.hand_over(digits, "android", out=folder)
    sources = [folder / "Classifier.kt", *sorted((Path(__file__).parent / "kotlin").glob("*.kt"))]
    built = subprocess.run(
        ["kotlinc", *sources, "-include-runtime", "-d", program], capture_output=True, text=True, timeout=300
    )
    assert built.returncode == 0, built.stderr
    arguments, expected = [], []
    for name, size in (("same", (8, 8)), ("wide", (53, 20)), ("small", (5, 6))):
        path = photo(tmp_path / f"{name}.png", size)
        pixels = np.asarray(PIL.Image.open(path)).reshape(-1, 3).astype(int) @ [1 << 16, 1 << 8, 1]
        path.with_suffix(".txt").write_text(" ".join(map(str, pixels)))
        arguments += [*size, path.with_suffix(".txt")]
        expected.append(decode(path.read_bytes(), 8, 8, 1).reshape(-1).astype(int))
    command = ["java", "-cp", program, "MainKt", folder / "assets", *map(str, arguments)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    for given, answer, wanted in zip(lines[::2], lines[1::2], expected, strict=True):
        assert np.abs(np.array(given.split(), int) - wanted).max() <= 1
        label, probability = answer.split()
        assert label == "9" and float(probability) == pytest.approx(0.6321, abs=1e-4)  # softmax of 0 to 9


def photo(path, size=(300, 200)):
    """Writes an image of this width and height with smooth and with rough parts."""
    chance = np.random.default_rng(0)
    smooth = PIL.Image.fromarray(chance.integers(0, 256, (6, 9, 3), dtype=np.uint8)).resize(size)
    rough = np.asarray(smooth).astype(int) + chance.integers(-20, 21, (size[1], size[0], 3))
    PIL.Image.fromarray(rough.clip(0, 255).astype(np.uint8)).save(path)
    return path


def test_the_pages_have_the_model_s_own_numbers(digits, tmp_path):
    for form in ("android", "web"):
        tkit.hand_over(digits, form, out=tmp_path / form)
        page = (tmp_path / form / "README.md").read_text()
        assert "# digits_cnn" in page and "float32 [1, 8, 8, 1]" in page and "float32 [1, 10]" in page
        assert "$" not in page
    assert "private const val WIDTH = 8\n" in (tmp_path / "android" / "Classifier.kt").read_text()
    assert (tmp_path / "android" / "assets" / "labels.txt").read_text().split() == list("0123456789")


def test_another_of_the_bundle_s_files_is_taken_by_its_name(digits, tmp_path):
    made = tkit.hand_over(digits, "web:format=float16", out=tmp_path / "web")
    assert made["metrics"]["format"] == "float16"
    with pytest.raises(InputError, match="has no int4 model. It has: float32"):
        tkit.hand_over(digits, "web:format=int4", out=tmp_path / "other")


def test_a_model_of_texts_is_refused_with_what_to_do(tmp_path):
    run = tkit.fit(load("sentences_transformer", ["fit.epochs=1", "model=fasttext:width=8"]), runs_dir=tmp_path)
    for form in ("web", "android"):
        with pytest.raises(InputError, match="written for classifiers of images; this model takes text"):
            tkit.hand_over(run, form)


def test_a_file_alone_is_refused(digits, tmp_path):
    file = digits.folder / "float" / "export" / "model-int8.tflite"
    with pytest.raises(InputError, match="name a run or its bundle"):
        tkit.hand_over(file, "web", out=tmp_path / "web")
