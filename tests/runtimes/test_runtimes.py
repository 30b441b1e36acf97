"""The files in older releases of the runtime, and the table of what these lack against what they really refuse."""

import base64
import importlib.metadata
import json
import sys
from pathlib import Path

import flatbuffers
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from tensorflow.lite.python import schema_py_generated as schema

import tkit
from tests.runtimes.environments import PACKAGES, python_with, run
from tkit.cli._group import Group
from tkit.conversion import runtimes
from tkit.recipe_loading import load
from tkit.run_folder import Run
from tkit_edge import opnames
from tkit_edge.errors import BoundError, InputError

NEWEST = importlib.metadata.version("ai-edge-litert")
RELEASES = [*PACKAGES, NEWEST]
UNKNOWN = ("CUSTOM", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES")


@pytest.fixture(scope="session")
def python(request):
    """The Python that has a release of the runtime."""
    cache = request.config.cache.mkdir("runtimes")
    return lambda release: Path(sys.executable) if release == NEWEST else python_with(cache, release)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """The demo's network after a short training, in all formats."""
    run = tkit.fit(load("digits_cnn", ["fit.epochs=4"]), runs_dir=tmp_path_factory.mktemp("runs"))
    tkit.export(run)
    return run


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    """A model whose dynamic file has a dense layer in a version that tflite-runtime lacks: scales per channel."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((16, 16, 1), name="image")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(10, name="scores")(x))
    pixels = np.random.default_rng(0).integers(0, 256, (300, 16, 16, 1), dtype=np.uint8)
    return tkit.adopt(model, (pixels, np.arange(300) % 10), runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.mark.slow
@pytest.mark.parametrize("release", RELEASES)
def test_every_format_passes_its_golden_samples(digits, python, release):
    answer = run(python(release), "-m", "tkit_edge", "check", digits.folder / "float" / "export", "--json")
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert document["ok"] and len(document["files"]) == 5


@pytest.mark.slow
@pytest.mark.parametrize("release", RELEASES)
def test_the_table_says_what_a_release_takes_and_refuses(python, release):
    assert release in runtimes.RELEASES, "a new release: measure it, and add what rose in it to runtimes.py"
    asked = [(name, version) for name in opnames.BUILTIN_OPERATORS if name not in UNKNOWN for version in range(1, 16)]
    lines = "\n".join(json.dumps(base64.b64encode(file_with(*item)).decode()) for item in asked)
    answer = run(python(release), Path(__file__).with_name("probe.py"), stdin=lines)
    assert answer.returncode == 0, answer.stderr
    taken = {item for item, line in zip(asked, answer.stdout.split(), strict=True) if line == "True"}
    lacking = {(lack.operator, lack.version) for lack in runtimes.lacking(asked, release)}
    never = {("BROADCAST_TO", 1)}  # was withdrawn; no converter writes it
    assert set(asked) - taken - never == lacking


def file_with(name, version):
    """A .tflite file that names an operator in a version, and has nothing to compute."""
    code, graph, model = schema.OperatorCodeT(), schema.SubGraphT(), schema.ModelT()
    code.builtinCode = opnames.BUILTIN_OPERATORS.index(name)
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
    graph.tensors = graph.inputs = graph.outputs = graph.operators = []
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(256)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_an_older_runtime_fails_the_export_with_the_operator_its_version_and_its_layer(dense):
    with pytest.raises(BoundError) as caught:
        tkit.export(dense, overrides=["export.formats=dynamic", "export.min_runtime=2.14.0"])
    assert (
        "dynamic: version 12 of FULLY_CONNECTED ('scores') needs ai-edge-litert 1.0.0; tflite-runtime 2.14.0 has "
        "version 10"
    ) in str(caught.value)
    assert "export.min_runtime" in str(caught.value)


def test_formats_that_nobody_asked_for_are_left_out_for_an_older_runtime(dense):
    made = tkit.export(dense, overrides=["export.min_runtime=2.14.0"])
    assert "FULLY_CONNECTED" in made["left_out"]["dynamic"]
    assert {"float32", "int8"} <= set(made["metrics"])


@pytest.mark.slow
def test_a_file_that_the_table_refuses_is_refused_by_the_runtime_with_what_to_do(dense, python):
    tkit.export(dense, overrides=["export.formats=dynamic"])
    bundle = dense.folder / "float" / "export"
    old, new = (run(python(release), "-m", "tkit_edge", "check", bundle) for release in ("2.14.0", "1.4.0"))
    assert new.returncode == 0, new.stderr
    assert old.returncode == 2
    assert "tflite-runtime 2.14.0 is older than the file: pip install -U ai-edge-litert" in old.stderr


def test_the_command_takes_a_version_of_two_numbers_as_text(dense):
    words = ["export", str(dense.folder), "--format", "float32", "--min-runtime", "2.10"]  # not the number 2.1
    assert CliRunner().invoke(Group(), words).exit_code == 0
    assert Run.open(dense.folder).entry("export")["settings"]["min_runtime"] == "2.10.0"


@pytest.mark.parametrize(
    ("value", "message"),
    [("2.10", "three numbers, such as 2.14.0"), ("3.1.4", "expected one of tflite-runtime (2.7.0, ")],
)
def test_a_release_that_is_none_is_an_error(dense, value, message):
    with pytest.raises(InputError) as caught:
        tkit.export(dense, overrides=[f"export.min_runtime={value}"])
    assert message in str(caught.value)
