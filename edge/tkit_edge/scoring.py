"""A measured file's score on test examples or golden samples, in the configuration that is quickest at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np

from tkit_edge.configuration import Configuration
from tkit_edge.isolated import OpenedFile
from tkit_edge.judge import Judge
from tkit_edge.report import FileScore
from tkit_edge.score import scored
from tkit_edge.text import counted

PROBE = 20
"""Examples on which threaded and single-threaded answers are compared."""
CHUNK_SECONDS = 5.0
"""Of examples between two signs of progress."""


def score(own: Sequence[Configuration], judge: Judge, progress: Callable[[str], None]) -> FileScore:
    """One file's score: on one thread, or on more where they are faster and give the same answers.

    Of the kernel sets measured it takes the first, XNNPACK by default.

    Args:
        own: the file's configurations, measured.
        judge: what is right.
        progress: is called with a line.
    """
    same_kernels = [item for item in own if item.kernels == own[0].kernels]
    chosen = min(same_kernels, key=lambda item: item.threads)
    fastest = min(same_kernels, key=lambda item: item.median)
    model = OpenedFile(chosen.worker, str(chosen.file.path))
    if fastest is not chosen:
        other = OpenedFile(fastest.worker, str(fastest.file.path))
        if np.array_equal(judge.graded(other, 0, PROBE), judge.graded(model, 0, PROBE)):
            chosen, model = fastest, other
    step = max(1, int(CHUNK_SECONDS / (chosen.median / 1e9)))
    grades = np.concatenate([judge.graded(model, start, start + step) for start in range(0, judge.samples, step)])
    measure = judge.output.measure
    assert measure is not None  # Judge.of
    found = scored(measure, grades)
    text = measure.text(found.value)
    samples = counted(found.samples, f"{'golden' if judge.is_golden else 'test'} {judge.input.example}")
    progress(f"{chosen.file.path.name}: {found.name} {text} {'of' if measure.share else 'on'} {samples}")
    return FileScore(**asdict(found), threads=chosen.threads, kernels=chosen.kernels)
