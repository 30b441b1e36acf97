"""A model whose kernels are trained through views, and how it becomes a stock model again."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import keras

from tkit.keras_internals import functional
from tkit.plan import Plan
from tkit.promises import Kept, State
from tkit.registered import registered
from tkit_edge.errors import InputError
from tkit_pipelines.config import Config


class Method(Config):
    """How a model is made smaller while it is trained."""

    steps: int | None = None
    """Of training that the plans span; None: of one `fit`."""

    @abstractmethod
    def plans(self, source: keras.Model, trained: keras.Model, total: int) -> Sequence[Plan]:
        """What changes in a training of `total` steps of `trained`: the model `source`, or a copy of it."""

    @abstractmethod
    def finished(self, graph: keras.Model, kept: Kept, origin: keras.Model | None) -> State:
        """The stock model of a trained graph, which isn't changed.

        Args:
            graph: float32, its other layers stock ones.
            kept: what held of the model before.
            origin: the stock model that the graph was made of, where its layers are others.

        Raises:
            InputError: its plans didn't reach their end.
        """

    def get_config(self) -> dict[str, Any]:
        """The fields."""
        return self.model_dump(mode="json")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """The inverse of `get_config`."""
        return cls.model_validate(config)


class _Origin:
    """A model that Keras neither trains nor counts among the layers."""

    def __init__(self, model: keras.Model | None) -> None:
        self.model = model


@registered
class Compressible(keras.Model):
    """A functional model that is made smaller while it is trained. It compiles, fits, saves and loads like any other;
    `tkit.strip` gives its stock model, `tkit.to_tflite` its file.

    Args:
        inputs, outputs: of the graph, in the user's structure.
        method: how it is made smaller.
        kept: what held of the model before.
        origin: the stock model that the graph was made of, where the graph's layers are others.
    """

    def __init__(
        self,
        inputs: Any,
        outputs: Any,
        *,
        method: Method,
        kept: Kept,
        origin: keras.Model | None = None,
        **keywords: Any,
    ) -> None:
        super().__init__(inputs, outputs, **keywords)
        self.method, self.kept, self._origin = method, kept, _Origin(origin)

    @classmethod
    def of(
        cls, graph: keras.Model, method: Method, kept: Kept, origin: keras.Model | None = None, like: Any = None
    ) -> Compressible:
        """That of a graph, its inputs and outputs packed as those of `like`, by default as they are."""
        shape = functional(graph if like is None else like)
        inputs = keras.tree.pack_sequence_as(shape.input, graph.inputs)
        outputs = keras.tree.pack_sequence_as(shape.output, graph.outputs)
        return cls(inputs, outputs, method=method, kept=kept, origin=origin, name=graph.name)

    def as_graph(self) -> keras.Model:
        """The same layers as a plain model, without method and compilation."""
        return keras.Model(self.input, self.output, name=self.name)

    @property
    def origin(self) -> keras.Model | None:
        """The stock model that the graph was made of, where its layers are others; Keras saves it with the model."""
        return self._origin.model

    def get_config(self) -> dict[str, Any]:
        """The graph, the method, the promises and the origin."""
        origin = None if self.origin is None else self.origin.get_config()
        method = keras.saving.serialize_keras_object(self.method)
        return {
            "graph": self.as_graph().get_config(),
            "method": method,
            "kept": self.kept.model_dump(mode="json"),
            "origin": origin,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Compressible:
        """The inverse of `get_config`."""
        graph = keras.Model.from_config(config["graph"], custom_objects)
        origin = config["origin"] and keras.Model.from_config(config["origin"], custom_objects)
        method = keras.saving.deserialize_keras_object(config["method"])
        return cls.of(graph, method, Kept.model_validate(config["kept"]), origin)

    def export(self, *arguments: Any, **keywords: Any) -> None:
        """Raises InputError: the graph is made for training."""
        raise InputError(
            f"{self.name!r} is still the model in training. Take tkit.to_tflite(model, ...) for its file, or "
            "tkit.strip(model).export(...) for the stock model's."
        )
