"""Every network of Keras Applications, without its weights, at the smallest input that it takes."""

from __future__ import annotations

from typing import Any

import keras

from _foreign import Entry

_SMALL = (
    *("MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "EfficientNetB0", "EfficientNetV2B0"),
    *("ResNet50", "ResNet50V2", "VGG16", "DenseNet121", "NASNetMobile", "Xception", "InceptionV3", "ConvNeXtTiny"),
)
_LARGE = (
    *("ResNet101", "ResNet152", "ResNet101V2", "ResNet152V2", "VGG19", "DenseNet169", "DenseNet201", "NASNetLarge"),
    *("InceptionResNetV2", *(f"EfficientNetB{number}" for number in range(1, 8))),
    *(f"EfficientNetV2{size}" for size in ("B1", "B2", "B3", "S", "M", "L")),
    *(f"ConvNeXt{size}" for size in ("Small", "Base", "Large", "XLarge")),
)
_SIZES = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71}
_OWN_SCALING = ("EfficientNet", "MobileNetV3", "ConvNeXt")  # their first layers take raw pixels
_SYMMETRIC = ("MobileNet", "ResNet50V2", "ResNet101V2", "ResNet152V2", "NASNet", "Xception", "Inception")


def _network(name: str) -> keras.Model:
    size = _SIZES.get(name, 32)
    settings: dict[str, Any] = {"pooling": "avg"}
    return getattr(keras.applications, name)(
        weights=None, input_shape=(size, size, 3), classes=3, classifier_activation="softmax", **settings
    )


def _pixels(name: str) -> str | None:
    if name.startswith(_OWN_SCALING):
        return None
    return "-1-1" if name.startswith(_SYMMETRIC) else "0-1"


ENTRIES = [
    Entry(
        name,
        lambda name=name: _network(name),
        output="softmax",
        pixels=_pixels(name),
        large=name in _LARGE,
    )
    for name in (*_SMALL, *_LARGE)
]
