"""The commands as a user types them: what they print, where, and the exit code."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = [
    "bench",
    "cache",
    "check",
    "compare",
    "compress",
    "data",
    "doctor",
    "evaluate",
    "export",
    "fit",
    "inspect",
    "list",
]
COMMANDS += ["predict", "run", "sample", "show", "tensorboard", "why-int8"]


def tkit(*arguments, cwd=None, **variables):
    """`tkit ARGUMENTS...` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tkit", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **variables},
    )


def test_help_lists_every_command_with_the_first_line_of_its_file():
    done = tkit("--help")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ") and line[2:3].isalpha()][
        -len(COMMANDS) :
    ] == COMMANDS
    assert "  list         List the recipes." in done.stdout


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_every_help_has_examples_and_exit_codes(command):
    done = tkit(*command, "--help")
    assert done.returncode == 0
    assert f"Examples:\n  tkit {' '.join(command)}" in done.stdout
    assert "Exit codes:" in done.stdout
    assert "-q, --quiet" in done.stdout
    assert all(len(line) <= 90 for line in done.stdout.splitlines())


def test_the_console_script_is_installed():
    done = subprocess.run([Path(sys.executable).with_name("tkit"), "--version"], capture_output=True, text=True)
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names == ["tkit", "python", "tensorflow", "keras", "ai-edge-litert"]
    assert all(line.split()[1][0].isdigit() for line in done.stdout.splitlines())


def test_list_names_every_recipe_with_its_summary():
    done = tkit("list")
    assert done.returncode == 0
    assert re.search(r"^digits_cnn +Handwritten digits", done.stdout, re.MULTILINE)
    recipes = json.loads(tkit("list", "--json").stdout)["recipes"]
    assert [line.split()[0] for line in done.stdout.splitlines()] == [recipe["name"] for recipe in recipes]


def test_show_prints_lines_that_are_overrides_of_the_same_recipe():
    from tkit.cli._describe import lines
    from tkit.recipe_loading import load
    from tkit.recipes import names

    for name in names():
        recipe = load(name).recipe
        makes_images = recipe.task.gives == "image"
        model = "dcgan:width=16" if makes_images else "resnet:depth=14"
        model = "fasttext:width=8" if recipe.data.kind == "texts" else model
        changed = load(name, ["fit.epochs=7", f"model={model}", "export.formats=int8", "fit.clip_norm=2"])
        overrides = [line.split("  # ")[0].rstrip() for line in lines(changed.recipe)]
        assert "fit.epochs=7" in overrides
        assert load(name, overrides).recipe == changed.recipe


def test_show_json_is_a_recipe_file(tmp_path):
    saved = tmp_path / "recipe.json"
    saved.write_text(tkit("show", "cifar10_cnn", "fit.epochs=3", "--json").stdout)
    again = tkit("show", str(saved), "--json")
    assert json.loads(again.stdout)["fit"]["epochs"] == 3
    assert again.stdout == saved.read_text()


def test_show_schema_is_the_json_schema():
    schema = json.loads(tkit("show", "digits_cnn", "--schema").stdout)
    assert schema["properties"]["fit"]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fti"], "Unknown command 'fti'. Did you mean 'fit'?"),
        (["show", "digits_cn"], "Unknown recipe 'digits_cn'. Did you mean 'digits_cnn'?"),
        (["fit", "--recipe", "digits_cnn", "fit.epoch=3"], "Unknown key 'fit.epoch'. Did you mean 'fit.epochs'?"),
        (
            ["fit", "--recipe", "digits_cnn", "--fit.epochs=3"],
            "Overrides are written without dashes: fit.epochs=VALUE",
        ),
        (["fit"], "Missing option '--recipe'"),
        (["run", "--recipe", "./mine.py"], "No recipe file at"),
        (["export", "runs/none-1"], "No run at runs/none-1"),
        (["bench", "runs/none-1"], "No run at runs/none-1"),
        (["tensorboard"], "No runs at runs: create one with `tkit fit`"),
    ],
)
def test_a_users_mistake_is_one_message_and_exit_code_2(arguments, message, tmp_path):
    done = tkit(*arguments, cwd=tmp_path, TKIT_RUNS="")
    assert done.returncode == 2
    assert f"Error: {message}" in done.stderr or message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_data_is_short_for_the_source_and_overrides_come_after_it():
    from tkit.cli._options import load

    assert load("digits_cnn", (), "123").recipe.data.source == "123"
    assert load("digits_cnn", ("fit.epochs=2",), "a=b.zip").recipe.data.source == "a=b.zip"
    assert load("digits_cnn", ("data.source=two",), "one").recipe.data.source == "two"


@pytest.mark.parametrize(
    ("arguments", "level"),
    [
        (["list"], "normal"),
        (["-q", "list"], "quiet"),
        (["list", "-q"], "quiet"),
        (["-v", "list"], "verbose"),
        (["-q", "list", "--verbose"], "verbose"),
    ],
)
def test_quiet_and_verbose_go_before_and_after_the_command(arguments, level, monkeypatch):
    from tkit import console
    from tkit.cli import main

    monkeypatch.setattr(console, "_level", "normal")
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 0
    assert console.level() == level


@pytest.mark.slow
def test_fit_in_a_dry_run_prints_its_run_and_with_json_one_document(tmp_path):
    text = tkit("fit", "-q", "--recipe", "digits_cnn", "--dry-run", "--runs-dir", str(tmp_path))
    assert text.returncode == 0, text.stderr
    assert text.stderr == ""
    assert json.loads((Path(text.stdout.strip()) / "manifest.json").read_text())["stages"]
    done = tkit("run", "--recipe", "digits_cnn", "--dry-run", "--json", TKIT_RUNS=str(tmp_path))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert list(document) == ["kind", "version", "fit", "export", "bench"]
    assert Path(document["bench"]["run"]).parent == tmp_path


def test_skip_bad_goes_past_damaged_images(tmp_path):
    from sklearn.datasets import load_digits

    from tkit_edge.images import encode_png

    digits = load_digits()
    for number, (pixels, label) in enumerate(zip(digits.images[:60], digits.target[:60] % 2, strict=True)):
        path = tmp_path / "images" / str(label) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_png((pixels[..., None] * 15).astype("uint8")))
    path.write_bytes(path.read_bytes()[:40])
    arguments = ["fit", "--recipe", "digits_cnn", "--data", "images", "data.batch_size=8", "fit.epochs=1"]
    refused = tkit(*arguments, cwd=tmp_path)
    assert (refused.returncode, "59.png" in refused.stderr, "--skip-bad" in refused.stderr) == (2, True, True)
    done = tkit(*arguments, "--skip-bad", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "59.png" in done.stderr
