"""Texts from files and folders as people have them: what is read, which column is which, and what is refused."""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tkit_edge.errors import InputError
from tkit_pipelines.corpus import read_corpus
from tkit_pipelines.resolve import located, stamp

CHINESE = "".join(
    f"这家店第{number}次让我失望，但是服务很好,{star}星\n" for number in range(4) for star in "一二三四五"
)


def pairs(corpus):
    """Texts with the names of their classes."""
    return [(text, corpus.class_names[label]) for text, label in zip(corpus.texts, corpus.labels, strict=True)]


ROWS = [("good, really", "pos"), ("bad", "neg"), ('so "so"', "neg"), ("great", "pos")]
CSV = 'text,label\n"good, really",pos\nbad,neg\n"so ""so""",neg\ngreat,pos\n'


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", CSV),
        ("a.CSV", b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode()),
        ("a.csv", CSV.encode("utf-16")),
        ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("headerless.csv", CSV.partition("\n")[2]),
        ("a.csv", 'Label;Review\npos;good, really\nneg;bad\nneg;so "so"\npos;great\n'),
        ("a.csv", 'id\tsatz\tsentiment\n1\tgood, really\tpos\n2\tbad\tneg\n3\t"so ""so"""\tneg\n4\tgreat\tpos\n'),
        ("a.tsv", 'good, really\tpos\nbad\tneg\nso "so"\tneg\ngreat\tpos\n'),
        ("quoted.tsv", 'text\tlabel\ngood, really\t"pos"\nbad\tneg\n"so ""so"""\tneg\n\ngreat\tpos'),
        ("a.jsonl", "\n".join(json.dumps({"id": 7, "tweet": text, "target": label}) for text, label in ROWS)),
        ("a.ndjson", "\n".join(json.dumps({"label": label, "extra": [1], "satz": text}) for text, label in ROWS)),
    ],
)
def test_a_table_is_read_whatever_its_form(given, name, data):
    options = {"text": "satz"} if name == "a.ndjson" else {}
    corpus = given({name: data}, name, **options)
    assert pairs(corpus) == ROWS and corpus.class_names == ("neg", "pos")
    assert corpus.labels.dtype == np.int32
    assert (corpus.train, corpus.validation, corpus.skipped, corpus.notes) == (4, 0, (), ())


def test_parquet_is_read_through_pyarrow(given, tmp_path, monkeypatch):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    texts, labels = zip(*ROWS, strict=True)
    path = tmp_path / "a.parquet"
    table = {"review": texts, "stars": [5, 1, 2, 5], "feeling": labels, "vector": [[1.0]] * 4}
    parquet.write_table(pyarrow.table(table), path)
    assert pairs(read_corpus(str(path), label="feeling")) == ROWS
    assert read_corpus(str(path), labels="numbers").labels.tolist() == [5, 1, 2, 5]
    assert read_corpus(str(path)).places[3] == "a.parquet row 4"
    with pytest.raises(InputError, match="row 1: 'vector': expected a text or a number, received list"):
        read_corpus(str(path), label="vector")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"a\.parquet: the Parquet file can't be read"):
        read_corpus(str(path))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'keras-tkit\[parquet\]'"):
        read_corpus(str(path))


def test_a_quoted_text_may_have_several_lines_and_places_are_where_rows_begin(given):
    corpus = given({"a.csv": 'text,label\r\n"one\r\ntwo",a\r\n\r\nthree,b\r\n'}, "a.csv")
    assert corpus.texts == ["one\ntwo", "three"]
    assert list(corpus.places) == ["a.csv line 2", "a.csv line 5"]


def test_quotes_of_a_tsv_are_characters_unless_a_program_quoted_them(given):
    raw = given({"raw.tsv": '"hi" he said\ta\n"hello"\tb\nno\ta\n3" nails\tb\n'}, "raw.tsv")
    assert raw.texts == ['"hi" he said', '"hello"', "no", '3" nails']
    assert given({"q.tsv": '"hello"\t1\n"he said ""hi"""\t0\n'}, "q.tsv").texts == ["hello", 'he said "hi"']


