"""The interface of a compression step: a config whose `apply` turns a trained model into a smaller one."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from tkit.promises import State
from tkit_pipelines.config import Component

if TYPE_CHECKING:
    import keras

    from tkit.compression.workbench import Workbench


def _split(value: Any) -> Any:
    return tuple(value.split("+")) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Names of layers; as text `one+another`."""


class Step(Component):
    """One compression step."""

    @property
    @abstractmethod
    def label(self) -> str:
        """The step's part of the variant's name, such as `prune-0.5`."""

    def check(self, model: keras.Model, work: Workbench) -> None:
        """Checks that the step is possible at all, before anything is trained.

        Args:
            model: the first step's input; an earlier step may have changed it by the time this one runs.
            work: training images and the engine.

        Raises:
            InputError: the model or the settings don't allow it, with the layer or the field named.
        """

    @abstractmethod
    def apply(self, state: State, work: Workbench) -> State:
        """The compressed model, which keeps all earlier promises.

        Args:
            state: float32 pixels [batch, height, width, channels] to [batch, classes]; it isn't changed.
            work: training images and the engine.

        Raises:
            InputError: the model or the settings don't allow it, with the layer or the field named.
        """
