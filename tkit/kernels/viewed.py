"""Layers whose kernel is trained through a view: masked, clustered, quantized. An embedding's table is its kernel.

A viewed layer differs from its stock layer in one way: it computes with `view(kernel)`, one view after the other. The
raw kernel stays a trained variable, and a view passes the gradient through to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tkit.graph import clone, cloned
from tkit.keras_internals import own_variables, stop_autocast, table_of
from tkit.kernels.scales import LARGEST_CODE, code_scales, scale_shape
from tkit.registered import registered


class View:
    """What a layer computes with instead of its kernel; its variables belong to the layer."""

    def build(self, layer: keras.layers.Layer, shape: tuple[int, ...]) -> None:
        """Creates the variables."""

    def __call__(self, kernel: tf.Tensor) -> tf.Tensor:
        """Float32 in, float32 of the same shape out; differentiable."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """The arguments that recreate it."""
        return {}


class Masked(View):
    """Pruned weights are 0, and neither read nor trained."""

    def build(self, layer: keras.layers.Layer, shape: tuple[int, ...]) -> None:
        """Creates the variables."""
        self.mask = layer.add_weight(name="mask", shape=shape, initializer="ones", trainable=False, autocast=False)

    def __call__(self, kernel: tf.Tensor) -> tf.Tensor:
        """The kernel, 0 where it is pruned."""
        return kernel * tf.convert_to_tensor(self.mask)


class Clustered(View):
    """Each weight is the centroid nearest to it, in the domain where its channel's largest weight is 1.

    Weights get the straight-through gradient (Bengio et al. 2013), and so move from one cluster to another; centroids
    get the sum of their weights' gradients. A centroid that is 0 at the start stays 0.

    Args:
        clusters: their number.
        fixed: the centroids don't change; weights move among them.
    """

    def __init__(self, clusters: int, fixed: bool = False) -> None:
        self.clusters, self.fixed = clusters, fixed

    def build(self, layer: keras.layers.Layer, shape: tuple[int, ...]) -> None:
        """Creates the variables."""
        self.centroids = layer.add_weight(
            name="centroids", shape=(self.clusters,), initializer="zeros", trainable=not self.fixed, autocast=False
        )
        self.scales = layer.add_weight(
            name="scales", shape=scale_shape(layer, shape), initializer="ones", trainable=False, autocast=False
        )

    def __call__(self, kernel: tf.Tensor) -> tf.Tensor:
        """The kernel's weights, each the nearest centroid times its channel's scale."""
        raw, scales = tf.convert_to_tensor(self.centroids), tf.convert_to_tensor(self.scales)
        centroids = tf.sort(tf.where(raw == 0, tf.stop_gradient(raw), raw))
        between = tf.stop_gradient((centroids[1:] + centroids[:-1]) / 2)
        weights = kernel / scales
        nearest = tf.searchsorted(between, tf.reshape(tf.stop_gradient(weights), [-1]))
        shared = tf.reshape(tf.gather(centroids, nearest), tf.shape(kernel))
        return (shared + (weights - tf.stop_gradient(weights))) * scales

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"clusters": self.clusters, "fixed": self.fixed}


class FakeQuantized(View):
    """Each weight is the nearest code times the scale of its channel.

    Weights get the straight-through gradient.

    Args:
        fixed: the scales are those that `scales` was set to; otherwise a channel's largest weight gets the largest
            code.
        largest: the codes are from -largest to largest.
    """

    def __init__(self, fixed: bool = False, largest: int = LARGEST_CODE) -> None:
        self.fixed, self.largest = fixed, largest

    def build(self, layer: keras.layers.Layer, shape: tuple[int, ...]) -> None:
        """Creates the variables."""
        self.shape = scale_shape(layer, shape)
        if self.fixed:
            self.scales = layer.add_weight(
                name="code_scales", shape=self.shape, initializer="ones", trainable=False, autocast=False
            )

    def __call__(self, kernel: tf.Tensor) -> tf.Tensor:
        """The kernel's weights, each a code times its channel's scale."""
        weights = tf.stop_gradient(kernel)
        scales = tf.convert_to_tensor(self.scales) if self.fixed else code_scales(weights, self.shape)
        codes = tf.clip_by_value(tf.round(weights / scales), -self.largest, self.largest)
        return codes * scales + (kernel - weights)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"fixed": self.fixed, "largest": self.largest}


class Converted(View):
    """Weights that are codes times scales, with the scales passed to the converter, which would otherwise choose its
    own."""

    def build(self, layer: keras.layers.Layer, shape: tuple[int, ...]) -> None:
        """Creates the variables."""
        self.scales = layer.add_weight(
            name="code_scales", shape=scale_shape(layer, shape), initializer="ones", trainable=False, autocast=False
        )

    def __call__(self, kernel: tf.Tensor) -> tf.Tensor:
        """The unchanged kernel, fake-quantized with its own scales."""
        largest = LARGEST_CODE * tf.reshape(tf.convert_to_tensor(self.scales), [-1])
        channels_last = tf.reshape(kernel, [*kernel.shape[:2], -1, largest.shape[0]])
        rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            channels_last, -largest, largest, narrow_range=True
        )
        return tf.reshape(rounded, kernel.shape)


VIEWS: dict[str, type[View]] = {
    "masked": Masked,
    "clustered": Clustered,
    "fake_quantized": FakeQuantized,
    "converted": Converted,
}


def _viewed(base: type[keras.layers.Layer]) -> type[keras.layers.Layer]:
    class Viewed(base):
        def __init__(self, *args: Any, views: Sequence[tuple[str, dict[str, Any]]] = (), **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.views = {kind: VIEWS[kind](**config) for kind, config in views}

        def build(self, input_shape: Any) -> None:
            super().build(input_shape)
            stop_autocast(self.raw)  # views compute in float32
            for view in self.views.values():
                view.build(self, tuple(self.raw.shape))

        @property
        def raw(self) -> keras.Variable:
            return table_of(self) if base is keras.layers.Embedding else self._kernel

        def viewed(self) -> tf.Tensor:
            kernel = tf.convert_to_tensor(self.raw)
            for view in self.views.values():
                kernel = view(kernel)
            return kernel

        @property
        def kernel(self) -> Any:
            return tf.cast(self.viewed(), self.compute_dtype)

        @kernel.setter
        def kernel(self, variable: Any) -> None:
            self._kernel = variable

        @property
        def embeddings(self) -> Any:
            return self.kernel

        def save_own_variables(self, store: Any) -> None:
            for number, variable in enumerate(own_variables(self)):  # the stock layer's would be the kernel's view
                store[str(number)] = variable

        def load_own_variables(self, store: Any) -> None:
            for number, variable in enumerate(own_variables(self)):
                variable.assign(store[str(number)])

        def get_config(self) -> dict[str, Any]:
            views = [(kind, view.get_config()) for kind, view in self.views.items()]
            return {**super().get_config(), "views": views}

    Viewed.__name__ = Viewed.__qualname__ = f"Viewed{base.__name__}"
    return registered(Viewed)


_STOCK = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.Dense,
    keras.layers.Embedding,
)
_VIEWED = {base: _viewed(base) for base in _STOCK}


def with_kernels(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers with a kernel that can be viewed, in the model's order; not the tables of fixed numbers."""
    able = [layer for layer in model.layers if type(layer) in _STOCK or type(layer) in _VIEWED.values()]
    return [layer for layer in able if layer.trainable or not isinstance(layer, keras.layers.Embedding)]


