"""`tkit data`: what it finds, what it prints, and its exit codes."""

from __future__ import annotations

import io
import json
import shlex
import sys

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tkit.cli import main
from tkit.conversion.converter import Converter
from tkit.stages.data import data
from tkit_edge.__main__ import main as edge
from tkit_edge.errors import InputError
from tkit_edge.inputs.image import Image as ImageInput
from tkit_edge.judge import read_test
from tkit_edge.outputs.classes import Classes
from tkit_pipelines.data.images import Images


def original(value=None, size=(8, 6), kind="PNG", mode="RGB", **options):
    """An encoded image: noise of its own, or of one value."""
    if value is None:
        original.count = getattr(original, "count", 0) + 1
        pixels = np.random.default_rng(original.count).integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
        image = Image.fromarray(pixels).convert(mode)
    else:
        image = Image.new(mode, size, value)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TKIT_CACHE", str(tmp_path / "tkit-cache"))


@pytest.fixture
def good(tmp_path):
    files = {f"{name}/{number}.png": original() for name in ("cat", "dog$") for number in range(6)}
    return write(tmp_path / "good", files)


@pytest.fixture
def messy(tmp_path):
    """Everything at once: sizes, kinds, damage, repeats, classes that differ, uneven ones."""
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {f"train/cat/{number}.png": original(size=(8 + number, 6)) for number in range(12)}
    files |= {f"train/dog/{number}.jpg": original(kind="JPEG", size=(4, 10)) for number in range(3)}
    files["train/dog/turned.jpg"] = original(kind="JPEG", size=(10, 20), exif=exif)
    files |= {"test/cat/a.png": files["train/cat/4.png"], "test/cat/b.png": files["train/cat/5.png"]}
    files |= {"test/eel/a.png": original(), "train/dog/same.png": files["train/cat/4.png"]}
    files |= {"train/cat/notes.txt": b"notes", "train/dog/cut.jpg": files["train/dog/0.jpg"][:-30]}
    return write(tmp_path / "messy", files)


def tkit(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["data", *map(str, arguments)])
    return stopped.value.code


def test_good_data_has_no_problems_and_trains(good, capsys):
    assert tkit(good) == 0
    out = capsys.readouterr().out
    assert "12 images (12 train), 2 classes" in out
    assert "no test images of its own" in out
    *_, verdict, command = out.rstrip().splitlines()
    assert verdict == "no problems: a recipe can train on it"
    assert command.strip().startswith(f"tkit run digits_cnn --data {good} data.image_size=")
    Images(source=str(good), image_size=(6, 8), batch_size=2).load(0)


def test_everything_that_is_odd_is_found(messy):
    found = data(messy)
    assert found.class_names == ("cat", "dog", "eel")
    assert found.splits == {"train": [12, 5, 0], "test": [2, 0, 1]}
    assert (min(found.widths), max(found.widths)) == (4, 20)
    assert (min(found.heights), max(found.heights)) == (6, 10)  # the turned one is 20 wide and 10 high
    assert found.kinds == {"PNG RGB": 16, "JPEG RGB": 4}
    assert found.turned == 1
    assert found.imbalance == 14
    assert [bad.name.rpartition("/")[2] for bad in found.bad] == ["cut.jpg"]
    assert [name.rpartition("/")[2] for name in found.strays] == ["notes.txt"]
    across = [repeats for repeats in found.repeats if (repeats.first, repeats.second) == ("train", "test")]
    assert across[0].count == 2
    assert across[0].example[0].endswith("train/cat/4.png") and across[0].example[1].endswith("test/cat/a.png")
    assert [repeats.count for repeats in found.repeats if repeats.first == repeats.second] == [1]
    assert found.contradictions.count == 1 and found.contradictions.example[1].endswith("train/dog/same.png")
    assert "only one of them has 'dog', 'eel'" in found.problems[0]
    assert "1 file is no image" in found.problems[1]
    assert len(data(messy, skip_bad=True).problems) == 1


def test_the_text_says_it_and_the_exit_code_is_0(messy, capsys):
    assert tkit(messy) == 0
    captured = capsys.readouterr()
    for part in (
        "width   4 to 20",
        "uneven  14.0",
        "1 file can't be read",
        "1 file that is not an image is",
        "turned  1",
    ):
        assert part in captured.out
    assert captured.out.count("\nproblem: ") == 2
    assert captured.err == ""


def test_bad_files_past_twenty_are_counted(good, capsys):
    write(good, {f"cat/{number:02}.jpg": b"x" for number in range(25)})
    assert tkit(good) == 0
    out = capsys.readouterr().out
    assert out.count(".jpg is not an image") == 20
    assert "... and 5 more" in out


def test_json_is_one_document(messy, capfd):
    assert tkit(messy, "--json", "--image-size", "32,16", "--channels", "1") == 0
    document = json.loads(capfd.readouterr().out)
    assert document["compared_at"] == [32, 16, 1]
    assert document["splits"] == {"train": [12, 5, 0], "test": [2, 0, 1]}
    assert len(document["bad"]) == 1 and document["bad"][0]["reason"]
    assert len(document["strays"]) == 1
    assert document["height"]["min"] == 6
    assert len(document["problems"]) == 2


