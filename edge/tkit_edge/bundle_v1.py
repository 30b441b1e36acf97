"""Bundles of version 1, which hold an image classifier: their bundle.json and golden.npz as version 2 has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tkit_edge.errors import InputError
from tkit_edge.fields import Fields

TASK = "image-classification"


def upgraded(top: Fields) -> Fields:
    """The object of a bundle.json of version 1, as one of version 2.

    Raises:
        InputError: a missing or wrong field.
    """
    task = top.get("task", str)
    if task != TASK:
        raise InputError(f"{top.file}: task is {task!r}, version 1 knows {TASK!r} only.")
    size, golden = top.part("input"), top.part("golden")
    output = {"kind": "classes", "names": top.texts("labels"), "form": top.get("output", str)}
    models = {fmt: _model(part, output["form"]) for fmt, part in top.part("models").parts().items()}
    changed = {
        "version": 2,
        "task": task,
        "input": {"kind": "image", **size.value},
        "output": output,
        "models": models,
        "golden": {**golden.value, "encoded": golden.get("pictures", list)},
    }
    return Fields(changed, top.file)


def _model(fields: Fields, form: Any) -> dict[str, Any]:
    ends = {"inputs": ("input", "image"), "outputs": ("output", form)}
    return {
        **fields.value,
        **{key: [{"name": name, **fields.part(old).value}] for key, (old, name) in ends.items()},
    }


def golden_names(formats: Iterable[str], form: str) -> dict[str, str]:
    """What golden.npz calls its arrays, by their names in version 2."""
    expected = {f"expected_{fmt}_{form}": f"expected_{fmt}" for fmt in formats}
    return {"input_image": "images", "target_label": "labels", **expected}
