"""`tkit data` for texts: what it finds, what it prints, how it tells texts from images, and its exit codes."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest

from tkit import plotting
from tkit.cli import main
from tkit.recipe_loading import data_with_overrides
from tkit.stages.data import data
from tkit_edge.errors import InputError
from tkit_edge.judge import array_name, read_test
from tkit_edge.outputs.classes import Classes
from tkit_pipelines.corpus import read_corpus
from tkit_pipelines.data.texts import Texts
from tkit_pipelines.reads_texts import reads_texts
from tkit_pipelines.text_survey import TextSurvey

FOODS = ("soup", "bread", "cheese", "rice", "salad", "fish", "cake", "stew")
SKIES = ("rain", "snow", "wind", "fog", "frost", "hail", "storm", "cloud")


@pytest.fixture
def topics():
    """Forty sentences of two topics that words tell apart."""
    meals = [f"the {first} and the {other} are cooking" for first in FOODS[:5] for other in FOODS[4:]]
    skies = [f"the {first} and the {other} are blowing" for first in SKIES[:5] for other in SKIES[4:]]
    return [*((text, "food") for text in meals), *((text, "weather") for text in skies)]


def table(path, rows, header=("text", "label")):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(row) + "\n" for row in (header, *rows)), encoding="utf-8")
    return path


@pytest.fixture
def tkit(capfd):
    """Runs `tkit data`; its exit code, its output and its messages."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main(["data", *map(str, arguments)])
        return stopped.value.code, *capfd.readouterr()

    return run


def test_good_texts_have_no_problems_and_the_command_that_trains_on_them(topics, tmp_path, tkit):
    code, out, _ = tkit(
        table(tmp_path / "some topics.tsv", topics), "data.tokenizer=words:min_count=1", "data.length=6"
    )
    assert code == 0
    assert "40 texts (40 train), 2 classes" in out
    assert "no test texts of its own: tkit holds out a fixed fifth of each class" in out
    assert "length  8 to 8 tokens, median 8; 95 % have at most 8; 40 texts are cut at data.length=6" in out
    *_, verdict, command = out.rstrip().splitlines()
    assert verdict == "no problems: a recipe can train on it"
    run, *rest = shlex.split(command)
    assert (run, *rest[:4]) == ("tkit", "run", "sentences_transformer", "--data", str(tmp_path / "some topics.tsv"))
    found = data_with_overrides(Texts(source=rest[3]), rest[4:])
    assert (found.length, found.tokenizer.min_count) == (8, 1)


def test_lengths_unknown_words_and_a_length_that_fits_95_percent(tmp_path):
    long = " ".join(["again"] * 400)
    train = [(f"a b c number {'c ' * (row % 4)}", "x" if row % 2 else "y") for row in range(38)]
    table(tmp_path / "train.tsv", [*train, (long, "x"), (long, "y")])
    table(tmp_path / "dev.tsv", [("a b c d", "x"), ("d d d d", "y")])
    table(tmp_path / "test.tsv", [("a b c", "x"), ("a b c", "y")])
    found = data(tmp_path)
    assert isinstance(found, TextSurvey)
    assert found.splits == {"train": [20, 20], "validation": [1, 1], "test": [1, 1]}
    assert (found.lengths.min(), found.lengths.max(), found.cut) == (4, 401, 2)
    assert found.unknown == {"validation": 5 / 8, "test": 0.0}
    assert found.suggested_length == 8  # for 38 of 40
    table(tmp_path / "train.tsv", [(long, "x"), (long, "y")] * 2)
    assert data(tmp_path).suggested_length == 256


def test_everything_that_is_odd_is_found(topics, tmp_path):
    odd = [("a Fine  soup", "food"), ("A fine soup", "weather"), ("", "food"), ("no label", ""), ("snow", "weather")]
    table(tmp_path / "train.tsv", [*topics, *odd])
    table(tmp_path / "test.tsv", [(topics[0][0], "food"), ("a\u00a0fine soup\u00ad", "food"), ("a new one", "opera")])
    found = data(tmp_path)
    assert found.class_names == ("food", "opera", "weather")
    assert found.splits == {"train": [21, 0, 22], "test": [2, 1, 0]}
    assert found.imbalance == 23
    assert [bad.name for bad in found.bad] == ["train.tsv line 44", "train.tsv line 45"]
    assert ["empty" in bad.reason for bad in found.bad] == [True, False]
    assert [(item.first, item.second, item.count) for item in found.repeats] == [
        ("train", "train", 1),
        ("train", "test", 2),
    ]
    assert found.repeats[1].example == ("train.tsv line 2", "test.tsv line 2")
    assert found.contradictions.count == 1
    assert found.contradictions.labels == ("food", "weather")
    assert found.contradictions.example == ("train.tsv line 42", "train.tsv line 43")
    assert found.contradictions.text == "A fine soup"
    assert (
        "the test texts have labels that no training text has: 'opera' (the first: test.tsv line 4)"
        in found.problems[0]
    )
    assert "2 texts can't be used" in found.problems[1]
    assert len(data(tmp_path, skip_bad=True).problems) == 1


