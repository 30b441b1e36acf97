"""Every command and program that the documentation shows is run, in a folder that has what it names."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import tkit
from tkit.cli._group import Group
from tkit_edge.__main__ import main as edge

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "edge" / "README.md",
    *sorted(path for path in (ROOT / "docs").glob("*.md") if path.name not in ("log.md", "benchmarks.md")),
]
RUNS = ("digits_cnn-1", "cifar10_cnn-1", "cifar10_resnet8-1")
ELSEWHERE = re.compile(r"ssh://|adb\b|qemu-arm64|cortex-m4")
"""Devices that this machine stands in for; they have tests of their own."""
TEXT_RUN = "sst2_transformer-1"


def commands():
    """(page, command) of every line of a code block that calls tkit or tkit-edge; usage lines are not among them."""
    for page in PAGES:
        text = re.sub(r" \\\n\s+", " ", page.read_text())
        for line in text.splitlines():
            found = re.match(r"(?:    )?(tkit(?:-edge)? [a-z][^#`]*)", line)
            if not found or re.search(r"\]\.\.\.|\[RUN\]|RUN\||RECIPE|STEP|FILE\.tflite|BUNDLE|DATA  ", line):
                continue
            command = re.split(r"\s{3,}|,(?= tkit)", found[1].strip())[0]
            for part in command.split("&&"):
                yield page.name, part.strip()


COMMANDS = sorted(set(commands()))


def images(folder, count=24, size=16):
    random = np.random.default_rng(0)
    for number, name in enumerate(("ant", "bee", "cat")):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            pixels = random.normal(40 + 80 * number, 20, (size, size, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """A folder with all that the documentation names: images, runs, exported folders, a model file, a recipe."""
    top = tmp_path_factory.mktemp("workshop")
    images(top / "images")
    shutil.copytree(top / "images" / "cat", top / "more-images")
    for name in ("cat.jpg", "seven.png"):
        Image.open(top / "images" / "cat" / "0.png").save(top / name)
    (mine,) = (code for page, code in programs() if "def recipe()" in code)
    (top / "mine.py").write_text(mine)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(top)
        run = tkit.run("digits_cnn", dry_run=True, runs_dir="runs")
        for name in RUNS:
            shutil.copytree(run.folder, f"runs/{name}")
        shutil.copytree("runs/digits_cnn-1/float/export", "export")
        for name in ("model.tflite", "last-release.tflite", "model-int8.tflite"):
            shutil.copy("export/model-int8.tflite", name)
        splits = run.recipe.data.load(seed=0)
        np.savez("test.npz", images=splits.test.images[:16], labels=splits.test.labels[:16])
        layers = keras.layers
        model = keras.Sequential(
            [
                keras.Input((16, 16, 3)),
                layers.Conv2D(8, 3, activation="relu"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(3),
            ]
        )
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        own = tkit.load_recipe("cifar10_cnn", ["data.source=images", "data.image_size=16"]).recipe.data.load(seed=0)
        model.fit(np.asarray(own.train.images) / 255, own.train.labels, epochs=60, verbose=0)
        model.save("model.keras")
        Path("devices.toml").write_text("".join(f'[{name}]\ndevice = "local"\n' for name in ("pi5", "pi3", "phone")))
        arrays()
        texts()
        generator()
    return top


def generator():
    """A run of a generator, and its bundle."""
    run = tkit.run("dcgan_digits", dry_run=True, runs_dir="runs")
    shutil.copytree(run.folder, "runs/dcgan_digits-1")
    shutil.copytree(run.folder / "float" / "export", "generator")


def texts():
    """A table of reviews with columns of other names too, sentences, and a run that has learned from tkit's own."""
    rows = [("so good", 1), ("a bad film", 0), ("good and warm", 1), ("dull", 0)]
    lines = [f"{text} {number},{stars}" for number in range(30) for text, stars in rows]
    Path("reviews.csv").write_text("\n".join(["review,stars", *lines]))
    Path("sentences.txt").write_text("so good\nso dull\n")
    run = tkit.run("sentences_transformer", dry_run=True, runs_dir="runs")
    shutil.copytree(run.folder, f"runs/{TEXT_RUN}")
    shutil.copytree(run.folder / "float" / "export", "bundle")


