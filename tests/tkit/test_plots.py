"""What a person sees in the plots: every name in full or shortened, nothing on top of anything else, sharp enough."""

from __future__ import annotations

import io
from itertools import combinations

import matplotlib
import numpy as np
import pytest
from matplotlib import font_manager
from PIL import Image

from tkit import plotting
from tkit.evaluation import metrics, plots
from tkit.stages.data import grid_png
from tkit_pipelines.source import Shape
from tkit_pipelines.survey import Survey

LONG = "Lesser_spotted_woodpecker_juvenile_male_in_winter_plumage_No"
NAMES = ["cat", LONG, LONG[:25] + "x" + LONG[26:], "$tail$", *(f"class {number}" for number in range(400))]


@pytest.fixture
def drawn(monkeypatch):
    """The figures whose PNGs are made, drawn."""
    figures = []
    png = plotting.png

    def keep(figure):
        figures.append(figure)
        return png(figure)

    for module in (plotting, plots):
        monkeypatch.setattr(module, "png", keep)
    return figures


def texts(figure):
    """The texts to be seen, and where: pixels."""
    figure.draw_without_rendering()
    found = figure.findobj(lambda item: isinstance(item, matplotlib.text.Text) and item.get_text().strip())
    return [(item.get_text(), item.get_window_extent()) for item in found if item.get_visible()]


def apart(boxes):
    return all(min(a.x1, b.x1) - max(a.x0, b.x0) < 1 or min(a.y1, b.y1) - max(a.y0, b.y0) < 1 for a, b in boxes)


def wrong(count, file):
    return [
        {"index": number, "true": 1, "predicted": 2, "confidence": 0.9, "file": file and f"{file}/{number:04}.jpg"}
        for number in range(count)
    ]


@pytest.mark.parametrize("file", [None, f"/home/somebody/a rather long path/{LONG}"])
def test_mistakes_with_long_names_and_paths_dont_overlap(drawn, file):
    images = np.zeros((7, 12, 8, 3), np.uint8)
    data = plots.mistakes_png(images, wrong(7, file), NAMES, "test")
    seen = texts(drawn[0])
    assert apart(combinations([box for _, box in seen], 2))
    titles = [text.replace("\n", "") for text, _ in seen if "true: " in text]
    assert len(titles) == 7
    assert all(f"true: {LONG}predicted: {LONG[:25]}x" in title and ", 90%" in title for title in titles)
    assert titles[6].endswith("0006.jpg" if file else "image 6")
    assert Image.open(io.BytesIO(data)).info["dpi"][0] >= 149


@pytest.mark.parametrize("classes", [2, 10, 45, 230])
def test_a_confusion_matrix_has_title_scale_and_names_that_can_be_read(drawn, classes):
    data = plots.confusion_png(np.eye(classes, dtype=int) * 3, NAMES[:classes], "validation")
    seen = texts(drawn[0])
    assert apart(combinations([box for _, box in seen], 2))
    words = [text for text, _ in seen]
    assert any(f"{3 * classes:,} validation images, accuracy 100.00%" in text for text in words)
    assert "share of the true class's images" in words and "100%" in words
    if classes == 230:
        assert any("1 in 2 is named" in text for text in words)
    else:
        assert len([text for text in words if text.endswith("cat")]) == 2
    if classes > 2:  # names that look alike when they are shortened are told apart
        assert {text[:2] for text in words if text.endswith("plumage_No")} >= {"2:"}
    assert min(box.height if "\n" not in text else 99 for text, box in seen) >= 4
    assert Image.open(io.BytesIO(data)).info["dpi"][0] >= 149


def test_a_reliability_diagram_hides_nothing_and_shows_small_bins_as_such(drawn):
    shares = np.float32([[0.55, 0.45]] * 30 + [[0.05, 0.95]])
    plots.reliability_png(metrics.calibration(np.array([0] * 30 + [1]), shares), "test")
    figure = drawn[0]
    upper, lower = figure.axes
    legend = figure.legends[0].get_window_extent()
    assert not any(axes.get_window_extent().overlaps(legend) for axes in (upper, lower))
    assert sorted(bar.get_facecolor()[3] for bar in upper.patches) == [0, 1]  # of one image, of 30
    assert {text.get_text() for text in lower.texts} == {"30", "1"}
    assert "31 test images" in upper.get_title()


@pytest.mark.parametrize("classes", [1, 45, 340])
def test_the_grid_has_all_classes_or_says_how_many_it_leaves_out(drawn, classes):
    shown = {name: [np.zeros((8, 8, 1), np.uint8)] for name in NAMES[:classes]} | {"empty": []}
    names = (*shown,)
    grid_png(Survey("here", Shape(8, 8, 1), names, {"train": [1] * classes + [0]}, shown=shown))
    words = [text for text, _ in texts(drawn[0])]
    assert len(words) - 1 == min(classes, 300)
    assert f"{classes + 1:,} classes, 1 without images" in words[0] + words[-1]
    assert any("40 are left out" in text for text in words) == (classes == 340)


def test_a_name_is_drawn_in_an_installed_font_that_has_it_or_what_is_missing_is_said_once(drawn, capsys):
    fonts = {name: plotting._characters(font_manager.findfont(name)) for name in ("DejaVu Sans", "STIXGeneral")}
    other = min(filter(str.isalpha, fonts["STIXGeneral"] - fonts["DejaVu Sans"]))
    nowhere = "\U000e0101\U0010fffd"  # a variation selector, which is nothing to be seen, and private use
    for _ in range(2):
        plots.confusion_png(np.eye(3, dtype=int), [other, "\N{CAT FACE}\ufe0f", f"odd{nowhere}"], "test")
    words = [text for text, _ in texts(drawn[0])]
    assert other in words and f"2: odd{plotting.MISSING}" in words
    said = capsys.readouterr().err
    assert said.count("no installed font has \U0010fffd:") == 1
    assert other not in said and "\N{CAT FACE}" not in said