def test_the_text_says_it_and_the_exit_code_is_0(topics, tmp_path, tkit):
    odd = [("a fine soup", "food"), ("a fine soup", "weather"), ("", "food"), ("\x1b[31mred", "food")]
    source = table(tmp_path / "odd.tsv", [*topics, *odd, ("\x1b[31mred", "food"), *[("more", "food")] * 50])
    code, out, err = tkit(source)
    assert (code, err) == (0, "")
    for part in (
        "uneven  3.5 texts of the largest class",
        "repeats 51 texts are twice in train: odd.tsv line 43 is odd.tsv line 42: a fine soup",
        "labels  1 equal text has another label: food in odd.tsv line 42, weather in odd.tsv line 43: a fine soup",
        "1 text can't be used:\n  odd.tsv line 44: ",
        "\nproblem: 1 text can't be used. Mend or remove what is bad, or add --skip-bad.",
    ):
        assert part in out
    assert "\x1b" not in out
    assert "--skip-bad" in tkit(source, "--skip-bad")[1].splitlines()[-1]


def test_planted_label_errors_of_training_texts_are_the_suspicious_ones(topics, tmp_path, tkit):
    other = {"food": "weather", "weather": "food"}
    rows = [(f"{text} {end}", label) for text, label in topics for end in ("now", "later", "here")]
    table(tmp_path / "train.tsv", rows)
    for name in ("dev.tsv", "test.tsv"):
        table(tmp_path / name, [(text, other[label]) for text, label in topics])
    assert data(tmp_path).label_errors.found == 0
    planted = (5, 30, 80, 110)
    for row in planted:
        rows[row] = (rows[row][0], other[rows[row][1]])
    table(tmp_path / "train.tsv", rows)
    found = data(tmp_path).label_errors
    assert (found.looked_at, found.found) == (120, 4)
    assert {error.place for error in found.most_suspicious} == {f"train.tsv line {row + 2}" for row in planted}
    first = found.most_suspicious[0]
    assert first.probability < 0.5 < first.likelier_probability
    assert {first.label, first.likelier} == {"food", "weather"}
    out = tkit(tmp_path)[1]
    assert "4 of 120 training texts look mislabelled to a linear classifier of words (a hint, no verdict):" in out
    assert f"  {first.place}: {first.label} (" in out and first.text in out


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ([("one", "x"), ("two", "x")], "has only one class, ('x',)"),
        ([("one day", "x"), ("two days", "y")] * 2, "class 'x' has too few examples"),
        ([(f"word{row}", "xy"[row % 2]) for row in range(20)], "nothing in the training texts occurs so often"),
    ],
)
def test_problems_are_listed_not_raised(rows, problem, tmp_path, tkit):
    found = data(table(tmp_path / "few.tsv", rows))
    assert any(problem in item for item in found.problems), found.problems
    assert tkit(tmp_path / "few.tsv")[0] == 0


def test_folders_that_differ_are_a_problem_and_their_texts_are_counted(tmp_path):
    for name in ("train/pos", "train/neg", "test/pos", "test/odd"):
        for number in range(6):
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / name / f"{number}.txt").write_text(f"text number {number} of {name}")
    (tmp_path / "train/pos/bad.txt").write_bytes(b"caf\xe9")
    found = data(tmp_path)
    assert found.splits == {"train": [6, 0, 6], "test": [0, 6, 6]}
    assert "only one of them has 'neg', 'odd'" in found.problems[0]
    assert "0xE9 is not UTF-8" in found.bad[0].reason
    with pytest.raises(InputError, match="must have the same class folders"):
        read_corpus(str(tmp_path), skip_bad=True)


