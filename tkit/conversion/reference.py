"""What exported files are compared with: the Keras model's outputs for validation examples."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from tkit.arrays import count, predicted
from tkit.contract import Contract
from tkit.conversion import finite
from tkit.conversion.config import Export
from tkit.conversion.held_out import drawn
from tkit_edge.tensors import Arrays
from tkit_pipelines.splits import Splits

AGREEMENT_SAMPLES = 200
"""Examples that agreement is judged on at least, as far as there are any: on 40 it misses a bound of 95 % by chance."""


@dataclass(frozen=True)
class Reference:
    """What files are compared with: examples, what the Keras model gives for them, and targets of the first of them."""

    examples: Arrays
    outputs: Arrays
    targets: Arrays
    contract: Contract

    @property
    def samples(self) -> str:
        """What bounds are judged on, for messages."""
        held_out = count(self.targets) if self.targets else count(self.examples)
        return f"{held_out} validation {self.contract.input.example}s"

    @classmethod
    def of(cls, model: keras.Model, splits: Splits, settings: Export, seed: int, contract: Contract) -> Reference:
        """Validation examples, and training examples where they are few, with what the Keras model gives."""
        held_out = drawn(splits.validation, settings.parity.samples, seed)
        names = [spec.name for spec in contract.input.tensors]
        missing = min(settings.parity.samples, AGREEMENT_SAMPLES) - len(held_out)
        examples = held_out.arrays(names)
        if missing > 0:
            more = drawn(splits.train, missing, seed)
            examples = {name: np.concatenate([array, more.columns[name]]) for name, array in examples.items()}
        outputs = predicted(model, examples, contract.output.tensors, 256)
        finite.check_outputs(model, examples, outputs)
        targets = held_out.arrays([spec.name for spec in contract.output.targets])
        return cls(examples, outputs, targets, contract)
