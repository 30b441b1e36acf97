"""Texts that can't be used: each is one clear message."""

from __future__ import annotations

import gzip

import pytest

from tkit_edge.errors import InputError
from tkit_pipelines.corpus import read_corpus

CSV = "text,label\ngood,pos\nbad,neg\ngreat,pos\n"


def test_empty_texts_and_missing_labels_are_named_or_skipped(given):
    table = {"a.csv": "text,label\na,1\n ,0\nb,\n,\n,1\nc,0\n"}
    with pytest.raises(InputError, match=r"empty text: a\.csv line 3, a\.csv line 6 \(2 in all\).*--skip-bad"):
        given(table, "a.csv")
    corpus = given(table, "a.csv", skip_bad=True)
    assert (corpus.texts, corpus.class_names) == (["a", "c"], ("0", "1")) and corpus.labels.tolist() == [1, 0]
    assert list(corpus.places) == ["a.csv line 2", "a.csv line 7"]
    assert [bad.reason for bad in corpus.skipped] == [
        "a.csv line 3: empty text",
        "a.csv line 4: missing label",
        "a.csv line 6: empty text",
    ]
    with pytest.raises(InputError, match=r"missing label: b\.csv line 3"):
        given({"b.csv": "text,label\na,1\nb,NaN\nc,0.5\n"}, "b.csv")


@pytest.mark.parametrize(
    ("name", "data", "match"),
    [
        (
            "a.csv",
            "title,text,label\na,b,c\n",
            r"several columns may hold the texts: 'title', 'text'\. Name one: data\.text=title",
        ),
        (
            "a.csv",
            "text,a,b\na,b,c\n",
            r"which column holds the labels can't be told; its columns are 'text', 'a', 'b'",
        ),
        (
            "a.csv",
            "a,b,label\na,b,c\n",
            r"which column holds the texts can't be told; its columns are 'a', 'b', 'label'",
        ),
        ("a.csv", "3,a title,a text\n1,b,c\n", r"of 3 columns it can't be told which holds the texts.*Write a header"),
        ("a.csv", "text,label\na,1\nb\n", r"line 3 has 1 column, the first row 2"),
        (
            "a.tsv",
            'text\tlabel\n"a\nb"\t1\n',
            r"line 2 has 1 column.*texts with tabs or line ends in them go into a \.csv",
        ),
        ("a.csv", 'text,label\na,1\n"b,1\n', r"line 3 is no row of a CSV file: unexpected end of data"),
        ("a.csv", 'text,label\n"a" b,1\n', r"line 2 is no row of a CSV file"),
        (
            "a.csv",
            'text,label\n"a,1\n' + "b,1\n" * 400_000,
            r"line 2 is no row of a CSV file: field larger than field limit",
        ),
        ("a.csv", "text,label\na,1\n" + "b" * 10_000_000, r"line 3 has more than 1,000,000 characters"),
        ("a.tsv", ("a\t1\n" + "é" * 1_000_001 + "\n").encode("utf-16"), r"line 2 has more than 1,000,000 characters"),
        (
            "a.jsonl",
            '{"text": "' + "a" * 600_000 + "\\n" * 600_000 + '"}',
            r"line 1 has more than 1,000,000 characters",
        ),
        ("c/1.txt", "a" * 5_000_000, r"has 5,000,000 bytes; a text may have 1,000,000 characters"),
        ("a.csv", b"text,label\nok,1\nna\xefve,0\n", r"a\.csv: line 3, byte 3: 0xEF is not UTF-8.*mixes several"),
        ("a.csv", "text,label\na,1\n".encode("utf-16")[:-1], r"line 2: the UTF-16 ends within a character"),
        ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0)[:-9], r"cannot be read: Compressed file ended"),
        ("a.csv", "\n", r"the table is empty"),
        ("a.csv", "text,label\n", r"has no training texts"),
        ("a.jsonl", "\n", r"the file is empty"),
        ("a.jsonl", '{"text": "a"}\n{"text"', r"line 2 is no JSON"),
        ("a.jsonl", "[" * 100_000, r"line 1 is no JSON"),
        ("a.jsonl", '["a", "b"]', r"line 1: expected a JSON object a line.*received list"),
        (
            "a.csv",
            "text,label,split\na,1,train\nb,1,x\n",
            r"line 3: split must be train, test or validation, received 'x'",
        ),
        (
            "a.csv",
            "text,label,split\na,1,train\nb,2,test\nc,3,test\n",
            r"test texts have labels that no training text has: '2', '3'",
        ),
        (
            "a.csv",
            "text,label,split\na,1,train\nb,1,test\nc,3,dev\n",
            r"validation texts have labels .*: '3' .*a\.csv line 4",
        ),
        (
            "a.csv",
            "file,label\na.png,cat\nb.jpg,dog\n",
            r"holds images, and texts are expected.*tkit run cifar10_cnn --data",
        ),
        ("a.csv", "path,width,label\na.png,7,cat\nb.jpg,8,dog\n", r"holds images, and texts are expected"),
        ("a.csv", "a.png,cat\nb.jpg,dog\n", r"holds images, and texts are expected"),
        ("cat/a.png", b"", r"holds images, and texts are expected.*tkit run cifar10_cnn --data"),
        ("dev.csv", CSV, r"found the tables dev\.csv, test\.csv, none for training"),
        ("a.npz", b"", r"none of the files tkit reads\. Expected: FILE\.csv.*FOLDER.*FILE\.parquet"),
    ],
)
def test_what_cannot_be_used_is_one_clear_message(given, name, data, match):
    more = {"c/2.txt": "b", "d/1.txt": "c"} if name.startswith("c/") else {"test.csv": CSV} if name == "dev.csv" else {}
    in_folder = "/" in name or name == "dev.csv"
    with pytest.raises(InputError, match=match) as caught:
        given({name: data, **more}, "" if in_folder else name)
    assert len(str(caught.value)) < 600


def test_a_column_that_is_not_there_lists_those_that_are(given):
    with pytest.raises(
        InputError, match=r"no column 'reveiw' \(data\.text\)\. Did you mean 'review'\? Available: review, stars\."
    ):
        given({"a.csv": "review,stars\na,1\n"}, "a.csv", text="reveiw")
    with pytest.raises(InputError, match=r"no column 'star sign' \(data\.label\)\..*Available: review, stars\."):
        given({}, "a.csv", label="star sign")
    assert given({}, "a.csv", text="Review", label="STARS").texts == ["a"]


def test_a_file_that_is_not_there_and_names_of_images_are_explained():
    with pytest.raises(InputError, match="no such file or folder"):
        read_corpus("nowhere/reviews.csv")
    with pytest.raises(InputError, match=r"Did you mean 'sentences'\?"):
        read_corpus("sentence")
    with pytest.raises(InputError, match=r"'digits' holds images.*tkit run cifar10_cnn --data digits"):
        read_corpus("digits")