def test_numbers_and_no_labels_have_no_classes(topics, tmp_path, tkit):
    source = table(tmp_path / "stars.tsv", [(text, str(row / 2)) for row, (text, _) in enumerate(topics)])
    code, out, _ = tkit(source, "data.labels=numbers")
    assert code == 0 and "class" not in out
    assert out.splitlines()[-1].endswith("data.labels=numbers task=regression")
    code, out, _ = tkit(source, "data.labels=none")
    assert (code, out.splitlines()[-1]) == (0, "no problems")


def test_json_is_one_document(topics, tmp_path, tkit):
    source = table(tmp_path / "topics.tsv", [*topics, topics[0], (topics[1][0], "weather")])
    code, out, _ = tkit(source, "--json", "data.tokenizer=wordpiece:size=100")
    document = json.loads(out)
    assert (code, document["kind"], document["texts"]) == (0, "data", True)
    assert document["splits"] == {"train": [21, 21]}
    assert document["tokenizer"]["kind"] == "wordpiece"
    assert set(document["lengths"]) == {"min", "median", "p95", "max", "length", "cut"}
    assert document["repeats"][0]["text"] == topics[0][0]
    assert document["contradictions"]["labels"] == ["food", "weather"]
    assert document["label_errors"]["looked_at"] > 20
    assert document["command"].startswith("tkit run sentences_transformer")
    assert json.loads(tkit("digits", "--json")[1])["texts"] is False


def test_texts_that_nothing_shows_are_taken_for_such_when_asked(tmp_path):
    rows = [(str(number), f"word{number % 3}", "xy"[number % 2]) for number in range(20)]
    source = table(tmp_path / "odd.csv", rows, ("id", "first", "second"))
    assert not reads_texts(str(source))
    assert data(source, overrides=["data.text=first", "data.label=second"]).class_names == ("x", "y")
    source = table(
        tmp_path / "plain.csv", [(f"word{number % 3}", "xy"[number % 2]) for number in range(20)], ("w", "label")
    )
    assert data(source, texts=True).splits == {"train": [10, 10]}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sentences", "--channels", "1"], "image_size and channels are of images, and data 'sentences' holds texts"),
        (["sentences", "--image-size", "8"], "Leave them out"),
        (["sentences", "data.resize=keras"], "Unknown key 'data.resize'"),
        (["digits", "--texts"], "data 'digits'"),
        (["sentences", "data.text=review"], "has no column 'review' (data.text)"),
        (["sentences", "data.labels=none", "--output", "test.npz"], "without labels nothing says what is right"),
    ],
)
def test_what_cannot_be_done_is_exit_code_2(arguments, message, tmp_path, monkeypatch, tkit):
    monkeypatch.chdir(tmp_path)
    code, out, err = tkit(*arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
    assert not list(tmp_path.iterdir())


def test_the_test_tokens_are_written_as_the_device_takes_them(tmp_path, tkit):
    output = tmp_path / "test.npz"
    code, _, err = tkit("sentences", "data.length=12", "--output", output)
    assert code == 0
    assert "84 test texts of at most 12 tokens" in " ".join(err.split())
    splits = Texts(source="sentences", length=12).load(seed=0)
    with np.load(output) as arrays:
        assert sorted(arrays) == ["labels", "tokens"]
    examples, targets = read_test(output, splits.input, Classes(splits.class_names))
    assert np.array_equal(examples["tokens"], splits.test.columns["tokens"])
    assert np.array_equal(targets["label"], splits.test.labels)
    assert [array_name(name) for name in ("image", "label", "tokens")] == ["images", "labels", "tokens"]


@pytest.fixture
def drawn(monkeypatch):
    """The figures whose PNGs are made."""
    figures, png = [], plotting.png
    monkeypatch.setattr(plotting, "png", lambda figure: (figures.append(figure), png(figure))[1])
    return figures


def test_the_plot_shows_the_lengths_of_every_class(topics, tmp_path, drawn, tkit):
    rows = [
        *topics,
        *((f"one of the rarer {'very ' * number}things", f"class {number}") for number in range(10) for _ in "abc"),
    ]
    code, _, _ = tkit(table(tmp_path / "topics.tsv", rows), "data.length=10", "--output", tmp_path / "lengths.png")
    assert code == 0
    assert (tmp_path / "lengths.png").read_bytes().startswith(b"\x89PNG")
    [axes] = drawn[0].axes
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert {"food", "weather", "class 0", "3 other classes", "data.length=10"} <= set(names)
    assert sum(patch.get_height() for patch in axes.patches) == len(rows)
    assert "70 texts, 15 longer than data.length=10" in axes.get_title()
