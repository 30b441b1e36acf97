"""Transfer learning: a pretrained network of Keras Applications with a new head.

The network's own layers are part of the flat model, after its own preprocessing: the input is raw 0-255 pixels, as
everywhere. With weights, its layers are built frozen; `fit.freeze_epochs` sets when they are trained too.
Source: https://keras.io/api/applications/ names each network's paper.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from tkit.models import Model, Spec
from tkit_edge.errors import InputError

if TYPE_CHECKING:
    import keras
    import numpy as np

CHANNELS = 3
_DOWNLOADED_SIZE = (224, 224, CHANNELS)  # the size that Keras's files were trained at; the arrays fit any other


class _Pixels(NamedTuple):
    """How a network's weights expect raw 0-255 RGB pixels: (pixels - mean) / deviation, unless its own layers do it."""

    mean: tuple[float, float, float] | None = None
    deviation: float = 1.0
    bgr: bool = False
    """Trained on blue-green-red: the first kernel is reversed instead of the pixels."""
    first_scale: tuple[float, float, float] | None = None
    """Factors of the three channels that the weights were trained with and the network's layers lack."""


_OWN = _Pixels()
_SIGNED = _Pixels((127.5,) * 3, 127.5)
_CAFFE = _Pixels((123.68, 116.779, 103.939), bgr=True)
# keras.applications.EfficientNetB0 divides by the root of the deviation once more, with weights="imagenet" only.
_EFFICIENTNET = _Pixels(first_scale=(0.229**-0.5, 0.224**-0.5, 0.225**-0.5))
_NETWORKS = {
    "EfficientNetB0": _EFFICIENTNET,
    "EfficientNetV2B0": _OWN,
    "MobileNet": _SIGNED,
    "MobileNetV2": _SIGNED,
    "MobileNetV3Large": _OWN,
    "MobileNetV3Small": _OWN,
    "ResNet50": _CAFFE,
    "ResNet50V2": _SIGNED,
}


class Backbone(Model):
    """A Keras Applications network without its top, global average pooling, dropout and a new dense layer."""

    gives = ("classes", "number")
    kind: Literal["backbone"] = "backbone"
    name: Literal[
        "EfficientNetB0",
        "EfficientNetV2B0",
        "MobileNet",
        "MobileNetV2",
        "MobileNetV3Large",
        "MobileNetV3Small",
        "ResNet50",
        "ResNet50V2",
    ] = "MobileNetV2"
    """The network's name in keras.applications."""
    weights: str | None = "imagenet"
    """`imagenet` (Keras downloads them once), the path of a .weights.h5, .h5 or .keras file, or null for none."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """Share of the pooled features that is dropped in training."""

    def build(self, spec: Spec) -> keras.Model:
        """Float32 raw pixels [batch, height, width, 3] to the outputs of `head`.

        Raises:
            InputError: grey images, too small ones, or weights that are unavailable or don't fit.
        """
        import keras

        from tkit.keras_files.graph import flat, float32
        from tkit.models._blocks import head

        height, width, channels = input_shape = spec.shape
        if channels != CHANNELS:
            raise InputError(f"model.name={self.name} takes RGB images: set data.channels=3 (received 1).")
        network, expects = self._network((height, width, channels)), _NETWORKS[self.name]
        inputs = x = keras.Input(input_shape, name="image")
        if expects.mean is not None:
            scale, offset = 1 / expects.deviation, [-mean / expects.deviation for mean in expects.mean]
            x = keras.layers.Rescaling(scale, offset[0] if len(set(offset)) == 1 else offset, name="preprocess")(x)
        x = keras.layers.GlobalAveragePooling2D(name="pool")(network(x))
        if self.dropout:
            x = keras.layers.Dropout(self.dropout, name="dropout")(x)
        return float32(flat(keras.Model(inputs, head(x, spec), name=self.name.lower())))

    def _network(self, input_shape: tuple[int, int, int]) -> keras.Model:
        """The network without its top, on pixels as `_Pixels` has them; frozen where it has weights."""
        import keras

        from tkit.keras_files.reader import read_weights

        make = getattr(keras.applications, self.name)
        try:
            network = make(include_top=False, weights=None, input_shape=input_shape)
        except ValueError as error:
            raise InputError(f"model.name={self.name} and data.image_size={input_shape[:2]}: {error}") from error
        if self.weights is None:
            return network
        if self.weights == "imagenet":
            network.set_weights(self._downloaded(make))
        else:
            path = Path(self.weights).expanduser()
            if not path.is_file():
                raise InputError(f"model.weights={path}: no such file. Give the path of one, 'imagenet' or null.")
            network.set_weights(read_weights(path, self.name, input_shape))
        for layer in network.layers:
            layer.trainable = False
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()
        first = next(layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
        expects, kernel = _NETWORKS[self.name], first.kernel.numpy()
        if expects.bgr:
            kernel = kernel[:, :, ::-1]
        if expects.first_scale:
            kernel = kernel * [[channel] for channel in expects.first_scale]
        first.kernel.assign(kernel)
        return network

    def _downloaded(self, make: type[keras.Model]) -> list[np.ndarray]:
        try:
            return make(include_top=False, weights="imagenet", input_shape=_DOWNLOADED_SIZE).get_weights()
        except Exception as error:  # Keras raises a bare Exception when a download fails
            raise InputError(
                f"The ImageNet weights of {self.name} could not be downloaded: {str(error).splitlines()[0]}. Connect "
                "to the network and run again, or give a file that was saved on another machine: model.weights=PATH, "
                f"from keras.applications.{self.name}(include_top=False).save_weights('{self.name}.weights.h5')."
            ) from error
