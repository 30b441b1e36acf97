"""Golden samples carry nothing of the original files, unless they are asked for; a bundle may have none."""

import keras
import numpy as np
import PIL.Image
import pytest
from keras import layers

import tkit
from tkit.conversion.golden import golden_samples
from tkit_edge import Classifier
from tkit_edge.__main__ import main as edge
from tkit_edge.bundle import Bundle
from tkit_edge.check import check, check_inputs
from tkit_edge.errors import InputError
from tkit_edge.images import decode
from tkit_edge.inputs.image import Image
from tkit_edge.outputs.classes import Classes
from tkit_pipelines.dataset import labelled

MAKER = "A Secret Camera"


def photo(path, colour, seed):
    """A JPEG with the maker, a serial number and a place in its EXIF data."""
    pixels = np.random.default_rng(seed).normal(colour, 30, (40, 52, 3)).clip(0, 255).astype(np.uint8)
    exif = PIL.Image.Exif()
    exif[0x010F] = MAKER
    exif.get_ifd(0x8769)[0xA431] = "serial-0815"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (48.0, 8.0, 14.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(pixels).save(path, exif=exif, quality=92)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    top = tmp_path_factory.mktemp("golden")
    for number, colour in enumerate([(200, 60, 60), (60, 200, 60), (60, 60, 200)]):
        for index in range(14):
            photo(top / "photos" / f"class{number}" / f"{index}.jpg", colour, 100 * number + index)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), layers.Rescaling(1 / 255), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    )
    model.layers[-1].set_weights([np.eye(3, dtype=np.float32), np.zeros(3, np.float32)])
    model.save(top / "mine.keras")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TKIT_CACHE", str(top / "cache"))
        overrides = ["export.formats=float32,int8", "bench.seconds=0.02"]
        yield (
            tkit.adopt(top / "mine.keras", data=str(top / "photos"), runs_dir=top / "runs", overrides=overrides),
            top / "photos",
        )


def golden_files(run):
    return sorted((run.folder / "float" / "export" / "golden").iterdir())


def test_no_byte_of_the_original_files_is_in_the_bundle(run):
    run, photos = run
    tkit.export(run)
    folder = run.folder / "float" / "export"
    originals = {path.read_bytes() for path in photos.rglob("*.jpg")}
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert data not in originals
            assert not any(mark in data for mark in (b"Exif", MAKER.encode(), b"serial-0815"))
    bundle = Bundle.read(folder)
    names = [path.name for path in golden_files(run)]
    assert names[0] == "0000.jpg"  # so that a device's own JPEG decoder is checked
    assert {path.suffix for path in golden_files(run)[1:]} == {".png"}
    assert not any(PIL.Image.open(path).getexif() for path in golden_files(run))
    assert all(PIL.Image.open(path).size == (16, 16) for path in golden_files(run))
    images = bundle.golden().inputs["image"]
    assert np.array_equal(decode(golden_files(run)[0].read_bytes(), 16, 16, 3, bundle.input.resize), images[0])
    assert check_inputs(bundle).differing == ()
    assert not any(outcome.failed for outcome in check(bundle))


def test_the_original_files_are_kept_where_they_are_asked_for_and_that_is_said(run, capsys):
    run, photos = run
    tkit.export(run, overrides=["export.golden=originals"])
    assert "the original image files, with all their metadata (export.golden=originals)" in capsys.readouterr().err
    originals = {path.read_bytes() for path in photos.rglob("*.jpg")}
    assert {path.read_bytes() for path in golden_files(run)} <= originals
    assert check_inputs(Bundle.read(run.folder / "float" / "export")).differing == ()


def test_a_number_of_golden_samples_and_none(run, capsys):
    run, photos = run
    tkit.export(run, overrides=["export.golden=3"])
    assert len(golden_files(run)) == 3
    tkit.export(run, overrides=["export.golden=0"])
    folder = run.folder / "float" / "export"
    assert not (folder / "golden").exists()
    assert edge(["check", str(folder)]) == 2
    assert "no golden samples, so there is nothing to check" in capsys.readouterr().err
    image = next(photos.rglob("class1/*.jpg"))
    assert edge(["predict", str(folder), str(image)]) == 0
    assert Classifier(folder).predict(image)[0].label == "class1"
    assert tkit.bench(run)["metrics"]["results"]
    for wrong in ("-1", "some"):
        with pytest.raises(InputError, match=r"export\.golden"):
            tkit.export(run, overrides=[f"export.golden={wrong}"])


@pytest.mark.parametrize("resize", ["crop", "keras"])
def test_images_without_files_have_copies_even_where_originals_are_asked_for(resize, capsys):
    images = np.random.default_rng(0).integers(0, 256, (2, 9, 7, 1), dtype=np.uint8)
    found = golden_samples(
        labelled(images, np.array([1, 0], np.int32)), Image(9, 7, 1, resize), Classes(("a", "b")), originals=True
    )
    assert "no image files" in capsys.readouterr().err
    assert np.array_equal(decode(found.encoded[0], 9, 7, 1, resize), found.inputs["image"][0])
    assert found.encoded[1] is None and np.array_equal(found.inputs["image"][1], images[1])
