"""What the light commands import, and what the shell's completion offers."""

import json
import os
import subprocess
import sys

import pytest

HEAVY = {"tensorflow", "keras", "pydantic", "numpy", "rich", "sklearn"}
RUN = """
import sys
from tkit.cli import main
try:
    main(sys.argv[1:])
finally:
    print("\\n".join(sys.modules), file=sys.stderr)
"""


def heavy_modules(*arguments, **variables):
    """The heavy packages that `tkit ARGUMENTS...` imports, and what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )
    assert done.returncode == 0, done.stderr
    return HEAVY & set(done.stderr.split()), done.stdout


def completions(*words, **variables):
    line = {
        "_TKIT_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    heavy, out = heavy_modules(**line, **variables)
    return heavy, [item.partition(",")[2] for item in out.splitlines() if item]


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["list"], ["list", "--json"], ["fit", "--help"], ["tensorboard", "--help"]],
)
def test_light_commands_import_nothing_heavy(arguments):
    assert heavy_modules(*arguments)[0] == set()


def test_the_check_sees_a_heavy_import():
    assert heavy_modules("show", "digits_cnn")[0] >= {"pydantic"}


def test_commands_options_and_recipes_are_completed_without_heavy_imports():
    assert completions("tkit", "s") == (set(), ["sample", "show"])
    assert completions("tkit", "fit", "--rec") == (set(), ["--recipe"])
    assert completions("tkit", "fit", "--recipe", "cifar10_r") == (
        set(),
        ["cifar10_resnet20", "cifar10_resnet8", "cifar10_resnet8_edge"],
    )
    assert completions("tkit", "show", "digi") == (set(), ["digits_cnn", "digits_cnn_edge", "digits_regression"])


def test_override_keys_are_those_of_the_recipe_on_the_line():
    heavy, keys = completions("tkit", "fit", "--recipe", "digits_cnn", "fit.optimizer")
    assert keys[0] == "fit.optimizer="
    assert {"fit.optimizer.learning_rate=", "fit.optimizer.weight_decay="} < set(keys)
    assert "fit.optimizer.momentum=" not in keys
    assert "fit.optimizer.momentum=" in completions("tkit", "fit", "--recipe", "cifar10_cnn", "fit.opt")[1]
    assert not heavy & {"tensorflow", "keras"}


def test_a_recipe_without_its_option_values_of_keys_and_fields_of_steps_are_completed(tmp_path):
    assert completions("tkit", "run", "digi") == (set(), ["digits_cnn", "digits_cnn_edge", "digits_regression"])
    assert "fit.optimizer.momentum=" in completions("tkit", "run", "cifar10_cnn", "fit.opt")[1]
    assert completions("tkit", "run", "digits_cnn", "model=res")[1] == ["model=resnet"]
    assert completions("tkit", "run", "digits_cnn", "data.skip_bad=")[1] == [
        "data.skip_bad=true",
        "data.skip_bad=false",
    ]
    assert completions("tkit", "run", "digits_cnn", "export.io=u")[1] == ["export.io=uint8"]
    assert "prune:sparsity=0.5,epochs=" in completions("tkit", "compress", "x", "prune:sparsity=0.5,ep")[1]
    entry = {"inputs": {}, "outputs": {}, "metrics": {"int8": {}}, "class_names": ["a", "b"]}
    stages = {"float/fit": entry, "float/export": entry, "prune-0.5/compress": entry}
    (tmp_path / "manifest.json").write_text(json.dumps({"version": 1, "stages": stages}))
    assert completions("tkit", "export", str(tmp_path), "--variant", "p")[1] == ["prune-0.5"]
    heavy, found = completions("tkit", "evaluate", str(tmp_path), "--format", "")
    assert found == ["keras", "int8"]
    assert not heavy & {"tensorflow", "keras"}


def test_a_recipe_that_does_not_load_completes_nothing():
    assert completions("tkit", "fit", "--recipe", "unknown", "fit.")[1] == []


def test_runs_are_completed_from_the_runs_folder(tmp_path):
    for name in ("digits_cnn-1", "digits_cnn-2", "unfinished"):
        (tmp_path / name).mkdir()
    for number in (1, 2):
        (tmp_path / f"digits_cnn-{number}" / "manifest.json").write_text("{}")
        os.utime(tmp_path / f"digits_cnn-{number}" / "manifest.json", (number, number))
    heavy, found = completions("tkit", "export", str(tmp_path), TKIT_RUNS=str(tmp_path))
    assert found == [str(tmp_path / "digits_cnn-2"), str(tmp_path / "digits_cnn-1")]
    assert not heavy & {"tensorflow", "keras"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_its_script(shell):
    heavy, script = heavy_modules(_TKIT_COMPLETE=f"{shell}_source")
    assert f"_TKIT_COMPLETE={shell}_complete" in script
    assert heavy == set()
