"""Takes away what Keras adds to a lookup for indices below 0, in a SavedModel.

An `Embedding` counts negative ids from the table's end: a comparison, a sum and a selection before each lookup, which
the converter refuses for some ids and a device would compute in vain. Ids are never negative.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tensorflow.core.protobuf.saved_model_pb2 import SavedModel


def plain_lookups(folder: Path) -> None:
    """Changes the SavedModel in `folder` in place."""
    path = folder / "saved_model.pb"
    saved = SavedModel.FromString(path.read_bytes())
    functions = [item for graph in saved.meta_graphs for item in graph.graph_def.library.function]
    if any([_changed(function.node_def) for function in functions]):
        path.write_bytes(saved.SerializeToString())


def _changed(nodes: Any) -> bool:
    by_name = {node.name: node for node in nodes}
    changed = False
    for node in nodes:
        if node.op not in ("GatherV2", "ResourceGather"):
            continue
        indices = by_name.get(node.input[1].partition(":")[0])
        if indices is None or indices.op != "SelectV2":
            continue
        less, moved = (by_name.get(name.partition(":")[0]) for name in indices.input[:2])
        own = indices.input[2]
        if less is None or moved is None or less.op != "Less" or moved.op != "AddV2":
            continue
        if less.input[0] == own == moved.input[0]:
            node.input[1] = own
            changed = True
    return changed
