"""Test examples, and which of a model file's answers to it are right."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tkit_edge import files, flatbuffer
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError
from tkit_edge.inputs import Input
from tkit_edge.inputs.image import Image
from tkit_edge.model_file import specs
from tkit_edge.outputs import Output
from tkit_edge.outputs.classes import Classes
from tkit_edge.tensors import Arrays, Runner, bound, matched


@dataclass(frozen=True)
class Judge:
    """The examples of a test file, and what is right of them."""

    input: Input
    output: Output
    examples: Arrays
    targets: Arrays
    is_golden: bool = False
    """Whether the examples are a bundle's golden samples."""

    @classmethod
    def of(cls, test: Path, bundle: Bundle | None, file: Path) -> Judge:
        """The judge of a bundle's file, or of a file by itself, which is then taken for a classifier of images.

        Raises:
            InputError: no test file, or one that doesn't fit the model.
        """
        graph = flatbuffer.read(files.read_bytes(file), str(file))
        taken, given = specs(graph, graph.inputs), specs(graph, graph.outputs)
        input = bundle.input if bundle else Image.of(taken, str(file), "crop")
        output = bundle.output if bundle else Classes.of(given, str(file), "logits")
        if output.measure is None:
            raise InputError(f"{file} gives {output.line()}: nothing is known to be right, so {test} can't score it.")
        matched(input.tensors, taken, str(file), "takes")
        matched(output.tensors, given, str(file), "gives")
        examples, targets = read_test(test, input, output)
        if problem := output.misfit(targets):
            raise InputError(f"{test} has {problem}.")
        return cls(input, output, examples, targets)

    @classmethod
    def golden(cls, bundle: Bundle) -> Judge | None:
        """The judge by a bundle's golden samples; None where it has none, or nothing is known to be right of them."""
        if not bundle.golden_file.samples or bundle.output.measure is None:
            return None
        golden = bundle.golden()
        return cls(bundle.input, bundle.output, golden.inputs, golden.targets, is_golden=True)

    @property
    def samples(self) -> int:
        """The number of examples."""
        return len(next(iter(self.examples.values())))

    def graded(self, model: Runner, start: int, stop: int) -> np.ndarray:
        """The grades of a model's answers to the examples from `start` to `stop`, as `Output.graded`."""
        part = slice(start, stop)
        run = bound(model, self.input.tensors, self.output.tensors)
        outputs = run({name: array[part] for name, array in self.examples.items()})
        return self.output.graded(outputs, {name: array[part] for name, array in self.targets.items()})


def read_test(path: Path, input: Input, output: Output) -> tuple[Arrays, Arrays]:
    """A test file's inputs and targets by name: an .npz file with an array of each, called by `array_name`.

    Raises:
        InputError: no .npz file with arrays of the types and shapes that the model needs, one for one, at least one.
    """
    wanted = {array_name(spec.name): spec for spec in (*input.tensors, *output.targets)}
    kinds = {key: (np.dtype(spec.dtype).type, 1 + len(spec.shape)) for key, spec in wanted.items()}
    arrays = files.read_npz(path, kinds)
    counts = {key: len(array) for key, array in arrays.items()}
    if len(set(counts.values())) != 1 or not min(counts.values()):
        received = " and ".join(f"{count} {key}" for key, count in counts.items())
        raise InputError(f"{path}: expected as many of each, at least one, received {received}.")
    for key, spec in wanted.items():
        if arrays[key].shape[1:] != spec.shape:
            raise InputError(f"{path} has {key} {arrays[key].shape[1:]}, the model needs {spec.shape}.")
    examples = {spec.name: arrays[array_name(spec.name)] for spec in input.tensors}
    return examples, {spec.name: arrays[array_name(spec.name)] for spec in output.targets}


def array_name(name: str) -> str:
    """What a test file calls the array of many of a tensor: `images`, `labels`; `tokens` stays as it is."""
    return name if name.endswith("s") else f"{name}s"
