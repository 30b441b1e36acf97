"""A bundle: the folder that holds all a device needs to run a model, and to prove that it runs it rightly.

    bundle.json            labels, what the input must be, each model file's size, sha256 and quantization
    model-<format>.tflite
    golden.npz             images uint8 [n, h, w, c], labels int32 [n], expected_<format> float32 [n, classes]
    golden/0000.jpg ...    the same images encoded: without metadata, or the original files where asked for

There may be no golden samples: then golden.npz has arrays of none, and golden/ is not there.

bundle.json is written last: a folder without it is no bundle.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tkit_edge import files, keras_resize, model_file
from tkit_edge.errors import InputError
from tkit_edge.fields import Fields
from tkit_edge.images import decode, encode_png, from_array, suffix
from tkit_edge.json_file import read_json
from tkit_edge.model_file import ModelFile
from tkit_edge.runtime import Model

VERSION = 1
TASK = "image-classification"
PIXELS = "raw 0-255"
RESIZES = {
    "crop": "cover-crop, bilinear",
    "stretch": "stretch, bilinear",
    **{name: f"{name}, bilinear without antialiasing" for name in keras_resize.RESIZES},
}
OUTPUTS = ("logits", "probabilities")
MAX_JSON_BYTES = 4 * 2**20
MAX_GOLDEN_BYTES = 256 * 2**20  # unpacked
_FORMAT = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class EncodedImage:
    """The encoded image of a golden sample, in golden/."""

    file: str
    sha256: str


@dataclass(frozen=True)
class GoldenFile:
    """The file of golden samples, and their encoded images."""

    file: str
    samples: int
    sha256: str
    pictures: tuple[EncodedImage, ...]


@dataclass(frozen=True)
class Golden:
    """Golden samples: images, their labels, and each file's logits where it was exported."""

    images: np.ndarray
    labels: np.ndarray
    expected: dict[str, np.ndarray]


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read from, or written to, `folder`."""

    folder: Path
    labels: tuple[str, ...]
    height: int
    width: int
    channels: int
    resize: str
    """How images are decoded and brought to this size: one of `tkit_edge.images.RESIZES`."""
    output: str
    """"logits", or "probabilities" where the model ends in a softmax or sigmoid."""
    models: Mapping[str, ModelFile]
    golden_file: GoldenFile

    @classmethod
    def write(
        cls,
        folder: str | Path,
        *,
        models: Mapping[str, bytes],
        labels: Sequence[str],
        images: np.ndarray,
        answers: np.ndarray,
        encoded: Sequence[bytes | None] | None = None,
        output: str = "logits",
        resize: str = "crop",
    ) -> Bundle:
        """Writes a bundle, with what each file says to the golden images here as the expected outputs.

        Args:
            folder: where to; made where it isn't there.
            models: each format's .tflite file, such as {"int8": data}.
            labels: the classes' names, in the order of the logits.
            images: golden images, uint8 [n, height, width, channels]; n may be 0.
            answers: their classes, int32 [n].
            encoded: the images' own files, which `decode` must give the very pixels of; PNGs are made where there
                is none.
            output: "logits" or "probabilities".
            resize: one of `tkit_edge.images.RESIZES`.

        Raises:
            InputError: too many golden samples, an encoded image with other pixels, a model whose input or output
                doesn't fit the images or the labels, or a folder that can't be written.
        """
        folder = Path(folder)
        bad = [fmt for fmt in models if not _FORMAT.fullmatch(fmt)]
        if not models or bad:
            raise InputError(f"Expected models by format (small letters and digits), received {bad or 'none'}.")
        if images.ndim != 4 or answers.shape != images.shape[:1]:
            raise InputError(f"Expected images [n, h, w, c] and n answers, received {images.shape}, {answers.shape}.")
        if images.nbytes > MAX_GOLDEN_BYTES // 2:  # the other half is left for what the models give
            raise InputError(
                f"{len(images):,} golden samples take {images.nbytes:,} bytes, expected at most "
                f"{MAX_GOLDEN_BYTES // 2:,}: take fewer."
            )
        if output not in OUTPUTS:
            raise InputError(f"Expected an output of {' or '.join(OUTPUTS)}, received {output!r}.")
        encodings = _encoded(images, encoded or [None] * len(images), resize)
        expected = {fmt: Model(data).predict(images) for fmt, data in models.items()}
        for fmt, logits in expected.items():
            if logits.shape[1] != len(labels):
                raise InputError(f"The {fmt} model has {logits.shape[1]} outputs for {len(labels)} labels.")
        golden = files.npz_bytes(
            {
                "images": images,
                "labels": answers.astype(np.int32),
                **{f"expected_{fmt}": logits for fmt, logits in expected.items()},
            }
        )
        height, width, channels = images.shape[1:]
        made = cls(
            folder=folder,
            labels=tuple(labels),
            height=height,
            width=width,
            channels=channels,
            resize=resize,
            output=output,
            models={fmt: model_file.describe(fmt, data) for fmt, data in models.items()},
            golden_file=GoldenFile(
                file="golden.npz",
                samples=len(images),
                sha256=_sha256(golden),
                pictures=tuple(
                    EncodedImage(f"{number:04d}{suffix(data)}", _sha256(data)) for number, data in enumerate(encodings)
                ),
            ),
        )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"Cannot make the folder {folder}: {error.strerror}.") from error
        for fmt, data in models.items():
            files.write_bytes(made.path(fmt), data)
        for number, image in enumerate(encodings):
            files.write_bytes(made.image(number), image)
        files.write_bytes(folder / made.golden_file.file, golden)
        files.write_bytes(folder / "bundle.json", (json.dumps(made._as_json(), indent=2) + "\n").encode())
        return made

    @classmethod
    def read(cls, folder: str | Path) -> Bundle:
        """The bundle in a folder, after its schema and every file's size and sha256 were checked.

        Raises:
            InputError: no bundle, one of a newer version, or a file that is missing or was changed.
        """
        folder = Path(folder)
        path = folder / "bundle.json"
        if not path.is_file():
            raise InputError(f"No bundle at {folder}: expected a folder with a bundle.json.")
        top = Fields(read_json(path, MAX_JSON_BYTES), str(path))
        version = top.get("version", int)
        if version != VERSION:
            raise InputError(f"{path} has version {version}, this tkit-edge reads {VERSION}. Update tkit-edge.")
        size, golden = top.part("input"), top.part("golden")
        for fields, key, known in ((top, "task", TASK), (size, "pixels", PIXELS)):
            if fields.get(key, str) != known:
                raise InputError(f"{path}: {key} is {fields.get(key, str)!r}, this tkit-edge knows {known!r} only.")
        resize = next((name for name, rule in RESIZES.items() if rule == size.get("resize", str)), None)
        if resize is None:
            known = ", ".join(map(repr, RESIZES.values()))
            raise InputError(
                f"{path}: resize is {size.get('resize', str)!r}, this tkit-edge knows {known}. Update tkit-edge."
            )
        bundle = cls(
            folder=folder,
            labels=tuple(top.texts("labels")),
            height=size.count("height"),
            width=size.count("width"),
            channels=size.count("channels"),
            resize=resize,
            output=top.get("output", str),
            models={fmt: model_file.from_json(part) for fmt, part in top.part("models").parts().items()},
            golden_file=GoldenFile(
                file=golden.file_name("file"),
                samples=golden.count("samples", least=0),
                sha256=golden.get("sha256", str),
                pictures=tuple(
                    EncodedImage(item.file_name("file"), item.get("sha256", str)) for item in golden.items("pictures")
                ),
            ),
        )
        if bundle.output not in OUTPUTS:
            raise InputError(f"{path}: output is {bundle.output!r}, this tkit-edge knows {', '.join(OUTPUTS)}.")
        bad = [fmt for fmt in bundle.models if not _FORMAT.fullmatch(fmt)]
        if bad:
            raise InputError(f"{path}: models: expected formats of small letters and digits, received {bad[0]!r}.")
        if len(bundle.golden_file.pictures) != bundle.golden_file.samples:
            raise InputError(f"{path}: golden.pictures: expected {bundle.golden_file.samples}, one a sample.")
        for model in bundle.models.values():
            _check(folder / model.file, model.sha256, model.bytes)
        _check(folder / bundle.golden_file.file, bundle.golden_file.sha256)
        for number, image in enumerate(bundle.golden_file.pictures):
            _check(bundle.image(number), image.sha256)
        return bundle

    def pixels(self, image: str | Path | bytes | np.ndarray) -> np.ndarray:
        """What the models see of an image, uint8 [height, width, channels]: the very pixels that training would see.

        Args:
            image: an image file's path or bytes, or a decoded image as `tkit_edge.images.from_array` takes it.

        Raises:
            InputError: no image that can be read.
        """
        shape = (self.height, self.width, self.channels)
        if isinstance(image, np.ndarray):
            return from_array(image, *shape, self.resize)
        data = image if isinstance(image, bytes) else files.read_bytes(Path(image))
        return decode(data, *shape, self.resize, name="The image" if isinstance(image, bytes) else str(image))

    def path(self, fmt: str) -> Path:
        """The model file of a format; InputError for a format that isn't there, naming those that are."""
        if fmt not in self.models:
            raise InputError(f"{self.folder} has no {fmt} model. It has: {', '.join(self.models)}.")
        return self.folder / self.models[fmt].file

    def image(self, number: int) -> Path:
        """The encoded image of a golden sample."""
        return self.folder / "golden" / self.golden_file.pictures[number].file

    def golden(self) -> Golden:
        """The golden samples; InputError where there are none, or they don't fit the bundle."""
        if not self.golden_file.samples:
            raise InputError(
                f"{self.folder} has no golden samples, so there is nothing to check. It was exported with "
                "export.golden=0: export it again with some, such as export.golden=8."
            )
        path, samples, classes = (
            self.folder / self.golden_file.file,
            self.golden_file.samples,
            len(self.labels),
        )
        shape = (samples, self.height, self.width, self.channels)
        wanted: dict[str, tuple[type, int]] = {"images": (np.uint8, 4), "labels": (np.int32, 1)}
        wanted.update({f"expected_{fmt}": (np.float32, 2) for fmt in self.models})
        size = int(np.prod(shape, dtype=object)) + 4 * samples * (1 + classes * len(self.models))
        size += 1024 * len(wanted)  # for the arrays' headers
        arrays = files.read_npz(path, wanted, limit=min(size, MAX_GOLDEN_BYTES))
        shapes = {"images": shape, "labels": (samples,)}
        for name, array in arrays.items():
            if array.shape != shapes.get(name, (samples, classes)):
                raise InputError(f"{path}: {name} has the shape {array.shape}, which is not what bundle.json says.")
        expected = {fmt: arrays[f"expected_{fmt}"] for fmt in self.models}
        return Golden(arrays["images"], arrays["labels"], expected)

    def _as_json(self) -> dict[str, Any]:
        return {
            "version": VERSION,
            "task": TASK,
            "labels": list(self.labels),
            "input": {
                **{"height": self.height, "width": self.width, "channels": self.channels},
                **{"pixels": PIXELS, "resize": RESIZES[self.resize]},
            },
            "output": self.output,
            "models": {fmt: asdict(model) for fmt, model in self.models.items()},
            "golden": asdict(self.golden_file),
        }


def _encoded(images: np.ndarray, files_of: Sequence[bytes | None], resize: str) -> list[bytes]:
    """Each image's own file, or a PNG, after it was shown to decode to these pixels."""
    if len(files_of) != len(images):
        raise InputError(f"Expected an encoded image or None for each of {len(images)}, received {len(files_of)}.")
    height, width, channels = images.shape[1:]
    for number, (image, data) in enumerate(zip(images, files_of)):
        name = f"golden sample {number}"
        if data is not None and not np.array_equal(decode(data, height, width, channels, resize, name=name), image):
            raise InputError(f"Golden sample {number}: its encoded image doesn't decode to the pixels given.")
    return [encode_png(image) if data is None else data for image, data in zip(images, files_of)]


def _check(path: Path, sha256: str, size: int | None = None) -> None:
    if not path.is_file():
        raise InputError(f"Cannot read {path}: no such file.")
    found = path.stat().st_size
    if size is not None and found != size:
        raise InputError(f"{path} has {found:,} bytes, bundle.json says {size:,}. Copy the bundle again.")
    if files.sha256(path) != sha256:
        raise InputError(f"{path} is not the file that bundle.json describes (other sha256). Copy it again.")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