def kernel_of(layer: keras.layers.Layer) -> Any:
    """The variable that holds a layer's kernel; of a viewed layer what it computes with."""
    return layer.embeddings if isinstance(layer, keras.layers.Embedding) else layer.kernel


def view(model: keras.Model, views: Mapping[str, Sequence[tuple[str, dict[str, Any]]]]) -> keras.Model:
    """A copy of a stock functional `model` whose layers named in `views` are viewed; weights that are 0 are masked.

    Args:
        views: by layer name, the kinds of `VIEWS` with their arguments, in the order of application.
    """

    def made_of(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name not in views:
            return clone(layer)
        return clone(layer, _VIEWED[type(layer)], views=views[layer.name])

    made = cloned(model, made_of)
    for name in views:
        layer = made.get_layer(name)
        if "masked" in layer.views:
            layer.views["masked"].mask.assign(layer.raw.numpy() != 0)
    return made


def stock(model: keras.Model) -> keras.Model:
    """A copy of `model` with stock layers: each kernel is the output of its views."""
    bases = {viewed: base for base, viewed in _VIEWED.items()}

    def made_of(layer: keras.layers.Layer) -> keras.layers.Layer:
        if type(layer) not in bases:
            return clone(layer)
        config = layer.get_config()
        config.pop("views")
        return bases[type(layer)].from_config(config)

    copy = cloned(model, made_of)
    for layer in model.layers:
        if type(layer) in bases:
            kernel_of(copy.get_layer(layer.name)).assign(layer.viewed())
    return copy
