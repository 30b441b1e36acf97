"""What an evaluation tells of texts beside its figures: accuracy by their length, and the mistakes as sentences."""

from __future__ import annotations

from typing import Any

import numpy as np

from tkit_edge.accuracy import wilson
from tkit_edge.inputs.tokenizers import PAD
from tkit_edge.text import counted, shortened
from tkit_pipelines.dataset import Examples

BINS = 4
SHOWN = 5
"""Mistakes, as text."""
LONGEST = 100
"""Characters of one."""


def by_length(examples: Examples, right: np.ndarray) -> list[dict[str, Any]]:
    """Accuracy with its 95 % interval of texts of like length, the shortest first: `BINS` groups of like size.

    Args:
        examples: texts.
        right: whether each is classified rightly, bool [n].
    """
    lengths = np.count_nonzero(np.asarray(examples.columns["tokens"]) != PAD, axis=1)
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, BINS + 1), method="inverted_cdf"))
    found = []
    for low, high in zip([edges[0] - 1, *edges[1:-1]], edges[1:] if len(edges) > 1 else edges, strict=True):
        chosen = right[(lengths > low) & (lengths <= high)]
        found.append(
            {
                "from": int(low) + 1,
                "to": int(high),
                "samples": len(chosen),
                "accuracy": float(chosen.mean()),
                "interval": list(wilson(int(chosen.sum()), len(chosen))),
            }
        )
    return found


def text(examples: Examples, index: int) -> str:
    """The text that an example was read from."""
    found = examples.encoded(index)
    assert found is not None  # texts have an origin
    return found.decode()


def lines(result: dict[str, Any]) -> list[str]:
    """The figures as text."""
    bins = [
        f"{item['from']} to {item['to']} tokens {item['accuracy']:.1%} of {counted(item['samples'], 'text')}"
        for item in result["by_length"]
    ]
    mistakes = [
        f"  {item['true_class']} taken for {item['predicted_class']} ({item['confidence']:.0%}): "
        f"{shortened(item['text'], LONGEST)}"
        for item in result["mistakes"][:SHOWN]
    ]
    return ["", f"by length: {'; '.join(bins)}", *(["", "most confident mistakes:", *mistakes] if mistakes else [])]
