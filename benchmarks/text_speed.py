"""Text: latency of the Transformer file, tokens/s of the training pipeline, and training rate, each against its peers.

    make bench, or: pip install -e ".[bench]"; python benchmarks/text_speed.py

6,920 sentences made at random (`_sentences.py`): no data is needed. Latency: tkit's Transformer of two blocks of 64
features, 64 tokens, 8,000 words, one sentence, one thread; tkit's float32, dynamic-range and int8 files under XNNPACK
against ONNX Runtime on the same weights, with all graph optimizations: exported by Keras and, as the same network in
PyTorch, by `torch.onnx`; quantized by ONNX Runtime's dynamic and static (QDQ, a scale a channel) quantizers. Keras's
export refuses GELU's erfc: it is written with erf there. Pipeline: batches of 64 with word dropout against `tf.data`
with `TextVectorization`; padding isn't counted. Training: the same network, batches of 64, AdamW and float32 on both
sides; the plain one is fed ids padded to 64, as tutorials do.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from _latency import CALLS, latency, litert, onnx
from _report import publish
from _sentences import LENGTH, SENTENCES, VOCABULARY, made, text_input, transformer
from _sides import Side, Turns, compare, epoch_a_turn, ratios, table

BATCH, REPEATS = 64, 7
FORMATS = "float32", "dynamic", "int8"
SAME = 0.95
"""Share of the model's classes that a file has to give, to be compared with."""
STEPS = SENTENCES // BATCH
FOLDER = Path(tempfile.gettempdir()) / f"tkit-text-speed-{os.getuid()}"


def file_side(turns: Turns, load: Callable[[Path, np.ndarray], Callable[[], object]], name: str) -> None:
    """A file's latency on one sentence, and on how many it answers as the Keras model does."""
    call = load(FOLDER / name, np.load(FOLDER / "tokens.npy")[:1])
    same = json.loads((FOLDER / "same.json").read_text())[name]
    turns.measure(lambda: latency(call) | {"same": same})


def tokenization(turns: Turns) -> None:
    """`Text.read`, sentence by sentence, as on a device."""
    sentences, input = made()[0], text_input()

    def once() -> dict[str, float]:
        times = []
        for sentence in sentences:
            began = time.perf_counter_ns()
            input.read(sentence)
            times.append(time.perf_counter_ns() - began)
        return {"microseconds": median(times) / 1000}

    turns.measure(once)


def batches(bucketed: bool) -> tuple[Any, Any]:
    """tkit's batches of the sentences, and the contract of a model of them."""
    from tkit.contract import Contract
    from tkit.tasks.classification import Classification
    from tkit_edge.outputs.classes import Classes
    from tkit_pipelines.batches import Batches
    from tkit_pipelines.data.texts import Texts
    from tkit_pipelines.dataset import Examples

    sentences, labels = made()
    input = text_input()
    examples = Examples({"tokens": input.encoded_texts(sentences), "label": labels})
    data = Texts(source="sentences", length=LENGTH, batch_size=BATCH, word_dropout=0.1, bucketed=bucketed)
    contract = Contract(Classification(), input, Classes(("negative", "positive")))
    return Batches(examples, data, contract.encoded, seed=0), contract


def timed(batches: Callable[[], Iterable[Any]], epochs: int, share: float = 1.0) -> dict[str, float]:
    """Words a second over all batches, which are so many epochs of that share of the sentences."""
    words = sum(len(sentence.split()) for sentence in made()[0])
    began = time.perf_counter()
    for _ in batches():
        pass
    return {"tokens_per_second": words * epochs * share / (time.perf_counter() - began)}


def tkit_pipeline(turns: Turns) -> None:
    """tkit's pipeline: encoded once, before."""
    made, epochs = batches(bucketed=True)[0], 20
    share = STEPS * BATCH / SENTENCES
    turns.measure(lambda: timed(lambda: made.dataset().take(epochs * STEPS), epochs, share))


def tf_data(turns: Turns, batched: bool) -> None:
    """`TextVectorization` in a map of single sentences, or of batches."""
    import tensorflow as tf
    from keras import layers

    sentences, labels = made()
    vectorize = layers.TextVectorization(max_tokens=VOCABULARY)
    vectorize.adapt(sentences)

    def encoded(text: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return vectorize(text), label

    shuffled = tf.data.Dataset.from_tensor_slices((sentences, labels)).shuffle(SENTENCES)
    if batched:
        fed = shuffled.batch(BATCH).map(encoded, tf.data.AUTOTUNE)
    else:
        fed = shuffled.map(encoded, tf.data.AUTOTUNE).padded_batch(BATCH)
    turns.measure(lambda: timed(lambda: fed.prefetch(tf.data.AUTOTUNE), epochs=1))


def tkit_training(turns: Turns, bucketed: bool) -> None:
    """tkit's engine."""
    import keras

    from tkit.training.config import Fit
    from tkit.training.engine import train
    from tkit.training.optimizers.adamw import AdamW

    fed, contract = batches(bucketed)
    settings = Fit(epochs=1000, optimizer=AdamW(), precision="float32")
    callbacks = [epoch_a_turn(keras, turns, STEPS, BATCH, "sentences_per_second")]
    train(transformer(), fed, fed.dataset().take(1), settings, contract, callbacks=callbacks)


def keras_fit(turns: Turns) -> None:
    """`compile` and `fit` as the guides show them."""
    import keras
    import tensorflow as tf

    sentences, labels = made()
    vectorize = keras.layers.TextVectorization(max_tokens=VOCABULARY, output_sequence_length=LENGTH)
    vectorize.adapt(sentences)
    examples = tf.data.Dataset.from_tensor_slices((vectorize(sentences), labels))
    fed = examples.shuffle(SENTENCES).batch(BATCH, drop_remainder=True).prefetch(tf.data.AUTOTUNE)
    model = transformer()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-3), loss, metrics=["accuracy"])
    callbacks = [epoch_a_turn(keras, turns, STEPS, BATCH, "sentences_per_second")]
    model.fit(fed, epochs=1000, verbose=0, callbacks=callbacks)