def test_the_grid_shows_a_few_of_each_class_without_pyplot(good, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # importing it fails
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    assert tkit(good, "--output", small) == 0
    assert tkit(write(good, {f"{name}/0.png": original() for name in "abcdef"}), "--output", large, "--skip-bad") == 0
    sizes = [Image.open(path).size for path in (small, large)]
    assert sizes[1][1] > 2.5 * sizes[0][1]  # 8 classes, 2 classes
    assert len(np.unique(np.asarray(Image.open(small)))) > 100


@pytest.mark.parametrize("source", ["folder", "digits"])
def test_the_test_images_are_written_as_the_device_takes_them(source, good, tmp_path, capsys):
    source, size, channels = (good, (6, 8), 3) if source == "folder" else ("digits", (8, 8), 1)
    output = tmp_path / "test.npz"
    sizes = ("--image-size", ",".join(map(str, size)), "--channels", str(channels))
    assert tkit(source, "--output", output, *sizes) == 0
    expected = Images(source=str(source), image_size=size, channels=channels).load(5).test
    assert f"{len(expected)} test images of {size[0]}x{size[1]}x{channels}" in capsys.readouterr().err
    examples, targets = read_test(output, ImageInput(*size, channels), Classes(("0", "1")))
    assert np.array_equal(examples["image"], expected.images)
    assert np.array_equal(targets["label"], expected.labels)
    again = tmp_path / "again.npz"
    data(source, image_size=size, channels=channels, output=again)
    assert again.read_bytes() == output.read_bytes()


def test_tkit_edge_bench_takes_the_written_test_images(tmp_path, capsys):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 16)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(10)(x))
    with Converter(model, {"image": np.zeros((1, 8, 8, 1), np.uint8)}, io="int8") as convert:
        (tmp_path / "model.tflite").write_bytes(convert("float32"))
    data("digits", image_size=(8, 8), channels=1, output=tmp_path / "test.npz")
    measured = ["--threads", "1", "--seconds", "0.02", "--json"]
    capsys.readouterr()
    assert edge(["bench", str(tmp_path / "model.tflite"), "--test", str(tmp_path / "test.npz"), *measured]) == 0
    assert json.loads(capsys.readouterr().out)["results"][0]["score"]["samples"] == 359


def test_problems_of_classes_are_listed_not_raised(tmp_path):
    def problems(files, name):
        return data(write(tmp_path / name, files)).problems

    assert "only one class, 'cat'" in problems({f"cat/{i}.png": original() for i in range(4)}, "one")[0]
    few = {f"{name}/{i}.png": original() for name in ("cat", "dog") for i in range(2)}
    assert "class 'cat' has too few examples" in problems(few, "few")[0]
    (tmp_path / "empty" / "eel").mkdir(parents=True)
    assert "class 'eel' has no images" in problems({f"cat/{i}.png": original() for i in range(4)}, "empty")[0]
    unread = {**{f"cat/{i}.png": original() for i in range(4)}, "dog/a.png": b"x", "dog/b.png": b"y"}
    assert "class 'dog' has no training images" in problems(unread, "unread")[1]


def test_the_command_that_it_ends_with_trains_on_grey_images_of_a_size_of_their_own(tmp_path, capsys):
    from tkit.cli._group import Group

    files = {f"{name}/{i}.png": original(size=(28, 28), mode="L") for name in ("ant", "bee") for i in range(22)}
    folder = write(tmp_path / "grey ones", files)
    assert tkit(folder) == 0
    command = capsys.readouterr().out.rstrip().splitlines()[-1].strip()
    assert command.endswith("data.image_size=28 data.channels=1")
    words = [*shlex.split(command)[1:], "--dry-run", "--runs-dir", str(tmp_path / "runs")]
    done = CliRunner().invoke(Group(), words)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", ["digits", "synthetic:3", "arrays.npz", "labels.csv"])
def test_every_kind_of_source_can_be_looked_at(good, name, monkeypatch, capsys):
    monkeypatch.chdir(good)
    np.savez("arrays.npz", images=np.zeros((8, 5, 5), np.uint8), labels=np.arange(8) % 2)
    (good / "labels.csv").write_text("".join(f"cat/{i}.png,cat\ndog$/{i}.png,dog\n" for i in range(6)))
    assert tkit(name) == 0
    assert "no problems" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["./nowhere"], "there is no such file or folder"),
        (["digit"], "Did you mean 'digits'"),
        (["digits", "--image-size", "1,2,3"], "expected HEIGHT,WIDTH in pixels, such as 32,32; received '1,2,3'"),
        (["digits", "--image-size", "0,4"], "at least 1 pixel"),
        (["digits", "--channels", "2"], "'2' is not one of '1', '3'"),
        (["digits", "--output", "grid.jpg"], "expected the name of a .png or .npz file"),
        (["digits", "--output", "/proc/none/grid.png"], "Cannot write /proc/none/grid.png"),
        (["empty"], "no class folders found"),
    ],
)
def test_what_cannot_be_read_is_exit_code_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert tkit(*arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_the_function_names_wrong_arguments():
    with pytest.raises(InputError, match="channels=2"):
        data("digits", channels=2)


@pytest.mark.skipif(sys.platform == "darwin", reason="file names there are always text")
def test_a_file_name_that_is_no_text_is_printed(good, capsys):
    (good / "cat" / b"\xff.png".decode("utf-8", "surrogateescape")).write_bytes(b"x")
    assert tkit(good) == 0
    assert "?.png is not an image" in capsys.readouterr().out
    assert tkit(good, "--json") == 0
