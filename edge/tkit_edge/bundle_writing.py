"""Writing a bundle: each file's outputs for the golden samples here become what a device has to give."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tkit_edge import files, model_file
from tkit_edge.bundle import FORMAT, MAX_GOLDEN_BYTES, Bundle, EncodedInput, GoldenFile, golden_bytes, golden_specs
from tkit_edge.errors import InputError
from tkit_edge.inputs import Input
from tkit_edge.outputs import Output
from tkit_edge.runtime import Model
from tkit_edge.tensors import Arrays, bound


def write(
    folder: str | Path,
    *,
    task: str,
    input: Input,
    output: Output,
    models: Mapping[str, bytes],
    examples: Arrays,
    targets: Arrays,
    encoded: Sequence[bytes | None] = (),
) -> Bundle:
    """Writes a bundle, with what each file gives for the golden samples here as the expected outputs.

    Args:
        folder: where to; made where it isn't there.
        task: what the model does, such as "image-classification".
        input: what the models take.
        output: what they give.
        models: each format's .tflite file, such as {"int8": data}.
        examples: the golden samples' inputs by name, [n, ...]; n may be 0.
        targets: what is right of them, by name, [n, ...].
        encoded: the samples' own files, which `input.read` must give the very samples of; files are made for those
            that have None, for all by default.

    Raises:
        InputError: too many golden samples, an encoded input that reads as another one, a model whose inputs or outputs
            don't fit, or a folder that can't be written.
    """
    folder = Path(folder)
    bad = [fmt for fmt in models if not FORMAT.fullmatch(fmt)]
    if not models or bad:
        raise InputError(f"Expected models by format (small letters and digits), received {bad or 'none'}.")
    described = {fmt: model_file.describe(fmt, data, input.tensors, output.tensors) for fmt, data in models.items()}
    samples = _count(input, output, examples, targets)
    specs = golden_specs(input, output, models)
    _check_size(golden_bytes(specs, samples), samples)
    golden_inputs = _files(input, examples, encoded or [None] * samples)
    arrays = {f"input_{name}": array for name, array in examples.items()}
    arrays.update({f"target_{name}": array for name, array in targets.items()})
    for fmt, data in models.items():
        found = bound(Model(data), input.tensors, output.tensors)(examples)
        arrays.update({f"expected_{fmt}_{name}": array for name, array in found.items()})
    golden = files.npz_bytes({key: arrays[key].astype(spec.dtype) for key, spec in specs.items()})
    names = [f"{number:04d}{input.suffix(data)}" for number, data in enumerate(golden_inputs)]
    entries = [EncodedInput(name, _sha256(data)) for name, data in zip(names, golden_inputs)]
    made = Bundle(
        folder=folder,
        task=task,
        input=input,
        output=output,
        models=described,
        golden_file=GoldenFile("golden.npz", samples, _sha256(golden), tuple(entries)),
    )
    contents = {made.path(fmt): data for fmt, data in models.items()}
    contents.update({made.encoded(number): data for number, data in enumerate(golden_inputs)})
    contents[folder / made.golden_file.file] = golden
    contents.update({folder / name: data for name, data in input.attached.items()})
    _write_all(folder, contents, made)
    return made


def _write_all(folder: Path, contents: Mapping[Path, bytes], made: Bundle) -> None:
    """Writes the files, bundle.json last."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the folder {folder}: {error.strerror}.") from error
    for path, data in contents.items():
        files.write_bytes(path, data)
    files.write_bytes(folder / "bundle.json", (json.dumps(made.as_json(), indent=2) + "\n").encode())


def _count(input: Input, output: Output, examples: Arrays, targets: Arrays) -> int:
    """How many samples there are, each array whole and of its shape."""
    wanted = [*((spec, examples) for spec in input.tensors), *((spec, targets) for spec in output.targets)]
    for spec, arrays in wanted:
        if spec.name not in arrays or arrays[spec.name].shape[1:] != spec.shape:
            received = f"{list(arrays[spec.name].shape)}" if spec.name in arrays else "none"
            raise InputError(f"Expected golden samples {spec.name} [n, {_sizes(spec.shape)}], received {received}.")
    counts = {len(arrays[spec.name]) for spec, arrays in wanted}
    if len(counts) != 1:
        raise InputError(f"Expected as many targets as golden samples, received {sorted(counts)}.")
    return counts.pop()


def _check_size(size: int, samples: int) -> None:
    if size > MAX_GOLDEN_BYTES:
        raise InputError(
            f"{samples:,} golden samples and what the models give for them take {size:,} bytes, expected at most "
            f"{MAX_GOLDEN_BYTES:,}: take fewer."
        )


def _sizes(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape)) or "..."


def _files(input: Input, examples: Arrays, encoded: Sequence[bytes | None]) -> list[bytes]:
    """Each sample's own file, or one that is made, after it was shown to read as the sample."""
    samples = len(next(iter(examples.values())))
    if len(encoded) != samples:
        raise InputError(f"Expected an encoded input or None for each of {samples}, received {len(encoded)}.")
    made = []
    for number, data in enumerate(encoded):
        example = {name: array[number] for name, array in examples.items()}
        if data is None:
            data = input.encoded(example)
        elif not all(np.array_equal(read, example[name]) for name, read in input.read(data).items()):
            raise InputError(f"Golden sample {number}: its encoded input doesn't read as the sample given.")
        made.append(data)
    return made


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
