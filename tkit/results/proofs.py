"""What `tkit.report_on` returns: the promises of a compressed model, and what its file holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tkit.measures import drop_text, measure_of
from tkit.results.display import Display
from tkit.results.showable import Showable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from tkit.compression.proofs import Proof


@dataclass(frozen=True, repr=False)
class ProofReport(Showable):
    """A file beside its model's promises."""

    name: str
    """The model's."""
    proofs: Sequence[Proof]
    """One per promise and layer; none of a model that promises nothing."""
    facts: dict[str, Any]
    """bytes, zip_bytes, arithmetic, macs of the file."""
    figures: dict[str, Any]
    """The parity gate's figures on the examples that were given; empty without them."""

    @property
    def holds(self) -> bool:
        """Whether the file keeps all promises."""
        return all(proof.holds for proof in self.proofs)

    def records(self) -> list[dict[str, Any]]:
        """A row per proof."""
        return [proof._asdict() for proof in self.proofs]

    def display(self) -> Display:
        """The proofs, the file's size, and how well it answers."""
        rows = [[item.layer, item.promise, item.found, "yes" if item.holds else "NO"] for item in self.proofs]
        held = sum(proof.holds for proof in self.proofs)
        verdict = f"{held} of {len(rows)} promises hold in the file" if rows else "the model promises nothing"
        bytes_, zip_bytes = self.facts["bytes"], self.facts["zip_bytes"]
        notes = [f"{bytes_:,} bytes, {zip_bytes:,} zipped; {self.facts['arithmetic']}.", *self._answers()]
        header = ["layer", "promised", "found", "holds"]
        return Display(f"{self.name}: {verdict}", header, rows, left=(0, 1, 2, 3), notes=notes)

    def _answers(self) -> list[str]:
        """How the file answers, beside the Keras model."""
        if not self.figures:
            return []
        measure, samples = measure_of(self.figures), self.figures["samples"]
        same = next(key for key in self.figures if key.startswith("same_"))
        lines = [f"Same {same[5:].replace('top1', 'top-1')} {self.figures[same]:.1%} of {samples:,} examples."]
        if measure is not None and f"keras_{measure.key}" in self.figures:  # agreement has no other side
            was, now = (measure.text(self.figures[key]) for key in (f"keras_{measure.key}", measure.key))
            name = measure.name.capitalize()
            lines.insert(0, f"{name} {now}, of the Keras model {was}: drop {drop_text(self.figures)} (95 % interval).")
        return lines

    def draw(self, axes: Axes) -> None:
        """A bar per layer that has zeros promised, with its share."""
        shares = {proof.layer: float(proof.promise.split("%")[0]) for proof in self.proofs if "zeros" in proof.promise}
        axes.barh(list(shares)[::-1], list(shares.values())[::-1], color="tab:blue")
        axes.set_xlim(0, 100)
        axes.set_xlabel("% zeros")
        axes.spines[["top", "right"]].set_visible(False)
