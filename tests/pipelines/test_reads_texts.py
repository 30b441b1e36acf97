"""Whether a source is texts or images: by names and first lines, and images win."""

from __future__ import annotations

import pytest
import tensorflow_datasets as tfds

from tkit_pipelines.reads_texts import reads_texts


@pytest.mark.parametrize(
    ("name", "content", "are_texts"),
    [
        ("a.tsv", "text\tlabel\nx\ty\n", True),
        ("a.csv", "id,review,stars\n1,x,5\n", True),
        ("a.csv", "a fine film,1\nnot so fine,0\n", True),
        ("a.csv", "质量很好,正面\n很差,负面\n", True),
        ("a.csv.gz", "text,label\n", True),
        ("a.jsonl", "", True),
        ("a.parquet", "", True),
        ("a.csv", "image_id,dx\nISIC_1,nv\nISIC_2,mel\n", False),
        ("a.csv", "1.jpg,a cat\n2.jpg,a dog\n", False),
        ("a.csv", "file,title,label\n1.png,a cat on a mat,cat\n", False),
        ("a.csv", "id,label\n1,cat\n2,dog\n", False),
        ("a.csv", "", False),
        ("a.csv", b"caf\xe9,1\n", False),
        ("a.npz", "", False),
        ("folder/pos/1.txt", "x", True),
        ("folder/train.tsv", "a fine film\t1\n", True),
        ("folder/notes.txt", "x", False),
        ("folder/labels.csv", "1.jpg,cat\n", False),
    ],
)
def test_texts_are_told_by_names_and_first_lines_and_images_win(name, content, are_texts, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    source = tmp_path / name.partition("/")[0]
    assert reads_texts(str(source)) is are_texts
    if source.is_dir():
        (source / "pos").mkdir(parents=True, exist_ok=True)
        (source / "pos" / "1.jpg").touch()
        assert not reads_texts(str(source))


@pytest.mark.parametrize(
    ("name", "are_texts"), [("sentences", True), ("digits", False), ("synthetic:3", False), ("", False)]
)
def test_names_of_sources_are_told_apart(name, are_texts):
    assert reads_texts(name) is are_texts


class TkitLines(tfds.core.GeneratorBasedBuilder):
    """A text and a class an example."""

    VERSION = tfds.core.Version("1.0.0")
    FEATURES = {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(num_classes=2)}  # noqa: RUF012

    def _info(self):
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(self.FEATURES))

    def _split_generators(self, manager):
        raise AssertionError("nothing may be downloaded to tell")

    def _generate_examples(self):
        raise NotImplementedError


class TkitCaptions(TkitLines):
    """With an image too."""

    FEATURES = {**TkitLines.FEATURES, "image": tfds.features.Image()}  # noqa: RUF012


@pytest.mark.parametrize(("name", "are_texts"), [("lines", True), ("captions", False), ("nowhere", False)])
def test_sets_of_tfds_are_told_by_their_features(name, are_texts, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert reads_texts(f"tfds:tkit_{name}") is are_texts
    assert not list(tmp_path.iterdir())
