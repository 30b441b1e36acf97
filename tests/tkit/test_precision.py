"""The precision that training computes in, by processor and model."""

import keras
import pytest
from keras import layers

from tkit.training import precision
from tkit.training.precision import choose

AMD, INTEL = ("AuthenticAMD", frozenset({"avx512_bf16"})), ("GenuineIntel", frozenset({"avx512_bf16"}))
AMX = ("GenuineIntel", frozenset({"avx512_bf16", "amx_bf16"}))
OLD = ("GenuineIntel", frozenset({"avx2"}))


def net(channels):
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3)(inputs)
    return keras.Model(inputs, layers.Dense(10)(layers.Flatten()(layers.Conv2D(channels, 3)(x))))


@pytest.mark.parametrize(
    ("processor", "channels", "policy", "reason"),
    [
        (AMD, 32, "mixed_bfloat16", "CPU with AVX512-BF16"),
        (AMD, 24, "float32", "convolutions of 24 channels: AVX512-BF16 is fast in multiples of 16"),
        (AMX, 32, "mixed_bfloat16", "CPU with AMX-BF16"),
        (AMX, 24, "float32", "convolutions of 24 channels: AMX-BF16 is fast in multiples of 16"),
        (INTEL, 32, "float32", "CPU without AMX, whose AVX512-BF16 is no faster than float32"),
        (OLD, 32, "float32", "CPU without AVX512-BF16 or AMX"),
    ],
)
def test_the_fastest_for_processor_and_model(monkeypatch, processor, channels, policy, reason):
    monkeypatch.setattr(precision, "cpu", lambda: processor)
    assert choose("auto", net(channels)) == (policy, reason)


def test_what_the_recipe_says_goes_first():
    assert choose("float32", net(32)).policy == "float32"
    assert choose("mixed_bfloat16", net(24)).policy == "mixed_bfloat16"


def test_flags_and_vendor_are_read(monkeypatch):
    text = "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu avx512_bf16\n\nprocessor\t: 1\n"
    monkeypatch.setattr(precision.Path, "read_text", lambda *_, **__: text)
    assert precision.cpu() == ("AuthenticAMD", {"fpu", "avx512_bf16"})
