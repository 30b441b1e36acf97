"""A user's mistakes and a machine's refusals, through the real command line: one message, exit code, nothing left."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PATIENCE = 600
"""Seconds that only a hang takes, on however busy a machine."""
TKIT = [sys.executable, "-m", "tkit"]
QUICK = ("fit.epochs=1", "bench.seconds=0.02", 'export.formats=["float32"]')


def tkit(*arguments, cwd, prefix=(), **variables):
    """`tkit ARGUMENTS...` in `cwd`, where runs are made too."""
    environment = {**os.environ, "TKIT_RUNS": "", **variables}
    command = [*prefix, *TKIT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=PATIENCE)


def refused(done, *messages):
    """Asserts exit code 2 and one message that holds `messages`."""
    assert done.returncode == 2, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    errors = [number for number, line in enumerate(lines) if line.startswith("Error: ")]
    assert len(errors) == 1, done.stderr
    error = " ".join(lines[errors[0] :])
    for message in messages:
        assert message in error, error
    assert done.stdout == ""


def stages(folder):
    """The stages that the runs in `folder` count as finished."""
    manifests = [json.loads(path.read_text()) for path in Path(folder).glob("*/manifest.json")]
    return [stage for manifest in manifests for stage in manifest["stages"]]


MINE = """
from tkit.models.cnn import CNN
from tkit.recipe import Recipe
from tkit_pipelines.data.images import Images

def recipe():
    {body}
