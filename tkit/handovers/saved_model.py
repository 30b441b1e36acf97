"""TensorFlow's SavedModel of the float model, for TensorFlow Serving, TensorFlow.js and other converters.

`tkit export RUN --format saved-model` writes saved_model/ (its signature serving_default has an open batch, and inputs
and outputs named as in the bundle) after it gave what the Keras model gives, within the bound of the parity gate's
float32 files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tkit.handovers import Handover, Source

SIGNATURE = "serving_default"


class SavedModel(Handover):
    """saved_model/, contract.json, and labels.txt of a classifier."""

    kind: Literal["saved_model"] = "saved_model"

    def write(self, source: Source, folder: Path) -> dict[str, Any]:
        """As `Handover.write`."""
        import tensorflow as tf

        from tkit.conversion.converter import file_outputs
        from tkit.conversion.saved_model import save
        from tkit.conversion.traced import traced
        from tkit.handovers._float_gate import gated, keras_model
        from tkit.handovers._folder import write_contract

        model = keras_model(source, "A SavedModel")
        assert source.reference is not None
        contract = source.reference().contract
        outputs = file_outputs(contract.output)
        function, specs = traced(model, outputs, batch=None)
        save(model, function, folder / "saved_model")
        loaded = tf.saved_model.load(str(folder / "saved_model"))

        def run(arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
            named = {spec.name: tf.constant(array) for spec, array in zip(specs, arrays.values(), strict=True)}
            found = loaded.signatures[SIGNATURE](**named)
            return [found[name].numpy() for name in outputs]

        figures = gated("saved_model", source, run)
        write_contract(folder, contract.input, contract.output, signature=SIGNATURE)
        size = sum(path.stat().st_size for path in (folder / "saved_model").rglob("*") if path.is_file())
        line = f"{size:,} bytes, {SIGNATURE}, largest difference {figures['max_difference']:.1e}  ok"
        return {"line": line, "bytes": size, "signature": SIGNATURE, **figures}
