"""One model per layer kind, or per setting that matters, among the layers of images [height, width, channels]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import layers
from keras import layers as L

from _foreign import Entry
from _foreign.frames import Body, in_image, on_linear, on_pixels

_ACTIVATIONS = {
    "of integers": "relu relu6 leaky_relu tanh sigmoid",
    "with a gate": "silu hard_silu hard_sigmoid gelu",
    "elu and kin": "elu selu celu",
    "soft ones": "softplus softsign mish exponential",
    "softmax and its logarithm": "softmax log_softmax",
    "the rare ones": "hard_tanh hard_shrink log_sigmoid soft_shrink squareplus tanh_shrink sparse_plus sparse_sigmoid",
}


def _convolved(x: Any, **settings: Any) -> Any:
    return L.Conv2D(8, 3, padding="same", **settings)(x)


def _each(*made: layers.Layer) -> Body:
    """One layer behind the other, each behind a convolution of its own."""

    def body(x: Any) -> Any:
        for layer in made:
            x = layer(_convolved(x) if len(x.shape) == 4 else x)
        return x

    return body


def _chain(*made: layers.Layer) -> Body:
    """One layer behind the other."""

    def body(x: Any) -> Any:
        for layer in made:
            x = layer(x)
        return x

    return body


def _sums(x: Any) -> Any:
    a, b, c = (_convolved(x, activation="relu") for _ in range(3))
    return L.Multiply()([L.Subtract()([L.Add()([a, b]), c]), L.Add()([a, b, c])])


def _means(x: Any) -> Any:
    a, b, c = (_convolved(x, activation="relu") for _ in range(3))
    return L.Multiply()([L.Average()([a, b]), L.Average()([a, b, c]), c])


def _extremes(x: Any) -> Any:
    a, b, c = (_convolved(x) for _ in range(3))
    return L.Concatenate()([L.Maximum()([a, b]), L.Maximum()([a, b, c]), L.Minimum()([a, c])])


def _joined(x: Any) -> Any:
    x = L.Concatenate()([x, _convolved(x, activation="relu")])
    return L.Concatenate(axis=1)([x, L.Conv2D(16, 1, activation="relu")(x)])


# Functions make the layers, so that each model has its own, named as if it had been made alone.
_LINEAR: dict[str, tuple[str, Callable[[], Body]]] = {
    "ReLU": ("ReLU", lambda: _each(L.ReLU(), L.ReLU(6.0))),
    "ReLU with settings": ("ReLU", lambda: _each(L.ReLU(1.0), L.ReLU(negative_slope=0.1), L.ReLU(threshold=0.01))),
    "LeakyReLU": ("LeakyReLU", lambda: _each(L.LeakyReLU(0.2))),
    "ELU": ("ELU", lambda: _each(L.ELU(), L.ELU(0.5))),
    "PReLU": ("PReLU", lambda: _each(L.PReLU("he_normal", shared_axes=[1, 2]), L.PReLU("he_normal"))),
    "Softmax": ("Softmax", lambda: _each(L.Softmax(), L.Softmax(axis=1))),
    "BatchNormalization": (
        "BatchNormalization",
        lambda: _each(L.BatchNormalization(), L.BatchNormalization(scale=False, momentum=0.9), L.ReLU()),
    ),
    "BatchNormalization, axis=1": ("BatchNormalization", lambda: _chain(L.BatchNormalization(axis=1), L.ReLU())),
    "BatchNormalization after ReLU": ("BatchNormalization", lambda: _chain(L.ReLU(), L.BatchNormalization())),
    "LayerNormalization": ("LayerNormalization", lambda: _each(L.LayerNormalization())),
    "LayerNormalization, axes 1 to 3": ("LayerNormalization", lambda: _each(L.LayerNormalization(axis=[1, 2, 3]))),
    "GroupNormalization": ("GroupNormalization", lambda: _each(L.GroupNormalization(4), L.GroupNormalization(-1))),
    "RMSNormalization": ("RMSNormalization", lambda: _each(L.RMSNormalization())),
    "UnitNormalization": ("UnitNormalization", lambda: _each(L.UnitNormalization())),
}
_INSIDE: dict[str, tuple[str, Callable[[], Body]]] = {
    "Add, Subtract, Multiply": ("Add Subtract Multiply", lambda: _sums),
    "Average": ("Average", lambda: _means),
    "Maximum, Minimum": ("Maximum Minimum", lambda: _extremes),
    "Concatenate": ("Concatenate", lambda: _joined),
    "Conv2D": (
        "Conv2D",
        lambda: _chain(
            L.Conv2D(8, 3, padding="same", groups=4, activation="relu"),
            L.Conv2D(12, 3, dilation_rate=2),
            L.Conv2D(8, (1, 3), use_bias=False, activation="sigmoid"),
            L.Conv2D(12, 5, strides=2, padding="same", activation="gelu"),
        ),
    ),
    "Conv2DTranspose": (
        "Conv2DTranspose",
        lambda: _chain(
            L.Conv2DTranspose(8, 3, strides=2, padding="same"), L.ReLU(), L.Conv2DTranspose(8, 2, activation="relu")
        ),
    ),
    "DepthwiseConv2D": (
        "DepthwiseConv2D",
        lambda: _chain(L.DepthwiseConv2D(3, padding="same"), L.ReLU(), L.DepthwiseConv2D(3, depth_multiplier=2)),
    ),
    "SeparableConv2D": ("SeparableConv2D", lambda: _chain(L.SeparableConv2D(12, 3), L.ReLU())),
    "SpectralNormalization": ("SpectralNormalization", lambda: _chain(L.SpectralNormalization(L.Conv2D(8, 3)))),
    "TimeDistributed of Dense": ("TimeDistributed", lambda: _chain(L.TimeDistributed(L.Dense(8, "relu")))),
    "EinsumDense on images": (
        "EinsumDense",
        lambda: _chain(L.Dense(8, "relu"), L.EinsumDense("abcd,de->abce", (16, 16, 8), bias_axes="e")),
    ),
    "Pooling": (
        "MaxPooling2D AveragePooling2D GlobalMaxPooling2D",
        lambda: _each(
            L.MaxPooling2D(),
            L.AveragePooling2D(2, 1),
            L.MaxPooling2D(3, 2, "same"),
            L.AveragePooling2D(3, 1, "same"),
            L.GlobalMaxPooling2D(),
        ),
    ),
    "Adaptive pooling": (
        "AdaptiveAveragePooling2D AdaptiveMaxPooling2D",
        lambda: _each(L.AdaptiveMaxPooling2D(8), L.AdaptiveAveragePooling2D(4)),
    ),
    "GlobalAveragePooling2D": (
        "GlobalAveragePooling2D",
        lambda: _chain(L.GlobalAveragePooling2D(keepdims=True), L.Conv2D(8, 1, activation="relu"), L.Flatten()),
    ),
    "UpSampling2D": ("UpSampling2D", lambda: _each(L.UpSampling2D(), L.UpSampling2D(interpolation="bilinear"))),
    "Resizing": ("Resizing", lambda: _each(L.Resizing(12, 9), L.Resizing(8, 8, interpolation="nearest"))),
    "CenterCrop": ("CenterCrop", lambda: _each(L.CenterCrop(10, 10))),
    "Layers that move values": (
        "Cropping2D ZeroPadding2D Permute Reshape Flatten",
        lambda: _each(
            L.Cropping2D(2), L.ZeroPadding2D(1), L.Permute((2, 1, 3)), L.Reshape((7, 14, 16)), L.Flatten(), L.Dense(8)
        ),
    ),
    "Layers for training alone": (
        "Dropout SpatialDropout2D AlphaDropout GaussianNoise GaussianDropout Identity ActivityRegularization",
        lambda: _each(
            L.Dropout(0.3),
            L.SpatialDropout2D(0.2),
            L.AlphaDropout(0.2),
            L.GaussianNoise(0.1),
            L.GaussianDropout(0.1),
            L.Identity(),
            L.ActivityRegularization(l2=1e-4),
        ),
    ),
    "BatchNormalization after Flatten": (
        "BatchNormalization",
        lambda: _chain(L.MaxPooling2D(4), L.Flatten(), L.BatchNormalization()),
    ),
    "Rescaling inside": ("Rescaling", lambda: _chain(L.Rescaling(2.0, -0.5))),
}
_PIXELS: dict[str, tuple[str, Callable[[], Body]]] = {
    "Random augmentation": (
        "RandomFlip RandomRotation RandomZoom RandomTranslation RandomContrast RandomBrightness",
        lambda: _chain(
            L.RandomFlip("horizontal"),
            L.RandomRotation(0.1),
            L.RandomZoom(0.1),
            L.RandomTranslation(0.1, 0.1),
            L.RandomContrast(0.1),
            L.RandomBrightness(0.1),
        ),
    ),
    "Random colour": (
        "RandomColorDegeneration RandomColorJitter RandomGrayscale RandomHue RandomInvert RandomPosterization "
        "RandomSaturation RandomSharpness",
        lambda: _chain(
            L.RandomColorDegeneration(0.5),
            L.RandomColorJitter((0, 255), 0.1, 0.1, 0.1, 0.1),
            L.RandomGrayscale(),
            L.RandomHue(0.1),
            L.RandomInvert(),
            L.RandomPosterization(4),
            L.RandomSaturation(0.1),
            L.RandomSharpness(0.1),
        ),
    ),
    "Random geometry": (
        "RandomErasing RandomElasticTransform RandomGaussianBlur RandomPerspective RandomShear",
        lambda: _chain(
            L.RandomErasing(),
            L.RandomElasticTransform(),
            L.RandomGaussianBlur(),
            L.RandomPerspective(),
            L.RandomShear((0.0, 0.1), (0.0, 0.1)),
        ),
    ),
    "RandomCrop": ("RandomCrop", lambda: _chain(L.RandomCrop(14, 14))),
    "RandAugment, AugMix": ("RandAugment AugMix", lambda: _chain(L.RandAugment(), L.AugMix())),
    "AutoContrast": ("AutoContrast", lambda: _chain(L.AutoContrast())),
    "Equalization": ("Equalization", lambda: _chain(L.Equalization())),
    "Solarization": ("Solarization", lambda: _chain(L.Solarization(addition_factor=0.1))),
    "ContrastLimitedAdaptiveHistogramEqualization": (
        "ContrastLimitedAdaptiveHistogramEqualization",
        lambda: _chain(L.ContrastLimitedAdaptiveHistogramEqualization()),
    ),
    "Pipeline": ("Pipeline", lambda: _chain(L.Pipeline([L.RandomFlip(), L.RandomZoom(0.1)]))),
}

_FED = dict.fromkeys(
    ("AutoContrast", "Equalization", "Solarization", "ContrastLimitedAdaptiveHistogramEqualization"), "0-255"
)
"""--pixels of models whose scaling doesn't come first."""


def _entries() -> list[Entry]:
    tables = ((_LINEAR, on_linear), (_INSIDE, in_image), (_PIXELS, on_pixels))
    found = [
        Entry(name, lambda frame=frame, body=body: frame(body()), tuple(kinds.split()), pixels=_FED.get(name))
        for table, frame in tables
        for name, (kinds, body) in table.items()
    ]
    for name, functions in _ACTIVATIONS.items():
        body = lambda functions=functions: _each(*map(L.Activation, functions.split()))  # noqa: E731
        found.append(Entry(f"Activation, {name}", lambda body=body: on_linear(body()), ("Activation",)))
    return found


ENTRIES = _entries()
