"""Generators on the device: noise in, images out, and a grid of them."""

import hashlib
import io
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as Pillow

from tkit_edge import files, inputs, outputs
from tkit_edge.__main__ import main
from tkit_edge.bench import bench
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.fields import Fields
from tkit_edge.grid import grid
from tkit_edge.inputs.noise import Noise
from tkit_edge.outputs.image import Image
from tkit_edge.png import png
from tkit_edge.predict import OpenedModel, opened
from tkit_edge.sample import MOST, STEPS, sample, spherical
from tkit_edge.table import table

PLAIN, CLASSES = Noise(5), Noise(5, ("ant", "bee"))
DRAWN = "3fe6a35781d10dbec934fce4560dfb02"
"""The beginning of the SHA-256 of 100 vectors of 5 values of seed 7: device and training draw the same for ever."""


def read_png(path):
    pixels = np.asarray(Pillow.open(path))
    return pixels if pixels.ndim == 3 else pixels[..., None]


def called(*arguments):
    return main(["sample", *map(str, arguments)])


@pytest.mark.parametrize("noise", [PLAIN, CLASSES])
def test_noise_is_what_a_bundle_says_and_a_sample_is_what_its_file_holds(noise, tmp_path):
    described = json.loads(json.dumps({"kind": noise.kind, **noise.as_json()}))
    assert inputs.read(Fields(described, "bundle.json"), tmp_path) == noise
    drawn = {name: array[1] for name, array in noise.drawn(2, 0).items()}
    read = noise.read(noise.encoded(drawn))
    assert read.keys() == drawn.keys() and all(np.array_equal(read[name], drawn[name]) for name in drawn)
    assert noise.difference(drawn, read, ".npz") == (0.0, False)
    assert noise.difference(drawn, {**read, "noise": read["noise"] + 1e-3}, ".npz")[1]


def test_an_image_is_what_a_bundle_says_and_another_range_is_refused():
    image = Image(8, 6, 3)
    described = {"kind": "image", **image.as_json()}
    assert outputs.read(Fields(described, "bundle.json")) == image
    with pytest.raises(InputError, match="pixels is '0 to 1'"):
        outputs.read(Fields({**described, "pixels": "0 to 1"}, "bundle.json"))


def test_a_seed_draws_the_same_noise_on_every_machine():
    noise = PLAIN.drawn(100, 7)["noise"]
    assert (noise.dtype, noise.shape) == (np.float32, (100, 5))
    assert hashlib.sha256(noise.astype("<f4").tobytes()).hexdigest()[:32] == DRAWN
    assert np.array_equal(PLAIN.drawn(10, 7)["noise"], noise[:10])
    assert not np.array_equal(PLAIN.drawn(100, 8)["noise"], noise)
    assert abs(noise.mean()) < 0.1 and abs(noise.std() - 1) < 0.1


def test_classes_come_by_turns_or_as_asked_for():
    assert CLASSES.drawn(5, 0)["label"].tolist() == [0, 1, 0, 1, 0]
    assert CLASSES.drawn(3, 0, "bee")["label"].tolist() == [1, 1, 1]
    assert "label" not in PLAIN.drawn(2, 0)
    with pytest.raises(InputError, match="'bug' is no class of this model; it has ant, bee"):
        CLASSES.drawn(1, 0, "bug")
    with pytest.raises(InputError, match="trained without them"):
        PLAIN.drawn(1, 0, "ant")


def test_values_are_rounded_to_the_nearest_pixel_and_stay_in_range():
    values = np.float32([-1, -1 + 0.4 / 127.5, -1 + 0.6 / 127.5, 0.999, 1, 1.5, -7]).reshape(1, 1, 7, 1)
    assert Image(1, 7, 1).pixels({"image": values}).ravel().tolist() == [0, 0, 1, 255, 255, 255, 0]


