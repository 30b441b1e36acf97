"""A .tflite file's anatomy as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tkit_edge.anatomy import Anatomy, Stored
from tkit_edge.table import aligned

_LARGEST = 8


def brief(name: str, anatomy: Anatomy) -> str:
    """A file in a few lines."""
    kinds = ", ".join(f"{item.name} {item.count}" for item in anatomy.operators)
    return "\n".join([_head(name, anatomy), f"  {kinds}", *(f"  {line}" for line in _runtimes(anatomy))])


def whole(name: str, anatomy: Anatomy, tensors: bool, width: int | None = None) -> str:
    """A file in full; `tensors`: every constant, not only the largest; `width`: the terminal's, to which tables are
    fitted."""
    lines = [_head(name, anatomy), *([f"made by  {anatomy.description}"] if anatomy.description else [])]
    lines += [f"input    {text}" for text in anatomy.inputs] + [f"output   {text}" for text in anatomy.outputs]
    if anatomy.graphs > 1:
        lines.append(f"graphs   {anatomy.graphs}; the first is shown, the others are bodies of loops and conditions")
    lines += ["", *_table(("operator", "count", "MACs"), [*_operators(anatomy)], width)]
    lines += ["", *_table(("bytes", "", "share"), [*_bytes(anatomy)], width)]
    lines += ["", *_quantization(anatomy)]
    shown = anatomy.stored if tensors else [item for item in anatomy.stored if item.kind == "weights"][:_LARGEST]
    left = len(anatomy.stored) - len(shown)
    header = ("constant", "kind", "shape", "type", "bytes", "scales", "zeros", "codes")
    lines += ["", *_table(header, [_constant(item) for item in shown], width, spare=(1, 5, 3, 6))]
    lines += [f"and {left} more: --tensors"] if left else []
    return "\n".join([*lines, "", *_runtimes(anatomy)])


def _head(name: str, anatomy: Anatomy) -> str:
    work = "MACs unknown" if anatomy.macs is None else f"{anatomy.macs:,} MACs"
    return (
        f"{name}: {anatomy.arithmetic}, {anatomy.bytes:,} bytes ({anatomy.zip_bytes:,} zipped), "
        f"{anatomy.parameters:,} parameters, {work}"
    )


def _operators(anatomy: Anatomy) -> Iterator[tuple[str, ...]]:
    for item in anatomy.operators:
        yield item.name, str(item.count), f"{item.macs:,}" if item.macs else "-"


def _bytes(anatomy: Anatomy) -> Iterator[tuple[str, ...]]:
    for kind, size in anatomy.bytes_by_kind.items():
        if size:
            yield kind, f"{size:,}", f"{size / anatomy.bytes:.1%}"


def _quantization(anatomy: Anatomy) -> list[str]:
    counts: dict[str, int] = {}
    for item in anatomy.stored:
        if item.kind == "weights":
            label = item.dtype if item.quantization == "none" else f"{item.dtype} {item.quantization}"
            counts[label] = counts.get(label, 0) + 1
    text = ", ".join(f"{count} x {label}" for label, count in counts.items()) or "none"
    lines = [f"weights      {text}"]
    if anatomy.activation_scales:
        low, high = anatomy.activation_scales
        lines.append(f"activations  scales {low:.3g} to {high:.3g}")
    return lines


def _constant(item: Stored) -> tuple[str, ...]:
    name = item.name if len(item.name) <= 40 else f"{item.name[:37]}..."
    scales = "-" if item.scales is None else f"{item.scales[0]:.3g}"
    if item.scales is not None and item.scales[0] != item.scales[1]:
        scales += f" to {item.scales[1]:.3g}"
    zeros = "-" if item.sparsity is None else f"{item.sparsity:.1%}"
    shape = "x".join(map(str, item.shape)) or "scalar"
    return name, item.kind, shape, item.dtype, f"{item.bytes:,}", scales, zeros, str(item.codes or "-")


def _runtimes(anatomy: Anatomy) -> list[str]:
    return [f"{item.runtime:<13}{'yes' if item.runs else 'no':<4} {item.why}" for item in anatomy.runtimes]


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None, spare: Sequence[int] = ()
) -> list[str]:
    """Aligned columns: numbers right, words left."""
    numbers = [all(row[column][:1].isdigit() or row[column] == "-" for row in rows) for column in range(len(header))]
    left = [column for column, number in enumerate(numbers) if not number]
    return aligned([header, *rows], left=left, width=width, spare=spare)
