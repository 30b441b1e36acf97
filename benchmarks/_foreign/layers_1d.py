"""One model per layer kind of sequences: 1-D layers, recurrent ones, attention, dense layers on tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import layers as L

from _foreign import Entry
from _foreign.frames import Body, on_rows, on_tokens, on_vector


def _positions(x: Any) -> Any:
    """Tokens with a learned embedding of their positions, as Keras's own Vision Transformer example has it."""
    from keras import ops

    return x + L.Embedding(16, 16)(ops.arange(16))


def _conv1d(x: Any) -> Any:
    """Causal, with batch normalization and dilated, strided and grouped."""
    x = L.Conv1D(12, 3, padding="causal", activation="relu")(x)
    x = L.ReLU()(L.BatchNormalization()(L.Conv1D(12, 3, dilation_rate=2, use_bias=False)(x)))
    return L.Conv1D(12, 3, strides=2, groups=4, padding="same", activation="relu")(x)


def _pooled(x: Any) -> Any:
    x = L.Conv1D(8, 3)(L.MaxPooling1D(2, 1)(x))
    x = L.Conv1D(8, 3)(L.AveragePooling1D(2)(x))
    return L.Add()([L.GlobalAveragePooling1D()(x), L.GlobalMaxPooling1D()(x)])


def _moved(x: Any) -> Any:
    x = L.Conv1D(8, 3)(L.UpSampling1D()(x))
    x = L.Conv1D(8, 3)(L.ZeroPadding1D(1)(L.Cropping1D(2)(x)))
    return L.SpatialDropout1D(0.2)(x)