LITERT: dict[str, Side] = {f"LiteRT {fmt}": partial(file_side, load=litert, name=f"{fmt}.tflite") for fmt in FORMATS}
ONNX: dict[str, Side] = {
    f"ONNX Runtime {shown}, exported by {exporter}": partial(file_side, load=onnx, name=f"{exporter}-{kind}.onnx")
    for kind, shown in (("float32", "float32"), ("dynamic", "int8 dynamic"), ("static", "int8 static"))
    for exporter in ("Keras", "PyTorch")
}
TOKENIZATION: dict[str, Side] = {"tokenization of a sentence": tokenization}
PIPELINES: dict[str, Side] = {
    "tkit": tkit_pipeline,
    "tf.data, TextVectorization of each sentence": partial(tf_data, batched=False),
    "tf.data, TextVectorization of batches": partial(tf_data, batched=True),
}
TRAININGS: dict[str, Side] = {
    "tkit's engine": partial(tkit_training, bucketed=True),
    "tkit's engine, all padded to 64": partial(tkit_training, bucketed=False),
    "Keras 3 fit": keras_fit,
}
SIDES = LITERT | ONNX | TOKENIZATION | PIPELINES | TRAININGS


def _latency_rows(measured: dict[str, Any]) -> list[tuple[str, str]]:
    """The README's; a file whose answers aren't the model's isn't a peer."""

    def fastest(sides: Iterable[str]) -> str:
        able = [side for side in sides if measured[side][0]["same"] >= SAME]
        return min(able, key=lambda side: median(row["microseconds"] for row in measured[side]))

    pairs = [(f"LiteRT {fmt}", fastest(side for side in ONNX if fmt in side)) for fmt in ("float32", "int8")]
    pairs.append((fastest(LITERT), fastest(ONNX)))
    rows = []
    for ours, theirs in dict.fromkeys(pairs):
        ratio = ratios(measured, "microseconds", ours, theirs)
        rows.append((f"Transformer, 64 tokens, {ours} / {theirs}, latency, one thread", f"{ratio:.2f} x"))
    micro = median(row["microseconds"] for side in TOKENIZATION for row in measured[side])
    return [*rows, ("beside it: tokenization of a sentence of 18 words", f"{micro:.0f} µs")]


def main() -> None:
    if sys.argv[1:2] == ["--prepare"]:
        from _text_files import prepare

        prepare(FOLDER, FORMATS)
        return
    if "--side" not in sys.argv:
        FOLDER.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, __file__, "--prepare"], check=True)
    measured = compare("text_speed", SIDES, REPEATS)
    latencies, pipelines, trainings = (
        {side: measured[side] for side in sides} for sides in (LITERT | ONNX | TOKENIZATION, PIPELINES, TRAININGS)
    )
    same = ", ".join(f"{side} {measured[side][0]['same']:.1%}" for side in LITERT | ONNX)
    tkit, naive, _ = PIPELINES
    engine, padded, plain = TRAININGS
    body = f"""Microseconds a sentence, median of {CALLS:,} calls a round (tokenization: of all sentences once).

{table(latencies, "microseconds", against="LiteRT int8", digits=1)}

The Keras model's class on 1,000 other sentences (weights are random; below {SAME:.0%} a file is no peer: static
quantization takes its scale from what masks the scores): {same}.

Words a second of training batches of {BATCH}, padding not counted.

{table(pipelines, "tokens_per_second", against=tkit)}

Sentences a second in training, batches of {BATCH}, float32, AdamW.

{table(trainings, "sentences_per_second", against=engine)}"""
    pipeline = ratios(measured, "tokens_per_second", tkit, naive)
    fit, alike = (ratios(measured, "sentences_per_second", side, plain) for side in (engine, padded))
    rows = [
        *_latency_rows(measured),
        ("training pipeline of texts, tokens/s: tkit / tf.data with a map of each sentence", f"{pipeline:.0f} x"),
        ("Transformer training, steps/s: tkit / plain Keras 3 `fit` on texts padded to 64", f"{fit:.1f} x"),
        ("the same, with tkit's texts padded to 64 too", f"{alike:.2f} x"),
    ]
    publish("text_speed", "Text: latency, pipeline and training", body, rows, measured)


if __name__ == "__main__":
    main()
