"""The stages, each a function: `fit`, `export`, `bench`, and `run`, which chains them."""

from __future__ import annotations

from tkit.stages.bench import bench
from tkit.stages.export import export
from tkit.stages.fit import fit
from tkit.stages.run import run

__all__ = ["bench", "export", "fit", "run"]
