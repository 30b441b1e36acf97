"""Images and texts on disk for the tests of the sources, and a cache folder of each test's own."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tkit_pipelines.corpus import read_corpus


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "tkit-cache"
    monkeypatch.setenv("TKIT_CACHE", str(folder))
    return folder


@pytest.fixture
def jpegs() -> Path:
    """The real archive of 60,000 JPEGs."""
    path = Path(os.environ.get("TKIT_TEST_DATA", "")) / "cifar10-jpeg.tar.gz"
    if "TKIT_TEST_DATA" not in os.environ or not path.exists():
        pytest.skip("needs cifar10-jpeg.tar.gz in the folder that TKIT_TEST_DATA names")
    return path


def png(value: int, size: int = 4) -> bytes:
    """A grey PNG of one value but for one white pixel."""
    pixels = np.full((size, size), value, np.uint8)
    pixels[0, 0] = 255
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, "PNG")
    return encoded.getvalue()


@pytest.fixture
def tree() -> dict[str, bytes]:
    """A small data set as relative name -> bytes: 2 classes, 8 training and 2 test images each."""
    files = {"README.md": b"not an image", "train/.DS_Store": b"hidden"}
    for label, name in enumerate(("cat", "dog")):
        for number in range(8):
            files[f"train/{name}/{number}.png"] = png(100 * label + number)
        for number in range(2):
            files[f"test/{name}/{number}.png"] = png(100 * label + 50 + number)
    return files


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def write_tar(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in reversed(files.items()):  # an archive's order is nobody's
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in reversed(files.items()):
            archive.writestr(name, data)
    return path


@pytest.fixture
def write():
    """The three writers, for tests that make their own data sets."""
    return {"folder": write_folder, "tar": write_tar, "zip": write_zip, "png": png}


@pytest.fixture
def given(tmp_path):
    """Writes files below a folder and reads the corpus of one of them, or of the folder."""

    def read(files, source="", **options):
        for name, data in files.items():
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return read_corpus(str(tmp_path / "data" / source), **options)

    return read
