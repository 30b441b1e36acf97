"""Texts of TensorFlow Datasets through its own builder: real ones on disk."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tkit_edge.errors import InputError
from tkit_pipelines.corpus import read_corpus

CLASSES = ("anger", "joy")


class TkitReviews(tfds.core.GeneratorBasedBuilder):
    """A text and a class an example, numbered in each split."""

    VERSION = tfds.core.Version("1.0.0")
    SPLITS = {"train": 6, "test": 4, "unsupervised": 2}  # noqa: RUF012
    TEXTS = ("text",)
    UNLABELLED: tuple[str, ...] = ("unsupervised",)

    def _info(self):
        features = {
            **{name: tfds.features.Text() for name in self.TEXTS},
            "label": tfds.features.ClassLabel(names=CLASSES),
            "stars": tfds.features.Scalar(np.float32),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, manager):
        return {split: self._generate_examples(split, count) for split, count in self.SPLITS.items()}

    def _generate_examples(self, split, count):
        for number in range(count):
            label = -1 if split in self.UNLABELLED else number % 2
            texts = {name: f"{name} {number} of {split} é" for name in self.TEXTS}
            yield number, {**texts, "label": label, "stars": number / 2}


class TkitGlue(TkitReviews):
    """With a validation split, and a test split whose labels nobody gives."""

    SPLITS = {"train": 6, "validation": 4, "test": 4}  # noqa: RUF012
    UNLABELLED = ("test",)


class TkitDev(TkitGlue):
    """With labels for both."""

    UNLABELLED = ()


class TkitHoles(TkitReviews):
    """Without labels for training."""

    UNLABELLED = ("train",)


class TkitNews(TkitReviews):
    """With a title and a description."""

    TEXTS = ("title", "description")


class TkitPairs(TkitReviews):
    """With two texts of the same standing."""

    TEXTS = ("premise", "hypothesis")


class TkitPhotos(tfds.core.GeneratorBasedBuilder):
    """Images, with their file names."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(2, 2, 3), encoding_format="png"),
            "file_name": tfds.features.Text(),
            "label": tfds.features.ClassLabel(names=CLASSES),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        yield 0, {"image": np.zeros((2, 2, 3), np.uint8), "file_name": "a.png", "label": 0}


@pytest.fixture(autouse=True, scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("tfds")))
        yield


def test_texts_and_classes_are_read_whole_and_in_a_fixed_order():
    corpus = read_corpus("tfds:tkit_reviews")
    assert (corpus.train, corpus.validation, len(corpus.texts)) == (6, 0, 10)
    assert sorted(corpus.texts[:6]) == [f"text {number} of train é" for number in range(6)]
    assert corpus.labels.tolist() == [int(text.split()[1]) % 2 for text in corpus.texts]
    assert (corpus.class_names, corpus.notes, corpus.places[7]) == (CLASSES, (), "tfds:tkit_reviews test 1")
    assert read_corpus("tfds:tkit_reviews").texts == corpus.texts


def test_labels_may_be_numbers_or_none():
    corpus = read_corpus("tfds:tkit_reviews", labels="numbers", label="stars")
    assert corpus.labels.tolist() == [int(text.split()[1]) / 2 for text in corpus.texts]
    assert read_corpus("tfds:tkit_reviews", labels="none").labels is None


def test_a_test_split_without_labels_is_left_out_and_validation_measures():
    corpus = read_corpus("tfds:tkit_glue")
    assert (corpus.train, corpus.validation, len(corpus.texts)) == (6, 0, 10)
    assert all("of validation" in text for text in corpus.texts[6:])
    assert len(corpus.notes) == 2 and corpus.notes[0] == "the test part (4 texts) is left out: it has no labels"
    with_both = read_corpus("tfds:tkit_dev")
    assert (with_both.train, with_both.validation, len(with_both.texts)) == (10, 4, 14)


def test_of_a_title_and_a_description_the_description_is_the_text():
    corpus = read_corpus("tfds:tkit_news")
    assert all(text.startswith("description") for text in corpus.texts) and "data.text=title" in corpus.notes[0]
    named = read_corpus("tfds:tkit_news", text="title")
    assert all(text.startswith("title") for text in named.texts) and named.notes == ()


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("tkit_pairs", {}, r"several features are texts: .*premise.*Name one: data\.text="),
        ("tkit_pairs", {"text": "premises"}, r"has no text 'premises' \(data\.text\)\. Did you mean 'premise'\?"),
        ("tkit_pairs", {"text": "premise", "label": "stras"}, r"has no label 'stras'.*Did you mean 'stars'\?"),
        ("tkit_holes", {}, r"missing label: tfds:tkit_holes train 0, .*\(6 in all\)"),
        ("tkit_photos", {}, r"holds images, and texts are expected.*tkit run cifar10_cnn --data tfds:tkit_photos"),
        ("tkit_reveiws", {}, "knows no such set"),
        ("", {}, "expected the name of a TFDS set after the colon, as in 'tfds:imdb_reviews'"),
    ],
)
def test_what_cannot_be_used_is_explained(name, options, match):
    with pytest.raises(InputError, match=match):
        read_corpus(f"tfds:{name}", **options)
