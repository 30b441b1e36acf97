"""What the stages of one real, tiny run return, as a person holds it: text, HTML, DataFrame, plot, and still a dict."""

import base64
import io
import json
import re
import subprocess
import sys

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

import tkit
from tkit.recipe_loading import load
from tkit_edge.errors import InputError

QUICK = ["fit.epochs=2", "model.width=8", "bench.seconds=0.05", "bench.threads=1", "export.formats=float32,int8"]


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    """By name, a run and what each stage returned."""
    run = tkit.fit(load("digits_cnn", QUICK), runs_dir=tmp_path_factory.mktemp("runs"))
    curves = run.plot(Figure().subplots()).get_xlabel()
    found = {
        "trained run's plot": curves,
        "run": run,
        "export": tkit.export(run),
        "bench": tkit.bench(run),
        "evaluate": tkit.evaluate(run),
    }
    found["why-int8"] = tkit.why_int8(run, samples=50)
    found["compress"] = tkit.compress(run, ["prune:sparsity=0.5,epochs=1"])
    found["file"] = tkit.bench_file(run.folder / "float" / "export" / "model-int8.tflite", run.recipe.bench)
    return {**found, "history": run.history, "comparison": tkit.compare(run)}


KINDS = ("run", "export", "bench", "evaluate", "why-int8", "compress", "file", "history", "comparison")
SHOWN = {
    "run": "digits_cnn, cnn, 4,466 parameters, trained for 2 epochs",
    "export": "int8",
    "bench": "p50",
    "evaluate": "on 359 test images of digits",
    "why-int8": "divergence",
    "compress": "prune-0.5: ",
    "file": "model-int8.tflite",
    "history": "2 epochs",
    "comparison": "zip KB",
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_prints_as_a_few_lines(held, kind):
    text = repr(held[kind])
    assert SHOWN[kind] in text
    assert 2 <= text.count("\n") < 20


@pytest.mark.parametrize("kind", KINDS)
def test_a_notebook_shows_a_table_and_a_small_plot(held, kind):
    page = held[kind]._repr_html_()
    assert page.count("<table>") == 1 and page.count("<tr>") >= 2
    (data,) = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert 300 < image.width < 600
    assert len(page) < 100_000


@pytest.mark.parametrize("kind", KINDS)
def test_a_plot_is_drawn_where_the_caller_wants_it(held, kind):
    axes = Figure().subplots()
    assert held[kind].plot(axes) is axes
    assert axes.get_children() and axes.get_xlabel() + axes.get_ylabel()


def test_without_axes_a_plot_gets_a_figure_of_its_own(held):
    from matplotlib import pyplot

    axes = held["history"].plot()
    assert isinstance(axes, Axes) and pyplot.fignum_exists(axes.figure.number)
    pyplot.close(axes.figure)


ROWS = {
    "run": {("variant", "format"): [("float", "float32"), ("float", "int8"), ("prune-0.5", None)]},
    "export": {("format",): [("float32",), ("int8",)]},
    "evaluate": {("name",): [(str(digit),) for digit in range(10)]},
    "compress": {("step",): [("float",), ("prune-0.5",)]},
    "history": {("epoch",): [(1,), (2,)]},
}


@pytest.mark.parametrize("kind", ROWS)
def test_its_dataframe_has_a_row_each(held, kind):
    frame = held[kind].to_dataframe()
    ((columns, rows),) = ROWS[kind].items()
    found = frame[list(columns)].astype(object)
    assert list(found.where(found.notna(), None).itertuples(index=False, name=None)) == rows


def test_the_dataframe_of_a_bench_has_scores_as_columns(held):
    frame, results = held["bench"].to_dataframe(), held["bench"]["metrics"]["results"]
    assert list(frame.accuracy) == [row["score"]["value"] for row in results]
    assert list(frame.p50_ms) == [row["p50_ms"] for row in results]


def test_a_run_without_files_draws_its_learning_curves(held):
    assert held["trained run's plot"] == "epoch" and held["run"].plot(Figure().subplots()).get_xlabel() == "zip, KB"


def test_a_run_tells_each_files_size_and_test_accuracy(held):
    benched = {row["format"]: row for row in held["bench"].metrics["results"][::-1]}
    for line, fmt in zip(repr(held["run"]).splitlines()[2:], ("float32", "int8"), strict=False):
        assert line.split()[:3] == ["float", fmt, f"{benched[fmt]['bytes'] / 1e3:,.1f}"]
        assert f"{benched[fmt]['score']['value']:.2%}" in line and "359 test" in line


def test_results_are_the_dictionaries_that_json_and_the_manifest_have(held):
    run = held["run"]
    assert dict(held["bench"]) == run.summary("bench", "float")
    assert dict(held["export"]) == run.summary("export", "float")
    assert dict(held["compress"]) == run.summary("compress", "prune-0.5")
    for kind in KINDS[1:]:
        assert isinstance(held[kind], dict)
        assert json.dumps(held[kind]) == json.dumps(dict(held[kind]))


def test_names_are_escaped(held):
    result = type(held["evaluate"])(held["evaluate"])
    name = "<script>alert('$1')</script>"
    result["per_class"] = [{**row, "name": name} for row in result["per_class"]]
    page = result._repr_html_()
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_a_class_with_dollars_and_a_layer_with_dollars_are_drawn(held):
    result = type(held["why-int8"])(held["why-int8"])
    result["places"] = [{**row, "layer": "$\\nonsense{$"} for row in result["places"]]
    assert "nonsense" in result._repr_html_()


def test_without_pandas_the_error_says_what_to_install(held, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(InputError, match="pip install pandas"):
        held["export"].to_dataframe()


def test_an_untrained_and_an_adopted_run_have_no_history_but_a_text(held, tmp_path):
    run = tkit.Run.create(load("digits_cnn"), tmp_path)
    assert repr(run) == f"{run.folder}: digits_cnn, not trained yet"
    assert "<table>" not in run._repr_html_()
    with pytest.raises(InputError, match="only a training writes one"):
        _ = run.history
    (run.folder / "history.csv").write_text("epoch,loss\n1,low\n")
    with pytest.raises(InputError, match="damaged"):
        _ = run.history


def test_looking_at_a_run_imports_neither_tensorflow_nor_what_draws(held):
    code = f"import sys, tkit; repr(tkit.Run.open({str(held['run'].folder)!r})); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "tkit.results.run" in loaded
    assert not {"tensorflow", "keras", "matplotlib", "pandas", "sklearn"} & set(loaded)
