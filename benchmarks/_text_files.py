"""The files of tkit's Transformer that `text_speed.py` compares: .tflite, and .onnx from Keras and from PyTorch.

In the file that Keras exports, ONNX Runtime recognizes neither layer normalization nor GELU; in that of
`torch.nn.TransformerEncoder` with the same weights it fuses both and is 1.5 times as fast.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import torch
from _sentences import LENGTH, VOCABULARY, made, text_input, transformer
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from torch import nn

from tkit.conversion.config import Format
from tkit.conversion.converter import Converter
from tkit.graph import clone, cloned
from tkit_edge import runtime

EXPORTERS = "Keras", "PyTorch"
CALIBRATION, COMPARED = 100, 1_000
"""Sentences."""


def prepare(folder: Path, formats: Sequence[Format]) -> None:
    """A `.tflite` file of each format; `-float32.onnx`, `-dynamic.onnx` and `-static.onnx` of each exporter;
    `tokens.npy`, the ids of some sentences; `same.json`, on what share of others each file gives the model's class."""
    model, ids = transformer(), text_input().encoded_texts(made()[0][: CALIBRATION + COMPARED])
    tokens = ids[:CALIBRATION]
    np.save(folder / "tokens.npy", tokens)
    with Converter(model, {"tokens": tokens}, io="int8") as convert:
        for fmt in formats:
            (folder / f"{fmt}.tflite").write_bytes(convert(fmt))
    paths = [folder / f"{exporter}-float32.onnx" for exporter in EXPORTERS]
    spec = [keras.InputSpec(shape=(1, LENGTH), dtype="int32", name="tokens")]
    _with_erf(model).export(paths[0], format="onnx", verbose=False, input_signature=spec)
    torch.backends.mha.set_fastpath_enabled(False)  # it has an operator of its own
    torch.onnx.export(
        _Network(model).eval(), (torch.from_numpy(tokens[:1]),), paths[1], input_names=["tokens"], dynamo=False
    )
    for path, exporter in zip(paths, EXPORTERS, strict=True):
        quantize_dynamic(path, folder / f"{exporter}-dynamic.onnx", weight_type=QuantType.QInt8)
        quantize_static(
            path,
            folder / f"{exporter}-static.onnx",
            _Tokens(tokens),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
        )
    files = [*folder.glob("*.tflite"), *folder.glob("*.onnx")]
    expected = model.predict(ids[CALIBRATION:], verbose=0).argmax(axis=1)
    same = {path.name: float(np.mean(_classes(path, ids[CALIBRATION:]) == expected)) for path in files}
    (folder / "same.json").write_text(json.dumps(same))


def _classes(path: Path, ids: np.ndarray) -> np.ndarray:
    if path.suffix == ".tflite":
        return runtime.Model(path).predict(ids).argmax(axis=1)
    session = onnxruntime.InferenceSession(path)
    return np.array([session.run(None, {"tokens": row[None]})[0].argmax() for row in ids])


class _Tokens(CalibrationDataReader):
    def __init__(self, tokens: np.ndarray) -> None:
        self.left = [{"tokens": row[None]} for row in tokens]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return self.left.pop() if self.left else None


def _with_erf(model: keras.Model) -> keras.Model:
    """A copy whose GELU is written with erf: Keras's own becomes erfc, which tf2onnx doesn't know."""

    def gelu(x: keras.KerasTensor) -> keras.KerasTensor:
        return 0.5 * x * (1 + keras.ops.erf(x / 2**0.5))

    def make(layer: keras.layers.Layer) -> keras.layers.Layer:
        activation = getattr(layer, "activation", None)
        return clone(layer, activation=gelu) if activation is keras.activations.gelu else clone(layer)

    return cloned(model, make)


class _Network(nn.Module):
    """The same network as PyTorch users write it, with the weights of `model`."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        width = 64
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, activation="gelu", batch_first=True, norm_first=True)
        self.tokens, self.places = nn.Embedding(VOCABULARY, width), nn.Embedding(LENGTH + 1, width)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.logits = nn.LayerNorm(width), nn.Linear(width, 2)
        own = {"token_embedding": self.tokens, "position_embedding": self.places}
        own |= {"norm": self.norm, "logits": self.logits}
        for number, block in enumerate(self.encoder.layers, 1):
            parts = {"attention_norm": block.norm1, "attention": block.self_attn, "feed_norm": block.norm2}
            parts |= {"feed_up": block.linear1, "feed_down": block.linear2}
            own |= {f"block{number}_{name}": part for name, part in parts.items()}
        for name, module in own.items():
            weights = [torch.from_numpy(value) for value in model.get_layer(name).get_weights()]
            for parameter, value in zip(module.parameters(), _as_in_torch(module, weights), strict=True):
                parameter.data.copy_(value)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        present = ids.clamp(max=1)
        x = self.tokens(ids) + self.places(present.cumsum(1))
        x = self.encoder(x, src_key_padding_mask=present == 0)
        counted = present.float()
        mean = (x * counted[..., None]).sum(1) / counted.sum(1, keepdim=True)
        return self.logits(self.norm(mean))


def _as_in_torch(module: nn.Module, weights: list[torch.Tensor]) -> list[torch.Tensor]:
    """A Keras layer's weights in the order and layout of a module's parameters."""
    if isinstance(module, nn.Linear):
        return [weights[0].T, weights[1]]
    if isinstance(module, nn.MultiheadAttention):
        *projections, kernel, bias = weights
        width = len(bias)
        kernels = [weight.reshape(width, width).T for weight in projections[::2]]
        biases = [weight.reshape(width) for weight in projections[1::2]]
        return [torch.cat(kernels), torch.cat(biases), kernel.reshape(width, width).T, bias]
    return weights
