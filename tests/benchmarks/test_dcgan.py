"""The DCGAN benchmark: figures beside what they are to be, and both networks trained by the engine, judged alike."""

import sys
from pathlib import Path

import pytest

import tkit

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def dcgan(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import dcgan

    yield dcgan
    for name in [
        name for name, module in sys.modules.items() if str(BENCHMARKS) in str(module.__dict__.get("__file__"))
    ]:
        del sys.modules[name]


def run_row(name, ratio, **more):
    shares = dict.fromkeys(("precision", "recall", "real_precision", "real_recall"), 0.5)
    distances = {
        "samples": 359,
        "distance": ratio,
        "interval": [ratio, ratio],
        "floor": 1.0,
        "distance_to_floor": ratio,
    }
    modes = {"covered": 10, "of": 10, "judge": "1a2b3c4d5e"}
    return {"run": name, **shares, **distances, **modes, "minutes": 1.0, "setup": "2 cores, A; Python", **more}


def test_each_figure_stands_beside_what_it_is_to_be(dcgan):
    speeds = {side: [{"images_per_second": 100.0}] for side in dcgan.SIDES} | {
        dcgan.TKIT: [{"images_per_second": 160.0}]
    }
    int8 = {"psnr": 29.0, "ratio": 0.98, "ratio_interval": [0.9, 1.1], "bytes": 52_888, "speedup": 3.0}
    rows = [
        run_row("dcgan_cifar10, 30 minutes", 4.0, epochs=28),
        run_row("dcgan_cifar10, 400 steps of the networks of Keras's DCGAN tutorial", 30.0),
        run_row("dcgan_cifar10, 400 steps of the recipe's networks", 20.0),
        run_row("dcgan_digits, seed 0", 9.0, epochs=300, training=150.0, int8=int8),
        run_row("dcgan_digits, seed 1", 5.0, epochs=300, training=170.0, int8=int8, covered=9),
    ]
    body, goals = dcgan.page(speeds, rows)
    said = {(goal.figure, goal.wanted, goal.met) for goal in goals}
    assert said == {
        ("1.60 x", "at least 1.5 x", True),
        ("1.60 x", "at least 1.0 x", True),
        ("7.00 (5.00 to 9.00)", "at most 8", False),
        ("9 of 10", "10 of 10", False),
        ("4.0", "", None),
        ("20.0 and 30.0", "the first lower", True),
        ("29.0 dB", "at least 30 dB", False),
        ("-2.0 %", "within 10 %", True),
        ("3.0 x", "at least 2 x", True),
    }
    assert "| 29.0 dB | at least 30 dB | no |" in body
    assert "| dcgan_digits, seed 0, 300 epochs | 359 | 9 (9 to 9) | 1 | 9.00 | 10 of 10 |" in body


@pytest.mark.slow
def test_both_networks_are_trained_and_measured_by_the_judge_of_one_run(dcgan, tmp_path):
    settings = ("data.source=synthetic:2", "data.image_size=8", "model.width=8", "data.batch_size=32", "fit.epochs=1")
    run = tkit.fit("dcgan_cifar10", overrides=settings, runs_dir=tmp_path)
    found = [dcgan.trained(networks, str(run.folder), 2) for networks in (dcgan.OWN, dcgan.TUTORIAL)]
    assert [row["samples"] for row in found] == [256, 256]
    assert found[0]["judge"] == found[1]["judge"]
    assert found[0]["floor"] == found[1]["floor"] < min(row["distance"] for row in found)
    assert found[0]["distance"] != found[1]["distance"]
