"""The folder that `tkit export --format c` writes: built with a strict compiler and run, here and on a Cortex-M4."""

import re
import shutil
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest

import tkit
from tkit.c_code.cortex_m import emulator
from tkit.c_code.project import write_project
from tkit.c_code.steps import supported
from tkit.conversion.converter import Converter
from tkit.micro.tflm import TflmModel
from tkit.models import Spec, Statistics
from tkit.models.mobilenet import MobileNet
from tkit.models.resnet import ResNet
from tkit_edge import flatbuffer
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError

STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1")
CHECKED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
NAMES = ("digits", "quantize_aware", "resnet8", "mobilenet", "fasttext")
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler, cc")
needs_qemu = pytest.mark.skipif(
    bool(emulator.missing()), reason=f"needs {', '.join(emulator.missing())}: apt install {emulator.PACKAGES}"
)


def untrained(family):
    """The int8 file of a network for 32x32 images in colour, its weights drawn at random."""
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    model = family.build(Spec.of_images((32, 32, 3), 10, Statistics(120.0, 4000.0)))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.gamma.shape[0]
            scale, offset = random.uniform(0.5, 1.5, count), random.normal(0, 0.3, count)
            layer.set_weights([scale, offset, *layer.get_weights()[2:]])
    images = random.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    with Converter(model, {"image": images}, io="int8") as convert:
        return convert("int8")


