"""An ONNX file of the float model, for ONNX Runtime and what else reads ONNX.

`tkit export RUN --format onnx` writes model.onnx (inputs and outputs named as in the bundle, an open batch) after ONNX
Runtime gave what the Keras model gives, within the bound of the parity gate's float32 files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tkit import files
from tkit.handovers import Handover, Source
from tkit_edge.errors import InputError


class Onnx(Handover):
    """model.onnx, contract.json, and labels.txt of a classifier."""

    kind: Literal["onnx"] = "onnx"

    def write(self, source: Source, folder: Path) -> dict[str, Any]:
        """As `Handover.write`."""
        from tkit.conversion.converter import file_outputs
        from tkit.conversion.onnx_file import OPSET, onnx_file
        from tkit.handovers._float_gate import gated, keras_model
        from tkit.handovers._folder import write_contract

        model = keras_model(source, "ONNX")
        assert source.reference is not None
        contract = source.reference().contract
        outputs = file_outputs(contract.output)
        data = onnx_file(model, outputs)
        session = _session(data)

        def run(arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
            return list(session.run(list(outputs), dict(zip(takes, arrays.values(), strict=True))))

        takes = [item.name for item in session.get_inputs()]
        figures = gated("onnx", source, run)
        files.write_bytes(folder / "model.onnx", data)
        write_contract(folder, contract.input, contract.output, opset=OPSET)
        line = f"{len(data):,} bytes, opset {OPSET}, largest difference {figures['max_difference']:.1e}  ok"
        return {"line": line, "bytes": len(data), "opset": OPSET, **figures}


def _session(data: bytes) -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise InputError(
            "The parity gate runs ONNX files with onnxruntime, which is not installed: pip install 'keras-tkit[onnx]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common class of their own
        raise InputError(f"ONNX Runtime refuses the file: {error}") from error
