"""Every document that `--json` prints: its kind and its keys are those of docs/json.md."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import tkit
from tkit.cli._group import Group
from tkit_edge.__main__ import main as edge

ROOT = Path(__file__).parents[2]
QUICK = ["fit.epochs=1", "model.width=8", "model.depth=1", "bench.seconds=0.05", "bench.threads=1"]
ENTRY = {
    "run",
    "variant",
    "stage",
    "finished",
    "seconds",
    "inputs",
    "outputs",
    "metrics",
    "seed",
    "threads",
    "versions",
}
VERSIONS = {"bench": 2}
OF_TEXTS = {"tokenizer", "lengths", "unknown", "label_errors"}
"""Keys of `data` that only texts have."""
OF_IMAGES = {
    *(
        "distance",
        "floor",
        "floor_samples",
        "distance_to_floor",
        "kernel_distance",
        "kernel_floor",
        "precision",
        "recall",
    ),
    *("real_precision", "real_recall", "real_samples", "modes", "judge"),
}
"""Keys of `evaluate` that only made images have."""
FACTS = {  # of the stages, beside what every entry has
    "fit": {"start", "precision", "devices", "input", "output", "data", "parameters"},
    "compress": {"source", "steps", "parameters"},
    "export": {"settings", "left_out"},
}


def described():
    """By kind, the keys that its row of docs/json.md names."""
    rows = re.findall(r"^\| `([\w-]+)` \|[^|]*\| (.*) \|$", (ROOT / "docs" / "json.md").read_text(), re.MULTILINE)
    return {kind: set(re.findall(r"`([\w-]+)`", keys)) for kind, keys in rows}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return tkit.run("digits_cnn", overrides=[*QUICK, "export.formats=int8"], runs_dir=tmp_path_factory.mktemp("runs"))


def document(*arguments, code=0):
    done = CliRunner().invoke(Group(), [*map(str, arguments), "--json"])
    return json.loads(done.stdout)


def keys(content):
    return set(content) - {"kind", "version"}


def test_every_command_prints_what_the_page_says(run, tmp_path):
    bundle = run.folder / "float" / "export"
    calls = {
        "recipes": ("list",),
        "evaluate": ("evaluate", run.folder),
        "predictions": ("predict", run.folder, bundle / "golden"),
        "inspect": ("inspect", bundle),
        "data": ("data", "digits"),
        "doctor": ("doctor", run.folder),
        "cache": ("cache",),
        "bench": ("bench", run.folder, "--formats", "int8"),
        "why-int8": ("why-int8", run.folder, "--samples", "20"),
    }
    page = described()
    for kind, call in calls.items():
        content = document(*call)
        assert (content["kind"], content["version"]) == (kind, VERSIONS.get(kind, 1))
        assert keys(content) <= page[kind], kind
        assert keys(content) >= page[kind] - {"run", "variant", "checkpoints"} - nested(kind), kind
    assert OF_TEXTS <= keys(document("data", "sentences")) <= page["data"]
    of_file = document("bench", bundle / "model-int8.tflite", "--seconds", "0.05", "--threads", "1")
    assert keys(of_file) == keys(document("bench", run.folder)) - {"run", "variant"}
    assert document("show", "digits_cnn")["kind"] == "recipe"


def nested(kind):
    """Keys that the page names of what is inside."""
    return {
        "recipes": {"name", "summary"},
        "predictions": {"image", "example", "classes", "label", "probability", "number", "unit", "outputs", "error"}
        | {"line", "tkit-edge", "machine", "runtime", "python"},  # the last of tkit-edge's
        "bench": {"accuracy", "score"},  # of a row, by version
        "data": OF_TEXTS | {"text", "labels", "looked_at", "found", "most_suspicious"},
        "evaluate": OF_IMAGES
        | {"mean_absolute_error", "root_mean_squared_error", "r2", "bias", "unit"}  # of numbers
        | {"covered", "of", "name", "kind", "sha256", "--inception", "inception", "fid", "inception_score", "deviation"}
        | {"file"},
    }.get(kind, set())


def test_stages_print_their_entries(run, tmp_path):
    content = document("fit", "digits_cnn", *QUICK, "--runs-dir", tmp_path)
    assert content["kind"] == "fit"
    assert keys(content) == ENTRY | FACTS["fit"]
    content = document("export", content["run"], "export.formats=int8")
    assert (content["kind"], keys(content)) == ("export", ENTRY | FACTS["export"])
    content = document("compress", content["run"], "quantize")
    assert (content["kind"], keys(content)) == ("compress", ENTRY | FACTS["compress"])


def test_edge_prints_the_same_documents(run, capsys):
    bundle = str(run.folder / "float" / "export")
    page = described()
    for kind, arguments in (
        ("check", ["check", bundle]),
        ("predictions", ["predict", bundle, f"{bundle}/golden"]),
        ("bench", ["bench", bundle, "--seconds", "0.05", "--threads", "1"]),
    ):
        assert edge([*arguments, "--json"]) == 0
        content = json.loads(capsys.readouterr().out)
        assert (content["kind"], content["version"]) == (kind, VERSIONS.get(kind, 1))
        assert keys(content) <= page[kind]