def quantize_aware():
    """The int8 file of a small network with fake quantization."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(6, 3, activation="relu"),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(6.0),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )
    examples = np.random.default_rng(0).normal(0, 1, (32, 8, 8, 2)).astype(np.float32)
    return tkit.to_tflite(tkit.quantize_aware(model, calibration=examples), "int8")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory):
    """A folder with runs of images and texts, and int8 files."""
    folder = tmp_path_factory.mktemp("c")
    tkit.fit("digits_cnn", dry_run=True, runs_dir=folder)
    overrides = ["data.source=sentences", "data.tokenizer=known_ngrams", "data.length=64"]
    tkit.fit("sst2_fasttext", dry_run=True, runs_dir=folder, overrides=overrides)
    made = {"quantize_aware": quantize_aware(), "resnet8": untrained(ResNet(depth=8))}
    made["mobilenet"] = untrained(MobileNet(width=0.25, output_stride=8))
    for name, data in made.items():
        (folder / f"{name}.tflite").write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def projects(workshop, tmp_path_factory):
    """The C folders, by name."""
    folder = tmp_path_factory.mktemp("projects")
    subjects = {"digits": workshop / "dry-digits_cnn-1", "fasttext": workshop / "dry-sst2_fasttext-1"}
    for name in NAMES:
        tkit.hand_over(subjects.get(name, workshop / f"{name}.tflite"), "c", out=folder / name)
    return folder


def built(folder, scratch, *flags):
    command = ["cc", *STRICT, *flags, "-o", scratch / "test_golden"]
    files = ("test_golden.c", "model.c", "model_tflite.c")
    return subprocess.run([*command, *(folder / file for file in files)], capture_output=True, text=True)


@needs_cc
@pytest.mark.parametrize("name", NAMES)
def test_golden_samples_are_equal_on_this_machine(name, projects, tmp_path):
    folder = projects / name
    compiled = built(folder, tmp_path, *CHECKED)
    assert compiled.returncode == 0, compiled.stderr
    done = subprocess.run([tmp_path / "test_golden"], capture_output=True, text=True)
    arena = re.search(r"MODEL_ARENA_BYTES (\d+)", (folder / "model.h").read_text())[1]
    assert done.stdout == f"{8} of 8 golden samples equal, arena {arena} bytes\n", done.stderr
    assert done.returncode == 0


@needs_qemu
@pytest.mark.parametrize("cpu", emulator.BOARDS)
@pytest.mark.parametrize("name", NAMES)
def test_golden_samples_are_equal_on_a_cortex_m(name, cpu, projects, tmp_path):
    assert emulator.golden(projects / name, tmp_path, cpu) == (8, 8)


@needs_cc
def test_another_output_fails(projects, tmp_path):
    folder = shutil.copytree(projects / "digits", tmp_path / "changed")
    source = folder / "test_golden.c"
    text = source.read_text()
    begin = text.index("golden_logits[")
    first = re.compile(r"-?\d+,").search(text, text.index("{", begin))
    source.write_text(text[: first.start()] + f"{(int(first[0][:-1]) + 1) % 100}," + text[first.end() :])
    assert built(folder, tmp_path).returncode == 0
    done = subprocess.run([tmp_path / "test_golden"], capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout.startswith("7 of 8")


def test_the_samples_are_the_bundles(workshop, projects):
    golden = Bundle.read(workshop / "dry-digits_cnn-1" / "float" / "export").golden()
    codes = golden.inputs["image"].astype(int).reshape(-1)[:20] - 128
    assert re.sub(r"\s", "", ", ".join(map(str, codes))) in re.sub(
        r"\s", "", (projects / "digits/test_golden.c").read_text()
    )


def test_the_array_is_the_file_and_names_its_operators(workshop, projects):
    for name, expected in (("resnet8", {"AddConv2D", "AddAdd", "AddMean", "AddFullyConnected", "AddMul"}),):
        text = (projects / name / "model_tflite.c").read_text()
        numbers = bytes(int(found, 16) for found in re.findall(r"0x([0-9a-f]{2}),", text))
        assert numbers == (workshop / f"{name}.tflite").read_bytes()
        header = (projects / name / "model_tflite.h").read_text()
        assert set(re.findall(r"resolver\.(\w+)\(\);", header)) == expected
        assert f"MODEL_TFLITE_OPERATORS {len(expected)}" in header


def test_a_run_keeps_it_and_the_same_files_come_again(workshop):
    made = tkit.hand_over(workshop / "dry-digits_cnn-1", "c")
    folder = workshop / "dry-digits_cnn-1" / "float" / "c"
    assert made["folder"] == str(folder)
    assert set(made["files"]) == {
        *("README.md", "model.c", "model.h", "model_tflite.c", "model_tflite.h", "test_golden.c"),
    }
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    tkit.hand_over(workshop / "dry-digits_cnn-1", "c")
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert (
        made["metrics"]["golden_samples"] == 8
        and f"{made['metrics']['arena_bytes']:,} bytes" in made["metrics"]["line"]
    )


@needs_cc
def test_an_id_outside_the_table_is_reported(projects, tmp_path):
    (tmp_path / "main.c").write_text(
        '#include "model.h"\nint main(void) { model_tokens()[3] = 1 << 20; return model_run() + 8; }'
    )
    folder = projects / "fasttext"
    command = ["cc", *STRICT, *CHECKED, f"-I{folder}", "-o", tmp_path / "main", tmp_path / "main.c", folder / "model.c"]
    subprocess.run(command, check=True)
    assert subprocess.run([tmp_path / "main"]).returncode == 7


def test_resnet8_needs_no_more_memory_than_tflite_micro(workshop, projects, tmp_path):
    pytest.importorskip("tflite_micro", reason="needs the extra tflm")
    with TflmModel(workshop / "resnet8.tflite") as model:
        theirs = model.arena().total
    ours = int(re.search(r"MODEL_ARENA_BYTES (\d+)", (projects / "resnet8" / "model.h").read_text())[1])
    assert ours <= theirs
    if not emulator.missing():
        assert ours + emulator.cost(projects / "resnet8", tmp_path).stack_bytes <= theirs


def test_the_documentation_lists_the_operators():
    page = (Path(__file__).parents[2] / "docs" / "microcontrollers.md").read_text()
    shown = page[page.index("and these operators:") :].partition(".")[0].removeprefix("and these operators:")
    assert shown.replace("\n", " ").split() == " ".join(f"{name}," for name in supported())[:-1].split()


def refused(data, folder, match):
    path = folder / "mine.tflite"
    path.write_bytes(data)
    with pytest.raises(InputError, match=match):
        write_project(path, "mine", folder)
    assert not (folder / "model.c").exists()


def test_files_that_are_refused(tmp_path):
    layers = keras.layers
    inputs = keras.Input((8, 8, 2))
    upsampled = layers.UpSampling2D(interpolation="bilinear", name="larger")(layers.Conv2D(4, 3)(inputs))
    model = keras.Model(inputs, keras.ops.log_softmax(layers.Flatten()(upsampled)))
    examples = np.random.default_rng(0).normal(0, 1, (8, 8, 8, 2)).astype(np.float32)
    data = tkit.to_tflite(model, "int8", calibration=examples)
    lacking = {operator.name for operator in flatbuffer.read(data).operators} & {"RESIZE_BILINEAR", "LOG_SOFTMAX"}
    assert lacking
    for name in lacking:
        refused(data, tmp_path, rf"mine.tflite: no C can be written for .*{name} \(operator \d+, .*It can for ADD, ")
    refused(tkit.to_tflite(model, "float32"), tmp_path, "mine.tflite is not an int8 file.*CONV_2D.*export.formats=int8")
    refused(data[:1000], tmp_path, "damaged")
    refused(b"", tmp_path, "empty")


def test_a_bundle_without_int8_or_samples(workshop, tmp_path):
    run = tkit.Run.open(workshop / "dry-digits_cnn-1")
    other = shutil.copytree(run.folder, tmp_path / "dry-digits_cnn-1")
    tkit.export(other, overrides=["export.formats=float32"])
    with pytest.raises(InputError, match="int8 file, and .* has float32. Export it with export.formats=int8"):
        tkit.hand_over(other, "c")
    tkit.export(other, overrides=["export.formats=int8", "export.golden=0"])
    with pytest.raises(InputError, match="no golden samples.*export.golden=8"):
        tkit.hand_over(other, "c")
