"""Any text classification set of TensorFlow Datasets, by name: `tfds:imdb_reviews`, `tfds:glue/sst2`.

The splits `train`, `validation` and `test` are read. The text is the one feature of text, or the one that `data.text`
names; of a title and a description (`tfds:ag_news_subset`) it is the description. The label is the one class, or the
feature that `data.label` names.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

from tkit_edge.errors import InputError
from tkit_pipelines.config import did_you_mean
from tkit_pipelines.split_names import SPLITS, Split
from tkit_pipelines.text_source import NamedTexts, Places, Records, Wanted, images_given
from tkit_pipelines.tfds_builder import prepared

BATCH = 4096
"""Examples that are read at once."""


class Tfds(NamedTexts):
    """A set of TensorFlow Datasets with a text and a label an example."""

    usage = "tfds:NAME"

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def from_argument(cls, argument: str) -> Tfds:
        """The source for a TFDS name."""
        if not argument:
            raise InputError(
                "data 'tfds:': expected the name of a TFDS set after the colon, as in 'tfds:imdb_reviews'."
            )
        return cls(argument)

    def read(self, wanted: Wanted) -> Records:
        """All texts, in the stored order; see `TextSource.read`."""
        builder = prepared(self.name, own="texts with --data FILE/FOLDER")
        info = builder.info
        if "train" not in info.splits:
            raise InputError(f"data 'tfds:{self.name}' has no train split, only: {', '.join(info.splits)}.")
        text, notes = self._text(info.features, wanted.text)
        label = self._label(info.features, wanted.label) if wanted.labels else None
        found = reduce(add, [self._records(builder, split, text, label) for split in SPLITS if split in info.splits])
        names = None if label is None else getattr(info.features[label], "names", None)
        return replace(found, class_names=None if names is None else tuple(names), notes=notes)

    def _text(self, features: Any, named: str | None) -> tuple[str, tuple[str, ...]]:
        """The feature that is the text, and what a person should know of the choice."""
        import tensorflow_datasets as tfds

        texts = [key for key, feature in features.items() if isinstance(feature, tfds.features.Text)]
        if named is not None:
            if named in texts:
                return named, ()
            raise InputError(f"data 'tfds:{self.name}' has no text {named!r} (data.text).{did_you_mean(named, texts)}")
        if any(isinstance(feature, tfds.features.Image) for feature in features.values()):
            raise images_given(f"tfds:{self.name}")  # what text there is names the image
        if len(texts) == 1:
            return texts[0], ()
        if set(texts) == {"title", "description"}:
            return "description", ("the texts are the descriptions; data.text=title takes the titles",)
        if texts:
            raise InputError(
                f"data 'tfds:{self.name}': several features are texts: {', '.join(texts)}. "
                f"Name one: data.text={texts[0]}."
            )
        raise InputError(f"data 'tfds:{self.name}' has no texts; its features are {', '.join(features)}.")

    def _label(self, features: Any, named: str | None) -> str:
        """The feature that is the label."""
        import tensorflow_datasets as tfds

        single = [key for key, feature in features.items() if feature.shape == ()]
        if named is not None:
            if named in single:
                return named
            raise InputError(
                f"data 'tfds:{self.name}' has no label {named!r} (data.label).{did_you_mean(named, single)}"
            )
        classes = [key for key, feature in features.items() if isinstance(feature, tfds.features.ClassLabel)]
        if len(classes) != 1:
            raise InputError(
                f"data 'tfds:{self.name}': expected one class label an example, found {', '.join(classes) or 'none'}. "
                f"Name one of its features: data.label={(classes or single)[0]}."
            )
        return classes[0]

    def _records(self, builder: Any, split: Split, text: str, label: str | None) -> Records:
        """The texts of one split."""
        import tensorflow_datasets as tfds

        batches = builder.as_dataset(
            split=split,
            batch_size=BATCH,
            decoders=tfds.decode.PartialDecoding({key: True for key in (text, label) if key is not None}),
            read_config=tfds.ReadConfig(interleave_cycle_length=1),  # one file after the other: a fixed order
        )
        where = f"tfds:{self.name} {split}"
        texts: list[str] = []
        labels: list[str] | None = None if label is None else []
        names = getattr(builder.info.features[label], "names", None) if label is not None else None
        for batch in batches.as_numpy_iterator():
            texts += (_decoded(value, f"{where} {at}") for at, value in enumerate(batch[text], len(texts)))
            if labels is not None:
                labels += (
                    _label_text(value, names, f"{where} {at}") for at, value in enumerate(batch[label], len(labels))
                )
        return Records(texts, labels, [split] * len(texts), Places.numbered(where, range(len(texts))))


def _decoded(value: bytes, where: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: byte {error.start + 1} of the text is not UTF-8.") from error


def _label_text(value: Any, names: list[str] | None, where: str) -> str:
    """What a label is called; "" for -1, which TFDS has for what nobody labelled."""
    if isinstance(value, bytes):
        return _decoded(value, where)
    if names is None:
        return str(value)
    if not -1 <= value < len(names):
        raise InputError(f"{where} has label {value}; expected 0 to {len(names) - 1}, one for each class.")
    return names[value] if value >= 0 else ""