def arrays():
    """A table with a number that is right of each row, a model that predicts it, and one with two outputs."""
    rooms = np.random.default_rng(0).normal(size=(400, 3))
    np.savez("houses.npz", rooms=rooms, price=3000 * rooms[:, 0] + 500)
    np.savez("rooms.npz", rooms=rooms)
    inputs = keras.Input((3,), name="rooms")
    price, size = keras.layers.Dense(1, name="price")(inputs), keras.layers.Dense(4, name="size")(inputs)
    model = keras.Model(inputs, price)
    model.set_weights([np.float32([[3000], [0], [0]]), np.float32([500])])
    model.save("price.keras")
    keras.Model(inputs, [price, size]).save("two_outputs.keras")


def runnable(command):
    """The command in a short form: dry runs where it trains, runs, data and a device that are there."""
    words = shlex.split(command)
    words = ["runs/digits_cnn-1" if word == "RUN" else word for word in words]
    words = ["local" if ELSEWHERE.match(word) else word for word in words if word != "--install"]
    trains = words[1] in ("fit", "run") and "--resume" not in words
    seconds = ["--seconds", "0.05"] if words[1] == "bench" else []  # the last of an option given twice counts
    return [*words, *(["--dry-run"] if trains else []), *seconds]


def test_the_pages_show_commands_and_a_wrong_one_would_fail(workshop, monkeypatch):
    assert len(COMMANDS) > 40
    assert {page for page, _ in COMMANDS} >= {"README.md", "cli.md", "compress.md", "data.md", "evaluate.md"}
    monkeypatch.chdir(workshop)
    assert call(["tkit", "evaluate", "runs/digits_cnn-1", "--fromat", "int8"])[0] == 2


def call(words):
    given = None
    if "<" in words:
        words, (file,) = words[: words.index("<")], words[words.index("<") + 1 :]
        given = Path(file).read_bytes()
    if words[0] == "tkit-edge":
        try:
            return edge(words[1:]), ""
        except SystemExit as stopped:
            return stopped.code, ""
    done = CliRunner().invoke(Group(), words[1:], input=given)
    # `tkit.cli.main` turns a typed error into its exit code.
    return getattr(done.exception, "exit_code", done.exit_code), done.output + repr(done.exception)


# A served page is tested elsewhere, and the weights of a backbone would be downloaded.
RUN_HERE = [item for item in COMMANDS if not re.search(r"tensorboard|model=backbone", item[1])]
RUN_HERE = list({" ".join(runnable(command)): (page, command) for page, command in RUN_HERE}.values())


# A bound of an example needn't be kept by a model of two steps.
@pytest.mark.parametrize(("page", "command"), RUN_HERE)
def test_a_command_of_the_documentation_works(page, command, workshop, tmp_path, monkeypatch):
    if " compress " in command:  # its run has a new variant then, which other commands would find without an export
        workshop = shutil.copytree(workshop, tmp_path / "workshop")
    monkeypatch.chdir(workshop)
    monkeypatch.setenv("TKIT_RUNS", "runs")
    code, said = call(runnable(command))
    assert code in ((0, 3) if "--at-least" in command or "--max-" in command else (0,)), said


def programs():
    """(page, program): code blocks of Python that stand alone; those of coming-from.md have a test of their own."""
    for page in (page for page in PAGES if page.name != "coming-from.md"):
        text = page.read_text()
        yield from ((page.name, block) for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S))
        for block in re.findall(r"(?:^    .*\n|^\n)+", text, re.M):
            code = re.sub(r"^    ", "", block, flags=re.M).strip()
            if re.match(r"(from \S+ )?import ", code):
                yield page.name, code


@pytest.mark.parametrize(("page", "program"), list(programs()))
def test_a_program_of_the_documentation_runs(page, program, workshop):
    done = subprocess.run([sys.executable, "-c", program], cwd=workshop, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