def test_text_stays_as_it_is_but_for_line_ends_and_lone_surrogates(given):
    line = json.dumps({"text": " Tab\there \u2028 NUL\x00 \ud83d 😀 \r\n\n", "label": "x"})
    assert given({"a.jsonl": line}, "a.jsonl").texts == [" Tab\there \u2028 NUL\x00 \ufffd 😀 "]
    utf16 = "text,label\na\ud800b,x\n".encode("utf-16", "surrogatepass")
    assert given({"a.csv": utf16}, "a.csv").texts == ["a\ufffdb"]


def test_chinese_sentences_with_five_classes_need_no_names_if_theirs_are_common(given):
    corpus = given({"a.csv": "内容,类别\n" + CHINESE}, "a.csv")
    assert len(corpus.texts) == 20 and sorted(corpus.class_names) == sorted(f"{star}星" for star in "一二三四五")
    named = given({"b.csv": "顾客原话,打分\n" + CHINESE}, "b.csv", text="顾客原话", label="打分")
    assert pairs(named) == pairs(corpus) == pairs(given({"c.csv": CHINESE}, "c.csv"))
    with pytest.raises(
        InputError, match=r"label of line 1, '打分', comes nowhere else.*data\.text=NAME data\.label=NAME"
    ):
        given({"b.csv": "顾客原话,打分\n" + CHINESE}, "b.csv")


def test_a_class_called_like_a_column_is_no_header(given):
    corpus = given({"a.tsv": "what time is it\tquestion\nit is late\tcomment\nwhy\tquestion\noh\tcomment\n"}, "a.tsv")
    assert len(corpus.texts) == 4 and corpus.class_names == ("comment", "question")


def test_labels_are_numbers_or_none(given):
    table = {"a.csv": "stars,text\n4.5,good\n-1,bad\n2e1,best\n"}
    numbers = given(table, "a.csv", labels="numbers")
    assert numbers.labels.dtype == np.float32 and numbers.labels.tolist() == [4.5, -1, 20] and numbers.class_names == ()
    assert given(table, "a.csv").class_names == ("-1", "4.5", "20")
    assert given(table, "a.csv", labels="none").labels is None
    assert given({"b.csv": "one\n\ntwo\n"}, "b.csv", labels="none").texts == ["one", "two"]
    with pytest.raises(
        InputError, match=r"a\.csv line 3: the label 'poor' is no number, as data\.labels=numbers expects"
    ):
        given({"a.csv": "stars,text\n4.5,good\npoor,bad\n"}, "a.csv", labels="numbers")


PARTS = {"test": ("c", "1"), "dev": ("d", "0"), "train": ("a", "1"), "Training": ("b", "0")}
VALIDATION_IS = r"validation part \(1 text\) is the {} split"


@pytest.mark.parametrize(
    ("changed", "texts", "train", "validation", "note"),
    [
        ({}, "abdc", 3, 1, VALIDATION_IS.format("validation")),
        ({"test": None}, "abd", 2, 0, VALIDATION_IS.format("test")),
        ({"dev": None}, "abc", 2, 0, None),
        ({"test": ("c", "")}, "abd", 2, 0, r"test part \(1 text\) is left out: it has no labels"),
    ],
)
@pytest.mark.parametrize("form", ["column", "tables"])
def test_splits_are_kept_and_published_validation_texts_choose(given, changed, texts, train, validation, note, form):
    parts = {split: row for split, row in {**PARTS, **changed}.items() if row}
    if form == "column":
        rows = [f"{text},{label},{split}\n" for split, (text, label) in parts.items()]
        corpus = given({"a.csv": "text,label,split\n" + "".join(rows)}, "a.csv")
    else:
        files = {"train-0-of-2": parts["train"], "train-1-of-2": parts["Training"]}
        files |= {split: parts[split] for split in ("test", "dev") if split in parts}
        corpus = given({f"{name}.csv": f"text,label\n{text},{label}\n" for name, (text, label) in files.items()})
    assert "".join(corpus.texts) == texts and (corpus.train, corpus.validation) == (train, validation)
    assert corpus.labels.tolist() == [{"a": 1, "b": 0, "c": 1, "d": 0}[text] for text in texts]
    assert bool(note) == bool(corpus.notes) and (note is None or any(re.search(note, line) for line in corpus.notes))


