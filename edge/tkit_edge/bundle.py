"""A bundle: the folder that holds all a device needs to run a model, and to prove that it runs it rightly.

    bundle.json            task, input, output, each model file's size, sha256 and tensors
    vocabulary.txt         of texts: a token per line
    model-<format>.tflite
    golden.npz             input_<name> [n, ...], target_<name> [n, ...], expected_<format>_<name> [n, ...]
    golden/0000.jpg ...    the same inputs encoded: without metadata, or the original files where asked for

There may be no golden samples: then golden.npz has arrays of none, and golden/ is not there.

bundle.json is written last: a folder without it is no bundle.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tkit_edge import bundle_v1, files, inputs, model_file, outputs
from tkit_edge.errors import InputError
from tkit_edge.fields import Fields
from tkit_edge.inputs import Input
from tkit_edge.json_file import read_json
from tkit_edge.model_file import ModelFile
from tkit_edge.outputs import Output
from tkit_edge.outputs.classes import Classes
from tkit_edge.tensors import Arrays, TensorSpec

VERSION = 2
MAX_JSON_BYTES = 4 * 2**20
MAX_GOLDEN_BYTES = 256 * 2**20  # unpacked
FORMAT = re.compile(r"[a-z0-9]+")
DEFAULT_FORMAT = "int8"


@dataclass(frozen=True)
class EncodedInput:
    """The encoded input of a golden sample, in golden/."""

    file: str
    sha256: str


@dataclass(frozen=True)
class GoldenFile:
    """The file of golden samples, and their encoded inputs."""

    file: str
    samples: int
    sha256: str
    encoded: tuple[EncodedInput, ...]


@dataclass(frozen=True)
class Golden:
    """Golden samples: inputs, what is right of them, and each file's outputs where it was exported."""

    inputs: Arrays
    targets: Arrays
    expected: Mapping[str, Arrays]


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read from, or written to, `folder`; `bundle_writing.write` makes one."""

    folder: Path
    task: str
    input: Input
    output: Output
    models: Mapping[str, ModelFile]
    golden_file: GoldenFile
    version: int = VERSION
    """That it was written in."""

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
        if version not in (1, VERSION):
            raise InputError(f"{path} has version {version}, this tkit-edge reads 1 and {VERSION}. Update tkit-edge.")
        if version == 1:
            top = bundle_v1.upgraded(top)
        golden = top.part("golden")
        bundle = cls(
            folder=folder,
            task=top.get("task", str),
            input=inputs.read(top.part("input"), folder),
            output=outputs.read(top.part("output")),
            models={fmt: model_file.from_json(part) for fmt, part in top.part("models").parts().items()},
            golden_file=GoldenFile(
                file=golden.file_name("file"),
                samples=golden.count("samples", least=0),
                sha256=golden.get("sha256", str),
                encoded=tuple(
                    EncodedInput(item.file_name("file"), item.get("sha256", str)) for item in golden.items("encoded")
                ),
            ),
            version=version,
        )
        bundle._check(path)
        return bundle

    def path(self, fmt: str) -> Path:
        """The model file of a format; InputError for a format that isn't there, naming those that are."""
        if fmt not in self.models:
            raise InputError(f"{self.folder} has no {fmt} model. It has: {', '.join(self.models)}.")
        return self.folder / self.models[fmt].file

    @property
    def default_format(self) -> str:
        """int8 where the bundle has it, else its first file."""
        return DEFAULT_FORMAT if DEFAULT_FORMAT in self.models else next(iter(self.models))

    @property
    def classes(self) -> Classes:
        """What a classifier gives.

        Raises:
            InputError: the model is none.
        """
        if not isinstance(self.output, Classes):
            raise InputError(f"{self.folder} holds no classifier: its output is of the kind {self.output.kind}.")
        return self.output

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes' names, in the order of the model's scores; raises like `classes`."""
        return self.classes.names

    def encoded(self, number: int) -> Path:
        """The encoded input of a golden sample."""
        return self.folder / "golden" / self.golden_file.encoded[number].file

    def golden(self) -> Golden:
        """The golden samples; InputError where there are none, or they don't fit the bundle."""
        samples = self.golden_file.samples
        if not samples:
            raise InputError(
                f"{self.folder} has no golden samples, so there is nothing to check. It was exported with "
                "export.golden=0: export it again with some, such as export.golden=8."
            )
        path, wanted = self.folder / self.golden_file.file, golden_specs(self.input, self.output, self.models)
        names = {key: key for key in wanted}
        if self.version == 1:
            names = bundle_v1.golden_names(self.models, self.output.tensors[0].name)
        size = golden_bytes(wanted, samples)
        kinds = {names[key]: (np.dtype(spec.dtype).type, 1 + len(spec.shape)) for key, spec in wanted.items()}
        stored = files.read_npz(path, kinds, limit=min(size, MAX_GOLDEN_BYTES))
        arrays = {key: stored[names[key]] for key in wanted}
        for key, array in arrays.items():
            if array.shape != (samples, *wanted[key].shape):
                raise InputError(f"{path}: {names[key]} has the shape {array.shape}: not what bundle.json says.")
        return Golden(
            _without(arrays, "input_"),
            _without(arrays, "target_"),
            {fmt: _without(arrays, f"expected_{fmt}_") for fmt in self.models},
        )

    def as_json(self) -> dict[str, Any]:
        """What is written into bundle.json."""
        return {
            "version": VERSION,
            "task": self.task,
            "input": {"kind": self.input.kind, **self.input.as_json()},
            "output": {"kind": self.output.kind, **self.output.as_json()},
            "models": {fmt: asdict(model) for fmt, model in self.models.items()},
            "golden": asdict(self.golden_file),
        }

    def _check(self, path: Path) -> None:
        """Raises InputError where a part doesn't fit another, or a file is not the one in bundle.json."""
        bad = [fmt for fmt in self.models if not FORMAT.fullmatch(fmt)]
        if bad:
            raise InputError(f"{path}: models: expected formats of small letters and digits, received {bad[0]!r}.")
        if len(self.golden_file.encoded) != self.golden_file.samples:
            raise InputError(f"{path}: golden.encoded: expected {self.golden_file.samples}, one per sample.")
        wanted = [[spec.name for spec in side.tensors] for side in (self.input, self.output)]
        for fmt, model in self.models.items():
            if [[facts.name for facts in side] for side in (model.inputs, model.outputs)] != wanted:
                raise InputError(f"{path}: models.{fmt}: its tensors are not those of input and output.")
            _check_file(self.folder / model.file, model.sha256, model.bytes)
        _check_file(self.folder / self.golden_file.file, self.golden_file.sha256)
        for number, item in enumerate(self.golden_file.encoded):
            _check_file(self.encoded(number), item.sha256)