def test_a_grid_has_white_gaps_whole_magnification_and_rows_from_the_left():
    images = np.stack([np.full((2, 3, 1), 10 * number, np.uint8) for number in range(5)])
    made = grid(images, columns=3, scale=2)
    assert (made.shape, made.dtype) == ((2 * 4 + 1, 3 * 6 + 2, 1), np.uint8)
    assert made[0, [0, 5, 6, 7, 13, 14], 0].tolist() == [0, 0, 255, 10, 255, 20]
    assert made[5, [0, 7, 14], 0].tolist() == [30, 40, 255]
    assert (made[4] == 255).all()
    assert grid(np.zeros((64, 8, 8, 3), np.uint8)).shape == (8 * 65 - 1, 8 * 65 - 1, 3)
    assert grid(np.zeros((1, 96, 96, 1), np.uint8)).shape == (96, 96, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_any_decoder_reads_the_png(channels):
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    assert np.array_equal(read_png(io.BytesIO(png(image))), image)


def test_the_arc_keeps_the_length_and_ends_where_it_should():
    drawn = PLAIN.drawn(40, 0)["noise"].astype(np.float64)
    start, end = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (drawn[:20], drawn[20:]))
    assert np.allclose(spherical(start, end, 0.0), start) and np.allclose(spherical(start, end, 1.0), end)
    half = spherical(start, end, 0.5)
    assert np.allclose(np.linalg.norm(half, axis=1), 1, atol=1e-6)
    assert np.allclose(np.sum(half * start, axis=1), np.sum(half * end, axis=1), atol=1e-6)
    assert np.isfinite(spherical(start, -start, 0.5)).all() and np.allclose(spherical(start, start, 0.3), start)


