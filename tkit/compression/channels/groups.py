"""The groups of channels that narrowing can remove from a model, each channel of a group individually.

A group spans all layers whose output channels are tied: a residual addition ties the convolutions that it adds, a
depthwise convolution is tied to its inputs. Source: Fang et al. 2023, "DepGraph: Towards Any Structural Pruning".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tkit.compression.channels.axes import AXES, DEPTHWISE, PRODUCERS, Side
from tkit.compression.channels.trace import Ties, Trace
from tkit_edge.errors import InputError


@dataclass(frozen=True, eq=False)
class Member:
    """A layer that belongs to a group."""

    layer: str
    channels: np.ndarray
    """int: for each of the layer's channels its index in the group, -1 for a channel of another group. After a Flatten
    a group's channel occurs once per position."""


@dataclass(frozen=True, eq=False)
class Group:
    """Channels that several layers share and that must be pruned together: one is removed from all of them at once."""

    name: str
    """Its first producer's."""
    width: int
    producers: tuple[Member, ...]
    """Layers that output the channels: convolutions of any kind and Dense."""
    consumers: tuple[Member, ...]
    """Layers that mix the channels into others."""
    batch_norms: tuple[Member, ...]
    unprunable_reason: str | None
    """Why none of its channels can be removed; None if they can."""


def groups(model: keras.Model) -> list[Group]:
    """The groups of a flat functional model of stock layers, in the graph's order.

    The model's inputs and outputs, and all inputs of a layer that isn't known here, are in groups that can't be pruned.

    Example: `[group.name for group in groups(model) if group.unprunable_reason is None]`
    """
    return Layout(model).groups


class Layout:
    """Which channel of which group is each input and output channel of a layer.

    Attributes:
        groups: all groups.
        trace: the graph traversal that found them.
        ids: a group's name -> int [width], the trace's number of each channel.
    """

    def __init__(self, model: keras.Model) -> None:
        self.trace = Trace(model)
        self.ids: dict[str, np.ndarray] = {}
        self.groups: list[Group] = []
        ties = self.trace.ties
        together = ties.copy()
        for name in self.trace.producers:
            given = ties.roots(self.trace.given[name])
            together.tie(np.full(len(given), given[0]), given)
        firsts: dict[int, list[str]] = {}
        for name in self.trace.producers:
            root = int(together.roots(self.trace.given[name][:1])[0])
            firsts.setdefault(root, []).append(name)
        reasons = self._reasons(together)
        for root, names in firsts.items():
            given = np.concatenate([ties.roots(self.trace.given[name]) for name in names])
            _, first = np.unique(given, return_index=True)
            self.ids[names[0]] = given[np.sort(first)]
            self.groups.append(self._group(names[0], model, reasons.get(root)))

    def prunable(self) -> list[Group]:
        """The groups that can be narrowed.

        Raises:
            InputError: there are none; the message has each group's reason.
        """
        found = [group for group in self.groups if group.unprunable_reason is None]
        if not found:
            reasons = (
                "; ".join(f"{group.name}: {group.unprunable_reason}" for group in self.groups)
                or "it has no convolutions"
            )
            raise InputError(f"No channel of this model can be removed. {reasons}.")
        return found

    def removed(self, keep: dict[str, np.ndarray]) -> np.ndarray:
        """bool [numbers of the trace]: what is removed when only the given channels of some groups are kept.

        Raises:
            InputError: an unknown group, one that can't be pruned, or no or wrong channels.
        """
        known = {group.name: group for group in self.groups}
        gone = np.zeros(len(self.trace.ties), bool)
        for name, channels in keep.items():
            group = known.get(name)
            if group is None:
                raise InputError(f"There is no group of channels {name!r}; there are: {', '.join(known)}.")
            kept = np.unique(channels)
            if not kept.size or kept.dtype.kind not in "iu" or kept[0] < 0 or kept[-1] >= group.width:
                raise InputError(
                    f"Channels to keep of {name!r}: expected at least one number from 0 to {group.width - 1}, received "
                    f"{np.asarray(channels).tolist()}."
                )
            if group.unprunable_reason and len(kept) < group.width:
                raise InputError(f"The channels of {name!r} have to stay: {group.unprunable_reason}.")
            gone[np.delete(self.ids[name], kept)] = True
        return gone

    def _reasons(self, together: Ties) -> dict[int, str]:
        reasons: dict[int, str] = {}
        for number, reason in self.trace.fixed.items():
            reasons.setdefault(int(together.roots(np.array([number]))[0]), reason)
        return reasons

    def _group(self, name: str, model: keras.Model, reason: str | None) -> Group:
        position = np.full(len(self.trace.ties), -1)
        position[self.ids[name]] = np.arange(len(self.ids[name]))

        def members(kinds: tuple[Any, ...], side: Side) -> tuple[Member, ...]:
            found = []
            for layer in model.layers:
                sides = self.trace.sides(layer) if type(layer) in kinds else {}
                if side in sides and (position[sides[side]] >= 0).any():
                    found.append(Member(layer.name, position[sides[side]]))
            return tuple(found)

        return Group(
            name=name,
            width=len(self.ids[name]),
            producers=members((*PRODUCERS, *DEPTHWISE), "given"),
            consumers=members(PRODUCERS, "taken"),
            batch_norms=members((keras.layers.BatchNormalization,), "through"),
            unprunable_reason=reason,
        )


def ids_along(trace: Trace, layer: keras.layers.Layer, variable: str) -> list[tuple[int, Side, np.ndarray]]:
    """For each axis of a layer's variable that is made of channels: the axis, its side and its numbers."""
    sides = trace.sides(layer)
    axes = AXES.get(type(layer), {}).get(variable, {})
    return [(axis, side, sides[side]) for axis, side in axes.items() if side in sides]
