"""The proofs of a compressed model as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tkit._quiet import silenced
from tkit_edge import anatomy

if TYPE_CHECKING:
    import keras

    from tkit.conversion.config import Format
    from tkit.results.proofs import ProofReport


@silenced()
def report_on(model: keras.Model, file: bytes | None = None, *, data: tuple[Any, Any] | None = None) -> ProofReport:
    """What a model promises and what its file holds, layer by layer; with `data` also how well the file answers.

    Args:
        model: what `prunable`, `clusterable`, `quantize_aware`, `strip` or `narrow` returned, or any other model, which
            promises nothing. It isn't changed.
        file: the .tflite file; None: made here, int8 of a quantization-aware model, else float32.
        data: (x, y), held-out examples: the file's answers for x beside the Keras model's. Labels y as numbers [n] or
            one-hot [n, classes] give accuracies; where outputs or y are something else, agreement alone.

    Returns:
        A report with `holds`, `rows`, `facts` and `figures`; it shows itself as text and in a notebook.

    Raises:
        InputError: a model that can't be had as a file; data that doesn't fit it; no .tflite file.

    Example:
        >>> tkit.report_on(model, data=(x_test, y_test))
    """
    from tkit.compressible.opening import opened
    from tkit.compression.proofs import proofs
    from tkit.library._figures import figures_of
    from tkit.library._file import file_of
    from tkit.results.proofs import ProofReport

    state = opened(model)
    if file is None:
        wanted: Format = "float32" if state.kept.quantized is None else "int8"
        file = file_of(state, wanted, calibration=None if data is None else data[0], io="int8", sparse=True)
    found = anatomy.dissect(file)
    fmt: Format = "int8" if found.arithmetic == "int8" or found.arithmetic.startswith("mixed") else "float32"
    facts = {"bytes": found.bytes, "zip_bytes": found.zip_bytes, "arithmetic": found.arithmetic, "macs": found.macs}
    figures = {} if data is None else figures_of(state, file, *data)
    return ProofReport(model.name, proofs(file, fmt, state.kept, state.model), facts, figures)