def golden_specs(input: Input, output: Output, formats: Mapping[str, Any]) -> dict[str, TensorSpec]:
    """The arrays of golden.npz by name, each with what one sample of it is."""
    expected = {f"expected_{fmt}_{spec.name}": spec for fmt in formats for spec in output.tensors}
    return {
        **{f"input_{spec.name}": spec for spec in input.tensors},
        **{f"target_{spec.name}": spec for spec in output.targets},
        **expected,
    }


def golden_bytes(specs: Mapping[str, TensorSpec], samples: int) -> int:
    """What golden.npz takes unpacked, at most."""
    values = (samples * math.prod(spec.shape) * np.dtype(spec.dtype).itemsize for spec in specs.values())
    return sum(values) + 1024 * len(specs)  # and the arrays' headers


def _without(arrays: Arrays, prefix: str) -> dict[str, np.ndarray]:
    return {key[len(prefix) :]: array for key, array in arrays.items() if key.startswith(prefix)}


def _check_file(path: Path, sha256: str, size: int | None = None) -> None:
    if not path.is_file():
        raise InputError(f"Cannot read {path}: no such file.")
    found = path.stat().st_size
    if size is not None and found != size:
        raise InputError(f"{path} has {found:,} bytes, bundle.json says {size:,}. Copy the bundle again.")
    if files.sha256(path) != sha256:
        raise InputError(f"{path} is not the file that bundle.json describes (other sha256). Copy it again.")
