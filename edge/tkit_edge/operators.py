"""How long each operator of a file takes, by timing the file cut off behind each (`prefixes`).

The runtimes' Python packages don't have their profilers. Neighbours are timed in turn, and an operator's time is the
median of the differences: what slows the machine for a while slows both. Operators that the kernels run as one show
together, at the last of them; the first one's time has the call itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tkit_edge import prefixes
from tkit_edge.graph import Graph
from tkit_edge.latency import median_interval
from tkit_edge.worker import Worker

TURNS = 15
"""Of each pair of neighbours."""
SECONDS = 0.2
"""Of each pair."""


@dataclass(frozen=True)
class OperatorTime:
    """One operator, or some that can't be told apart."""

    number: int
    """The last one's, from 0."""
    name: str
    """Of several, all of them: "PAD + CONV_2D"."""
    output: str
    """The tensor that it gives."""
    time_ms: float
    """Of one inference; below 0 where it is lost in the noise, or spares the operator before it something."""
    interval_ms: tuple[float, float]
    """95 %, as `latency.median_interval` of the differences."""
    share: float
    """Of the sum of all."""


@dataclass(frozen=True)
class OperatorTimes:
    """The operators of one file in one configuration."""

    file: str
    format: str | None
    threads: int
    kernels: str
    method: str
    """"prefixes"."""
    total_ms: float
    """Of the whole file, timed in the same turns."""
    operators: tuple[OperatorTime, ...]


def timed(path: Path, graph: Graph, fmt: str | None, threads: int, kernels: str, timeout: float) -> OperatorTimes:
    """Times the operators of a file, in a process of its own.

    Args:
        path: the file.
        graph: the file's.
        fmt: its name in a bundle.
        threads: how many the kernels may use.
        kernels: a name of `runtime.KERNELS`.
        timeout: seconds that one answer may take.

    Raises:
        InputError: the file can't be run, or can't be cut.
    """
    found: list[tuple[int, int, np.ndarray]] = []  # each from which operator to which, and the differences in ms
    wholes = np.empty(0)
    with Worker(path, threads, kernels, timeout) as worker:
        last = 0
        for end in prefixes.ends(graph):
            before, upto = worker.ask("prefixes", before=last, end=end, turns=TURNS, seconds=SECONDS)
            found.append((last, end, (np.array(upto) - np.array(before)) / 1e6))
            wholes, last = np.array(upto) / 1e6, end
    medians = [float(np.median(differences)) for _, _, differences in found]
    operators = [
        OperatorTime(
            number=end - 1,
            name=" + ".join(operator.name for operator in graph.operators[start:end]),
            output=_output(graph, end - 1),
            time_ms=middle,
            interval_ms=median_interval(differences.tolist()),
            share=middle / max(sum(medians), 1e-9),
        )
        for (start, end, differences), middle in zip(found, medians)
    ]
    return OperatorTimes(path.name, fmt, threads, kernels, "prefixes", float(np.median(wholes)), tuple(operators))


def _output(graph: Graph, number: int) -> str:
    outputs = [index for index in graph.operators[number].outputs if index >= 0]
    return graph.tensors[outputs[0]].name if outputs else ""