_ROWS: dict[str, tuple[str, Body]] = {
    "Conv1D": ("Conv1D", _conv1d),
    "Conv1DTranspose": ("Conv1DTranspose", lambda x: L.Conv1DTranspose(12, 3, strides=2, activation="relu")(x)),
    "DepthwiseConv1D": ("DepthwiseConv1D", lambda x: L.DepthwiseConv1D(3, activation="relu")(x)),
    "SeparableConv1D": ("SeparableConv1D", lambda x: L.SeparableConv1D(12, 3, activation="relu")(x)),
    "Pooling of sequences": (
        "MaxPooling1D AveragePooling1D GlobalAveragePooling1D GlobalMaxPooling1D",
        _pooled,
    ),
    "Adaptive pooling of sequences": (
        "AdaptiveAveragePooling1D AdaptiveMaxPooling1D",
        lambda x: L.AdaptiveMaxPooling1D(4)(L.Conv1D(8, 3)(L.AdaptiveAveragePooling1D(8)(x))),
    ),
    "Layers that move values of sequences": (
        "UpSampling1D Cropping1D ZeroPadding1D SpatialDropout1D",
        _moved,
    ),
    "LSTM": ("LSTM", lambda x: L.LSTM(8)(L.LSTM(8, return_sequences=True)(x))),
    "LSTM, unrolled, go_backwards": ("LSTM", lambda x: L.LSTM(8, unroll=True, go_backwards=True)(x)),
    "GRU": ("GRU", lambda x: L.GRU(8)(x)),
    "GRU, reset_after=False": ("GRU", lambda x: L.GRU(8, reset_after=False)(x)),
    "SimpleRNN": ("SimpleRNN", lambda x: L.SimpleRNN(8)(x)),
    "Bidirectional LSTM": ("Bidirectional", lambda x: L.Bidirectional(L.LSTM(8))(x)),
    "Bidirectional GRU, sequences": ("Bidirectional", lambda x: L.Bidirectional(L.GRU(4, return_sequences=True))(x)),
    "RNN of cells": (
        "RNN LSTMCell GRUCell",
        lambda x: L.RNN(L.GRUCell(8))(L.RNN(L.LSTMCell(8), return_sequences=True)(x)),
    ),
    "RNN of stacked cells": (
        "RNN StackedRNNCells SimpleRNNCell",
        lambda x: L.RNN(L.StackedRNNCells([L.SimpleRNNCell(8), L.SimpleRNNCell(8)]))(x),
    ),
    "Masking": ("Masking", lambda x: L.LSTM(8)(L.Masking()(x))),
    "TimeDistributed of Conv1D": (
        "TimeDistributed",
        lambda x: L.GlobalAveragePooling2D()(L.TimeDistributed(L.Conv1D(4, 3))(L.Reshape((16, 16, 3))(x))),
    ),
    "ConvLSTM1D": ("ConvLSTM1D", lambda x: L.ConvLSTM1D(4, 3)(L.Reshape((4, 4, 48))(x))),
}
_TOKENS: dict[str, tuple[str, Body]] = {
    "Attention": ("Attention", lambda x: L.Attention()([x, x])),
    "Attention, scaled": ("Attention", lambda x: L.Attention(use_scale=True)([L.Dense(16)(x), x, L.Dense(16)(x)])),
    "Attention, causal": ("Attention", lambda x: L.Attention()([x, x], use_causal_mask=True)),
    "Attention, concat scores": ("Attention", lambda x: L.Attention(score_mode="concat")([x, x])),
    "AdditiveAttention": ("AdditiveAttention", lambda x: L.AdditiveAttention()([x, x])),
    "MultiHeadAttention": ("MultiHeadAttention", lambda x: L.MultiHeadAttention(2, 8)(x, x)),
    "MultiHeadAttention, causal": (
        "MultiHeadAttention",
        lambda x: L.MultiHeadAttention(2, 8)(x, x, use_causal_mask=True),
    ),
    "MultiHeadAttention, scores": (
        "MultiHeadAttention",
        lambda x: L.MultiHeadAttention(2, 8)(x, x, return_attention_scores=True)[0],
    ),
    "MultiHeadAttention, value_dim": (
        "MultiHeadAttention",
        lambda x: L.MultiHeadAttention(2, 8, value_dim=4, output_shape=12)(x, x),
    ),
    "GroupQueryAttention": ("GroupQueryAttention", lambda x: L.GroupQueryAttention(8, 4, 2)(x, x)),
    "LayerNormalization on tokens": ("LayerNormalization", lambda x: L.Dense(8)(L.LayerNormalization()(x))),
    "EinsumDense": ("EinsumDense", lambda x: L.EinsumDense("abc,cd->abd", (16, 12), "relu", bias_axes="d")(x)),
    "Dot": ("Dot", lambda x: L.Dot(axes=(2, 2))([L.Dense(8)(x), L.Dense(8)(x)])),
    "Embedding of positions": ("Embedding", _positions),
    "Dense on tokens": ("Dense", lambda x: L.Dense(8, activation="gelu")(x)),
    "BatchNormalization on tokens": ("BatchNormalization", lambda x: L.Dense(8)(L.BatchNormalization()(x))),
}
_VECTOR: dict[str, tuple[str, Body]] = {
    "Dense": ("Dense", lambda x: L.Dense(16, activation="relu")(x)),
    "Dense with batch normalization": (
        "BatchNormalization",
        lambda x: L.ReLU()(L.BatchNormalization()(L.Dense(16, use_bias=False)(x))),
    ),
    "RepeatVector": ("RepeatVector", lambda x: L.Flatten()(L.Conv1D(4, 3)(L.RepeatVector(6)(x)))),
    "Concatenate of features": ("Concatenate", lambda x: L.Concatenate()([L.Dense(4)(x), L.UnitNormalization()(x)])),
    "LayerNormalization of features": ("LayerNormalization", lambda x: L.LayerNormalization()(x)),
}


def _entries() -> list[Entry]:
    tables: tuple[tuple[dict[str, tuple[str, Body]], Callable[[Body], Any]], ...]
    tables = ((_ROWS, on_rows), (_TOKENS, on_tokens), (_VECTOR, on_vector))
    return [
        Entry(name, lambda frame=frame, body=body: frame(body), tuple(kinds.split()))
        for table, frame in tables
        for name, (kinds, body) in table.items()
    ]


ENTRIES = _entries()
