"""What `tkit data` prints of texts."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tkit.cli._survey import bad_ones, class_table, head, imbalance, verdict
from tkit_edge.text import counted, shortened

if TYPE_CHECKING:
    from tkit_pipelines.label_errors import LabelErrors
    from tkit_pipelines.text_repeats import TextRepeats
    from tkit_pipelines.text_survey import TextSurvey

LONGEST = 100
"""Characters of a text."""


def document(found: TextSurvey, overrides: Sequence[str]) -> dict[str, Any]:
    """The survey as JSON values; `overrides` are those that it was made with."""
    return {
        "texts": True,
        "source": found.name,
        "class_names": list(found.class_names),
        "splits": found.splits,
        "imbalance": found.imbalance if found.imbalance != float("inf") else None,
        "tokenizer": {"kind": found.tokenizer.kind, "size": found.tokenizer.size} if found.tokenizer else None,
        "lengths": _lengths(found),
        "unknown": found.unknown,
        "bad": [bad._asdict() for bad in found.bad],
        "repeats": [vars(repeats) for repeats in found.repeats],
        "contradictions": vars(found.contradictions) if found.contradictions else None,
        "label_errors": found.label_errors
        and {
            **vars(found.label_errors),
            "most_suspicious": [vars(error) for error in found.label_errors.most_suspicious],
        },
        "notes": found.notes,
        "problems": found.problems,
        "command": _command(found, overrides),
    }


def _lengths(found: TextSurvey) -> dict[str, Any] | None:
    """Tokens of a text: the fewest, the median, the 95th percentile, the most; and how many texts are cut."""
    if not len(found.lengths):
        return None
    median, high = np.percentile(found.lengths, (50, 95), method="inverted_cdf")
    ends = {"min": int(found.lengths.min()), "median": int(median), "p95": int(high), "max": int(found.lengths.max())}
    return {**ends, "length": found.length, "cut": found.cut}


def lines(found: TextSurvey, overrides: Sequence[str], columns: int | None) -> list[str]:
    """The survey as lines of text, for a terminal that is so many columns wide."""
    lines = [*head(found.name, found.class_names, found.splits, "text"), *found.notes, ""]
    if found.class_names:
        lines += [*class_table(found.class_names, found.splits, columns), ""]
    if lengths := _lengths(found):
        cut = counted(found.cut, "text is", "texts are")
        lines.append(
            f"length  {lengths['min']} to {lengths['max']} tokens, median {lengths['median']}; 95 % have at most "
            f"{lengths['p95']}; {cut} cut at data.length={found.length}"
        )
    lines += _unknown(found)
    lines += imbalance(found.imbalance, "text")
    lines += [f"repeats {_repeats(repeats)}" for repeats in found.repeats]
    if found.contradictions:
        lines.append(f"labels  {_contradiction(found.contradictions)}")
    if found.label_errors and found.label_errors.found:
        lines += _label_errors(found.label_errors)
    lines += bad_ones(found.bad, f"{counted(len(found.bad), 'text')} can't be used")
    return [*lines, *verdict(found.problems, _command(found, overrides))]


def _unknown(found: TextSurvey) -> list[str]:
    if not found.tokenizer or not found.unknown:
        return []
    shares = ", ".join(f"{share:.1%} of the tokens of {part} texts" for part, share in found.unknown.items())
    learned = f"{found.tokenizer.kind}: {found.tokenizer.size:,} ids, from {counted(found.trained_on, 'training text')}"
    return [f"unknown {shares} ({learned})"]


def _repeats(repeats: TextRepeats) -> str:
    where = "twice in" if repeats.first == repeats.second else f"in {repeats.first} too, of"
    first, second = repeats.example
    count = counted(repeats.count, "text is", "texts are")
    return f"{count} {where} {repeats.second}: {second} is {first}: {_shown(repeats.text)}"


def _contradiction(repeats: TextRepeats) -> str:
    assert repeats.labels is not None
    equal = counted(repeats.count, "equal text has", "equal texts have")
    (first, second), (one, other) = repeats.example, repeats.labels
    return f"{equal} another label: {one} in {first}, {other} in {second}: {_shown(repeats.text)}"


def _label_errors(errors: LabelErrors) -> list[str]:
    shown = len(errors.most_suspicious)
    first = "" if shown == errors.found else f"; the {shown} with the least likely label"
    look = "looks mislabelled" if errors.found == 1 else "look mislabelled"
    lines = [
        f"  {error.place}: {error.label} ({error.probability:.0%}), likelier {error.likelier} "
        f"({error.likelier_probability:.0%}): {_shown(error.text)}"
        for error in errors.most_suspicious
    ]
    return [
        "",
        f"{errors.found:,} of {counted(errors.looked_at, 'training text')} {look} to a linear classifier of words (a "
        f"hint, no verdict){first}:",
        *lines,
    ]


def _shown(text: str) -> str:
    """A text in one line, its end left out where it is long, without what controls a terminal."""
    line = shortened(text, LONGEST)
    return "".join(" " if unicodedata.category(character) == "Cc" else character for character in line)


def _command(found: TextSurvey, overrides: Sequence[str]) -> str | None:
    """The command that trains on the data as it is; None where nothing would."""
    if found.problems or found.labels == "none":
        return None
    words = ["tkit", "run", "sentences_transformer", "--data", found.name, f"data.length={found.suggested_length}"]
    words += [override for override in overrides if not override.startswith("data.length=")]
    words += ["task=regression"] if found.labels == "numbers" else []
    words += ["--skip-bad"] if found.bad else []
    return shlex.join(words)