def test_the_grid_shows_what_the_model_makes_of_the_seeds_noise(generators, tmp_path, capsys):
    bundle = Bundle.read(generators / "plain")
    assert called(bundle.folder, "--num", 10, "--seed", 7, "--out", tmp_path / "a.png") == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'a.png'}: 10 images, seed 7\n" and "model-int8.tflite" in err
    with opened(bundle, "int8") as model:
        pixels = bundle.output.pixels(model.run(bundle.input.drawn(10, 7)))
    assert np.array_equal(read_png(tmp_path / "a.png"), grid(pixels))
    called(bundle.folder, "--num", 10, "--seed", 7, "--out", tmp_path / "b.png")
    called(bundle.folder, "--num", 10, "--seed", 8, "--out", tmp_path / "c.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes() != (tmp_path / "c.png").read_bytes()


def test_single_images_are_written_in_their_own_size_and_json_tells_all(generators, tmp_path, capsys):
    folder, out = tmp_path / "each", tmp_path / "grid.png"
    options = ["--num", 3, "--class", "bee", "--separate", folder, "--out", out, "--format", "float32", "--json"]
    assert called(generators / "classes", *options) == 0
    document = json.loads(capsys.readouterr().out)
    assert document.pop("model").endswith("model-float32.tflite")
    assert document == {
        **{"kind": "samples", "version": 1, "samples": 3, "seed": 0, "class": "bee", "interpolate": False},
        **{"height": 8, "width": 8, "channels": 3, "out": str(out), "separate": str(folder)},
    }
    assert sorted(path.name for path in folder.iterdir()) == ["0000.png", "0001.png", "0002.png"]
    bundle = Bundle.read(generators / "classes")
    with opened(bundle, "float32") as model:
        made = sample(model, 3, 0, "bee").pixels
        assert np.array_equal(read_png(folder / "0002.png"), made[2])
        assert not np.array_equal(sample(model, 3, 0, "cat").pixels, made)


def test_an_interpolation_goes_from_one_vector_to_another_row_by_row(generators):
    bundle = Bundle.read(generators / "classes")
    with opened(bundle, "float32") as model:
        walk = sample(model, 4 * STEPS, 3, interpolate=True)
        with pytest.raises(InputError, match="a multiple of it, received 10"):
            sample(model, 10, 3, interpolate=True)
    noise = walk.inputs["noise"].reshape(4, STEPS, -1)
    ends = bundle.input.drawn(8, 3)["noise"]
    assert np.allclose(noise[:, 0], ends[:4], atol=1e-6) and np.allclose(noise[:, -1], ends[4:], atol=1e-6)
    assert walk.inputs["label"].reshape(4, STEPS).tolist() == [[row] * STEPS for row in (0, 1, 2, 0)]
    steps = np.linalg.norm(np.diff(noise, axis=1), axis=2)
    assert steps.max() < 0.5 * np.linalg.norm(noise[:, 0] - noise[:, -1], axis=1).min()
    assert walk.columns == STEPS


def test_no_pillow_is_needed(generators, tmp_path):
    code = "import sys; sys.modules['PIL'] = None; from tkit_edge.__main__ import main; sys.exit(main(sys.argv[1:]))"
    words = ["sample", generators / "plain", "--num", "4", "--out", tmp_path / "grid.png"]
    done = subprocess.run([sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert read_png(tmp_path / "grid.png").shape == (129, 129, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--num", "0"], "Expected at least 1 sample, received 0"),
        (["--num", str(MOST + 1)], "at most 10,000 samples at once"),
        (["--seed", "-1"], "a seed from 0 to 4,294,967,295, received -1"),
        (["--class", "bug"], "'bug' is no class of this model; it has ant, bee, cat"),
        (["--out", "nowhere/grid.png"], "the folder nowhere does not exist"),
        (["--separate", "nowhere/each"], "the folder nowhere does not exist"),
        (["--out", "grid.jpg"], "expected the name of a .png file"),
        (["--format", "int4"], "It has: float32, int8"),
        (["--threads", "0"], "at least 1 thread"),
    ],
)
def test_a_mistake_is_one_message_and_writes_nothing(options, message, generators, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert called(generators / "classes", *options) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_classifier_is_no_generator_and_a_generator_predicts_nothing(bundle, generators, tmp_path, capsys):
    assert called(bundle.folder, "--out", tmp_path / "grid.png") == 2
    assert "is no generator: it takes images and gives 5 classes; `predict` is for it" in capsys.readouterr().err
    assert main(["predict", str(generators / "plain"), "cat.jpg"]) == 2
    assert "use `tkit sample`, on a device `tkit-edge sample`" in capsys.readouterr().err


def test_values_that_are_not_finite_are_no_image():
    model = OpenedModel(lambda arrays: {"image": np.full((1, 8, 8, 1), np.nan, np.float32)}, PLAIN, Image(8, 8, 1))
    with pytest.raises(InputError, match="values that are not finite"):
        sample(model, 1)


def test_check_passes_where_images_are_those_of_the_exporting_machine_and_else_fails(generators, tmp_path, capsys):
    folder = tmp_path / "export"
    shutil.copytree(generators / "classes", folder)
    assert main(["check", str(folder)]) == 0
    assert "same image on 4 of 4" in (out := capsys.readouterr().out) and "samples 4 of 4 read as expected: ok" in out
    golden = files.read_arrays(folder / "golden.npz", "golden.npz", None)
    golden["expected_float32_image"][1] *= -1
    described, before = folder / "bundle.json", files.sha256(folder / "golden.npz")
    (folder / "golden.npz").write_bytes(files.npz_bytes(golden))
    described.write_text(described.read_text().replace(before, files.sha256(folder / "golden.npz")))
    assert main(["check", str(folder)]) == 3
    out, err = capsys.readouterr()
    assert "FAILED on samples 1" in out and "float32" in err and "int8" not in err


def test_bench_measures_a_generator_without_a_score(generators, tmp_path):
    report = bench(generators / "classes", formats=["int8"], threads=[1], kernels=["xnnpack"], seconds=0.01)
    (result,) = report.results
    assert (result.score, report.reading) == (None, None) and result.p50_ms > 0
    assert "model-int8.tflite" in table(report)
    with pytest.raises(InputError, match="nothing is known to be right"):
        bench(generators / "classes", test=tmp_path / "test.npz")
