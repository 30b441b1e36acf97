"""The comparison with peers: what they are given, what becomes of one that fails, and the figures of the page."""

import sys
from pathlib import Path

import numpy as np
import pytest

import tkit

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TITLES = {"tkit-ptq": "tkit, PTQ", "tkit-qat": "tkit, QAT", "tkit-pcqat": "tkit, PCQAT", "a": "Peer A", "b": "Peer B"}


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if str(BENCHMARKS) in str(sys.modules[name].__dict__.get("__file__")):
            del sys.modules[name]


def row(side, zip_bytes, accuracy, **more):
    drop = 0.9 - accuracy
    figures = {"float": 0.9, "accuracy": accuracy, "drop": drop, "interval": [drop - 0.01, drop + 0.01]}
    behind = {"behind_qat": 0.89 - accuracy, "behind_qat_interval": [0.88 - accuracy, 0.9 - accuracy]}
    sizes = {"bytes": 2 * zip_bytes, "zip_bytes": zip_bytes, "latency": 1.0, "arithmetic": "int8", "images": 1000}
    known = {"model": "m", "side": side, "epochs": 3, "trained": 15, "versions": {"tool": "1.0"}}
    return {**known, **figures, **behind, **sizes, **more}


def test_a_peer_that_loses_too_much_or_keeps_float_layers_is_no_smallest_file(benchmarks):
    from _peer_page import size

    rows = [
        row("tkit-ptq", 1000, 0.9),
        row("tkit-pcqat", 600, 0.895),
        row("a", 1000, 0.9),
        row("b", 300, 0.88),
        row("b", 300, 0.9, arithmetic="mixed float32, int8"),
        {"model": "m", "side": "b", "epochs": 3, "trained": 15, "error": "ValueError: no"},
    ]
    ((_, figure),) = size(rows, TITLES)
    assert figure == "0.60 (tkit, PCQAT / Peer A)"
    ((_, figure),) = size([*rows, row("b", 800, 0.9)], TITLES)
    assert figure == "0.75 (tkit, PCQAT / Peer B)"


def test_the_accuracy_is_compared_with_the_best_peer_within_the_interval(benchmarks):
    from _peer_page import accuracy

    own = row("tkit-qat", 1000, 0.89)
    ((_, figure),) = accuracy([own, row("a", 1000, 0.895), row("b", 1000, 0.6)], TITLES)
    assert "89.00% and 89.50% (Peer A)" in figure and "no lower within" in figure
    ((_, figure),) = accuracy([own, row("a", 1000, 0.92)], TITLES)
    assert "-3.00 points (-4.00 to -2.00): lower within" in figure


@pytest.fixture
def pages(benchmarks, tmp_path, monkeypatch):
    """The page and the README that reports are written to, empty."""
    import _report

    page, readme = tmp_path / "benchmarks.md", tmp_path / "README.md"
    page.write_text("# Benchmarks\n")
    readme.write_text(f"{_report.ROWS_END}\n")
    monkeypatch.setattr(_report, "DOCS", tmp_path)
    monkeypatch.setattr(_report, "README", readme)
    return page, readme


def test_a_side_that_fails_is_a_row_that_says_how(pages):
    from _peer_page import report

    page, _ = pages
    made = {"setup": "2 cores", "date": "2026-01-02"}
    failed = {"model": "m", "side": "b", "epochs": 3, "trained": 15, "error": "ValueError: a | b"}
    report([{**item, **made} for item in (failed, row("tkit-ptq", 1000, 0.9))], TITLES)
    assert "| Peer B | fails: ValueError: a / b |" in page.read_text()


def test_nothing_is_compared_with_the_best_peer_before_all_are_measured(pages):
    from _peer_page import report

    page, readme = pages
    made = {"setup": "2 cores", "date": "2026-01-02"}
    rows = [row(side, 1000, 0.9, **made) for side in TITLES]
    report(rows[:-1], TITLES)
    assert "Peer B" in page.read_text().partition("Not measured")[2]
    assert "<!-- peers -->" not in readme.read_text()
    report(rows, TITLES)
    assert "Not measured" not in page.read_text()
    assert readme.read_text().count("<!-- peers -->") == 2


def test_a_peer_that_dies_gives_the_last_line_of_what_it_said(benchmarks, tmp_path):
    from _peer_environments import Environments, PeerError

    environments = Environments(tmp_path)
    python = environments.python(())
    with pytest.raises(PeerError, match="No such file"):
        environments.run(python, ["converter", str(tmp_path / "nowhere"), str(tmp_path / "file")], 1)
    with pytest.raises(PeerError, match=r"needs Python 2\.0"):
        environments.python(("package==1.0",), "2.0")


@pytest.mark.slow
def test_a_peer_is_given_the_same_network_and_the_batches_of_tkits_own_steps(benchmarks, tmp_path):
    import keras
    from _peer_handout import hand_out
    from _peers.given import Given, rebuild

    run = tkit.fit("cifar10_resnet8", overrides=["data.source=synthetic:2", "fit.epochs=1"], runs_dir=tmp_path)
    tkit.export(run, overrides=["export.formats=float32", "export.parity.agreement=0"])
    hand_out(run, tmp_path / "given", epochs=2)
    given = Given(tmp_path / "given")
    model = rebuild(keras, given)
    for name, arrays in given.weights.items():
        model.get_layer(name).set_weights(arrays)
    trained = keras.saving.load_model(given.model, compile=False)
    assert np.array_equal(model.predict(given.calibration, verbose=0), trained.predict(given.calibration, verbose=0))
    batches = list(given.batches())
    assert len(batches) == 2 * given.steps
    pixels, labels = batches[0]
    assert pixels.shape[1:] == (32, 32, 3) and np.array_equal(labels.sum(axis=1), np.ones(len(labels)))
    assert not np.array_equal(batches[0][0], batches[given.steps][0])
