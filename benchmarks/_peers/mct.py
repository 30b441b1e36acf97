"""Sony's Model Compression Toolkit, on TensorFlow 2.15 and Keras 2: the network is built again and gets the weights.

Its target is `imx500`, whose files are fake-quantized or int8; its `tflite` target raises.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from _peers.given import Given, rebuild, train


def make(given: Given, way: str) -> bytes:
    """`way` is one of "ptq", "gptq", "qat" and "channels"."""
    import keras
    import model_compression_toolkit as mct

    model = rebuild(keras, given)
    for name, arrays in given.weights.items():
        if arrays:
            model.get_layer(name).set_weights(arrays)
    return exported(mct, WAYS[way](mct, keras, model, given))


def ptq(mct: Any, keras: Any, model: Any, given: Given) -> Any:
    return mct.ptq.keras_post_training_quantization(model, lambda: given.examples(50))[0]


def gptq(mct: Any, keras: Any, model: Any, given: Given) -> Any:
    config = mct.gptq.get_keras_gptq_config(n_epochs=given.epochs)
    return mct.gptq.keras_gradient_post_training_quantization(model, lambda: given.examples(50), gptq_config=config)[0]


def qat(mct: Any, keras: Any, model: Any, given: Given) -> Any:
    made, _, _ = mct.qat.keras_quantization_aware_training_init_experimental(model, lambda: given.examples(50))
    train(keras, made, given)
    return mct.qat.keras_quantization_aware_training_finalize_experimental(made)


def channels(mct: Any, keras: Any, model: Any, given: Given) -> Any:
    # It removes channels in groups as wide as its target's SIMD units, so that half of such small networks is too much.
    target = mct.core.ResourceUtilization(weights_memory=model.count_params() * 4 * 0.75)
    narrow, _ = mct.pruning.keras_pruning_experimental(model, target, lambda: given.examples(50))
    train(keras, narrow, given)
    return ptq(mct, keras, narrow, given)


WAYS = {"ptq": ptq, "gptq": gptq, "qat": qat, "channels": channels}


def exported(mct: Any, model: Any) -> bytes:
    """The toolkit's own int8 .tflite file."""
    exporter = mct.exporter
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        exporter.keras_export_model(
            model,
            str(path),
            serialization_format=exporter.KerasExportSerializationFormat.TFLITE,
            quantization_format=exporter.QuantizationFormat.INT8,
        )
        return path.read_bytes()
