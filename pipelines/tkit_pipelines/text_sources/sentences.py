"""Some 400 short English sentences about cooking, the weather and travel, written for tkit: for dry runs and tests.

They need no download, and a small model learns to tell them apart in a minute. They are no benchmark: they were written
with the three topics in mind, and accuracy on them says nothing of other texts.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tkit_edge.errors import InputError
from tkit_pipelines.text_source import NamedTexts, Records, Wanted
from tkit_pipelines.text_sources.csv_file import CsvFile


class Sentences(NamedTexts):
    """The sentences in the package's own sentences.tsv; there are none for testing alone."""

    usage = "sentences"

    @classmethod
    def from_argument(cls, argument: str) -> Sentences:
        """The source; it takes no argument."""
        if argument:
            raise InputError(f"data 'sentences:{argument}': sentences takes nothing after its name. Write 'sentences'.")
        return cls()

    def read(self, wanted: Wanted) -> Records:
        """The sentences and their topics; see `TextSource.read`."""
        found = CsvFile(Path(__file__).with_name("sentences.tsv")).read(wanted)
        return replace(found, notes=("'sentences' is for dry runs and tests, it is no benchmark",))