"""
VALUES = [
    (["--recipe", "digit_cnn"], ["Unknown recipe 'digit_cnn'", "Did you mean 'digits_cnn'?", "--recipe ./mine.py"]),
    (["fit.epoch=5"], ["Unknown key 'fit.epoch'", "Did you mean 'fit.epochs'?"]),
    (["fit.epochs=many"], ["fit.epochs", "integer", "'many'"]),
    (["fit.optimizer=adam"], ["unknown kind 'adam'", "Did you mean 'adamw'?"]),
    (["model=mobilnet"], ["unknown kind 'mobilnet'", "Did you mean 'mobilenet'?"]),
    (["model=backbone:name=MobileNetV9"], ["name", "'MobileNetV2'", "'MobileNetV9'"]),
    (["data.augment=flipp"], ["unknown kind 'flipp'", "Did you mean 'flip'?"]),
    (["data.source=digts"], ["neither a known name nor an existing path"]),
    (["data.image_size=0,8"], ["data.image_size.0", "greater than 0", "0"]),
    (["data.image_size=8,8,8"], ["data.image_size", "8"]),
    (["data.image_size=100000,100000"], ["batch_size x height x width must be less than", "lower batch_size"]),
    (["model=backbone:name=ResNet50,weights=null"], ["RGB", "data.channels=3"]),
    (["fit.freeze_epochs=1"], ["fit.freeze_epochs=1", "no frozen layers"]),
]


@pytest.mark.parametrize(("arguments", "messages"), VALUES, ids=[item[0][-1] for item in VALUES])
def test_a_wrong_value_is_one_message(arguments, messages, tmp_path):
    named = [] if "--recipe" in arguments else ["--recipe", "digits_cnn"]
    refused(tkit("fit", "-q", *named, *arguments, cwd=tmp_path), *messages)
    assert stages(tmp_path / "runs") == []


FILES = {
    "syntax": ("return Recipe(", ["mine.py", "SyntaxError", "'(' was never closed"]),
    "another thing": ("return {'name': 'mine'}", ["mine.py", "must return a tkit.Recipe, received dict"]),
    "a bug": ("return Recipe(nam='mine')", ["mine.py", "nam: unknown key", "name: Field required"]),
    "an exception": ("return 1 / 0", ["mine.py", "line 7", "ZeroDivisionError"]),
    "a value": ("return Recipe(name='mine', data=3, model=CNN())", ["mine.py", "data"]),
}


@pytest.mark.parametrize(("body", "messages"), FILES.values(), ids=list(FILES))
def test_a_recipe_file_that_fails_is_one_message(body, messages, tmp_path):
    (tmp_path / "mine.py").write_text(MINE.format(body=body))
    refused(tkit("fit", "--recipe", "./mine.py", cwd=tmp_path), *messages)
    assert not (tmp_path / "runs").exists()


def test_a_recipe_file_without_recipe_is_one_message(tmp_path):
    (tmp_path / "mine.py").write_text("x = 1\n")
    refused(tkit("show", "./mine.py", cwd=tmp_path), "mine.py", "no function recipe()", "def recipe():")


def test_no_network_and_no_data_names_the_three_ways(tmp_path):
    alone = ["unshare", "--map-root-user", "--net"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("a process without a network can't be made here")
    unproxied = {name: "" for name in os.environ if name.lower().endswith("_proxy")}
    prepared = str(tmp_path / "tfds")
    done = tkit("fit", "--recipe", "cifar10_cnn", cwd=tmp_path, prefix=alone, TFDS_DATA_DIR=prepared, **unproxied)
    refused(done, "tfds:cifar10", "Three ways", "connect to the network", "TFDS_DATA_DIR", "--data FOLDER")
    assert stages(tmp_path / "runs") == []


def test_a_run_of_a_newer_version_is_refused_by_every_command(tmp_path):
    from tkit.recipe_loading import load
    from tkit.run_folder import Run

    run = Run.create(load("digits_cnn"), tmp_path)
    manifest = json.loads((run.folder / "manifest.json").read_text())
    (run.folder / "manifest.json").write_text(json.dumps({**manifest, "version": 3}))
    for command in ("export", "bench"):
        refused(tkit(command, run.folder, cwd=tmp_path), "has version 3", "Update tkit")


def test_a_runs_directory_that_may_not_be_written_to(tmp_path):
    tmp_path.chmod(0o555)
    # Root may write everywhere, unless it gives up the capability.
    prefix = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.geteuid() == 0 else []
    try:
        if not subprocess.run([*prefix, "touch", tmp_path / "probe"], capture_output=True).returncode:
            pytest.skip("no folder can be made read-only here")
        done = tkit("fit", "-q", "--recipe", "digits_cnn", cwd=tmp_path, prefix=prefix)
        refused(done, "Cannot write a run folder in runs: Permission denied", "--runs-dir")
        assert list(tmp_path.iterdir()) == []
    finally:
        tmp_path.chmod(0o755)


@pytest.fixture
def small_disk(tmpfs):
    return tmpfs("300k")


def test_a_full_disk_while_fitting(small_disk, tmp_path):
    done = tkit("fit", "-q", "--recipe", "digits_cnn", "--runs-dir", small_disk, "fit.epochs=1", cwd=tmp_path)
    refused(done, "Cannot write", "No space left on device", "--runs-dir")
    assert stages(small_disk) == []
    assert not list(small_disk.glob("*/float/model.keras"))


def test_a_full_disk_while_the_model_is_written(small_disk):
    import keras

    from tkit import files, model_files
    from tkit_edge.errors import InputError

    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, keras.layers.Dense(3000)(keras.layers.Flatten()(inputs)))
    with pytest.raises(InputError, match="No space left on device"), files.writing():
        model_files.save(model, small_disk / "float")
    assert list((small_disk / "float").iterdir()) == []


def children(pid):
    """The processes that `pid` has started and theirs, by /proc."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            found += [child, *children(child)]
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def interrupted(arguments, ready, cwd, last="Interrupted."):
    """Starts a command, sends it SIGINT once `ready(its pid)`; its exit code, and the children it had.

    `last` is how what it says must end.
    """
    with subprocess.Popen(
        [*TKIT, *map(str, arguments)], cwd=cwd, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        end = time.monotonic() + PATIENCE
        while not ready(process.pid):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < end
            time.sleep(0.02)
        had = children(process.pid)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in said
    assert said.rstrip().endswith(last)
    return process.returncode, had


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A run folder with fit and export done."""
    import tkit as package
    from tkit.recipe_loading import load

    run = package.fit(load("digits_cnn", QUICK), runs_dir=tmp_path_factory.mktemp("runs"))
    package.export(run, overrides=["export.parity.float32=1"])
    return run


def test_ctrl_c_while_fitting(tmp_path):
    begun = ["fit", "--recipe", "digits_cnn", "--runs-dir", tmp_path, "fit.epochs=1000"]
    last = f"Go on with: tkit fit --resume {tmp_path / 'digits_cnn-1'}"
    code, _ = interrupted(begun, lambda pid: list(tmp_path.glob("*/history.csv")), tmp_path, last)
    assert code == 130
    assert stages(tmp_path) == []
    assert not list(tmp_path.glob("*/float/*"))


def test_ctrl_c_while_exporting(fitted, tmp_path, monkeypatch):
    before = fitted.entry("export")
    folder = fitted.folder / "float" / "export"
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code, _ = interrupted(["export", fitted.folder], lambda pid: list(tmp_path.glob("tkit-export-*")), tmp_path)
    assert code == 130
    assert type(fitted).open(fitted.folder).entry("export") == before
    assert files == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_ctrl_c_while_measuring_ends_the_children_too(fitted):
    begun = ["bench", fitted.folder, "bench.seconds=60"]
    code, had = interrupted(begun, lambda pid: len(children(pid)) > 2, fitted.folder)
    assert code == 130
    assert "float/bench" not in type(fitted).open(fitted.folder).manifest["stages"]
    end = time.monotonic() + PATIENCE
    while any(map(alive, had)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [pid for pid in had if alive(pid)]
