"""The stages take a model and data in memory in place of a run."""

import numpy as np
import pytest

import tkit
from tkit_edge.errors import InputError


def test_each_stage_works_on_the_one_run_that_is_made_of_them(script, trained, tmp_path, monkeypatch):
    monkeypatch.setenv("TKIT_RUNS", str(tmp_path))
    data = (script.x[:600], script.y[:600]), script.test
    benched = tkit.bench(trained, data=data, overrides=["bench.seconds=0.05", "bench.threads=1"])
    files = {row["format"]: row for row in benched.metrics["results"]}
    assert files["int8"]["score"]["value"] == pytest.approx(script.accuracy(trained), abs=0.02)
    made = tkit.compress(trained, ["prune:sparsity=0.5,epochs=1"], data=data)
    assert made["variant"] == "prune-0.5" and made["run"] == benched["run"]
    assert tkit.export(trained, data=data, variant="float", overrides=["export.formats=int8"])["run"] == made["run"]
    assert tkit.why_int8(trained, data=data, samples=50)["run"] == made["run"]
    assert len(list(tmp_path.glob("digits-*"))) == 1


def test_a_model_without_data_and_a_run_with_data_are_refused(trained):
    with pytest.raises(InputError, match=r"received a Sequential. A model goes with its data: data=\(x, y\)"):
        tkit.export(trained)
    with pytest.raises(InputError, match="data is a"):
        tkit.export(trained, data=np.float32(3))