def test_tables_of_splits_have_the_columns_of_the_training_one(given):
    files = {"set/train.tsv": "a b\t1\nc d\t0\n", "set/dev.tsv": "1111 2222\t1\n", "set/vocabulary.tsv": "a\n"}
    corpus = given(files)
    assert corpus.texts[2] == "1111 2222" and corpus.places[2] == "set/dev.tsv line 1"
    assert corpus.notes[0] == "set/vocabulary.tsv is left out: its name is no split's"
    glue = {"train.jsonl": '{"sentence": "a", "label": 1}\n', "test.tsv": "index\tsentence\n0\tb\n"}
    assert given({f"glue/{name}": data for name, data in glue.items()}, "glue").texts == ["a"]
    with pytest.raises(InputError, match=r"dev\.tsv has no column 'label' \(data\.label\)"):
        given({"glue/dev.tsv": "index\tsentence\n0\tb\n"}, "glue")
    with pytest.raises(InputError, match=r"train\.tsv, .*train_small\.tsv are all of the train split by their names"):
        given({"set/train_small.tsv": "a b\t1\n"}, "set")
    assert given({"alone/reviews.csv": CSV}, "alone").train == 4


def test_a_folder_of_txt_files_has_a_folder_a_class(given):
    names = ("10", "2")
    splits = {"train": "ba", "dev": "c", "test": "d"}
    files = {
        f"s/{split}/{name}/{text}.txt": f"{text} {name}\n"
        for split in splits
        for text in splits[split]
        for name in names
    }
    files |= {"s/train/unsup/e.txt": "no class", "s/README.txt": "about", "s/train/2/notes.md": "no text"}
    corpus = given(files)
    assert pairs(corpus) == [(f"{text} {name}", name) for part in ("ab", "c", "d") for name in names for text in part]
    assert (corpus.train, corpus.validation, corpus.places[1]) == (6, 2, "s/train/10/b.txt")
    assert "s/train/unsup/ is left out: its texts have no class" in corpus.notes
    unlabelled = given({}, labels="none")
    assert (len(unlabelled.texts), unlabelled.train, unlabelled.validation, unlabelled.labels) == (9, 7, 2, None)
    numbers = given({}, labels="numbers")
    assert numbers.labels.tolist()[:4] == [10, 10, 2, 2]


def test_a_txt_file_in_another_encoding_is_named_or_skipped(given):
    files = {f"{name}/{number}.txt": f"{name} {number}" for name in "xy" for number in range(2)}
    with pytest.raises(InputError, match=r"x/1\.txt: line 2, byte 3: 0xEF is not UTF-8.*--skip-bad"):
        given({**files, "x/1.txt": b"ok\nna\xefve"})
    corpus = given({}, skip_bad=True)
    assert corpus.texts == ["x 0", "y 0", "y 1"] and corpus.places[1] == "y/0.txt"
    assert [bad.name for bad in corpus.skipped] == ["x/1.txt"]


def test_the_sentences_are_of_three_topics_and_no_two_are_alike():
    corpus = read_corpus("sentences")
    assert corpus.class_names == ("cooking", "travel", "weather") and np.bincount(corpus.labels).tolist() == [140] * 3
    assert len({text.casefold() for text in corpus.texts}) == corpus.train == 420
    assert "no benchmark" in corpus.notes[0]
    assert located("sentences") == "sentences" and stamp("sentences") is None and located("reviews.csv").startswith("/")
    with pytest.raises(InputError, match="takes nothing after its name"):
        read_corpus("sentences:3")


@pytest.mark.realdata
def test_sst2_is_read_as_published():
    folder = Path(os.environ.get("TKIT_TEST_DATA", "")) / "sst2"
    if "TKIT_TEST_DATA" not in os.environ or not folder.exists():
        pytest.skip("needs the folder sst2 in the folder that TKIT_TEST_DATA names")
    corpus = read_corpus(str(folder))
    assert (corpus.train - corpus.validation, corpus.validation, len(corpus.texts) - corpus.train) == (6920, 872, 1821)
    assert corpus.class_names == ("0", "1") and corpus.places[6920] == "dev.tsv line 1"
    assert len(corpus.places[-3:]) == 3 and corpus.places[-1] == "test.tsv line 1821"
