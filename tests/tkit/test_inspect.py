"""`tkit inspect`, on a file, a folder, and what is neither."""

import json
import subprocess
import sys

import numpy as np
import pytest

import tkit
from tkit.cli import main
from tkit_edge.errors import InputError

CODE = """
import sys
from tkit.cli import main
try:
    main(["inspect", sys.argv[1]])
finally:
    print("tensorflow" in sys.modules, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    import keras
    from keras import layers

    from tkit.conversion.converter import Converter

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)]
    )
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 1), dtype=np.uint8)
    path = tmp_path_factory.mktemp("files") / "mine.tflite"
    with Converter(model, {"image": images}, io="int8") as convert:
        path.write_bytes(convert("int8"))
    return path


def output(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["inspect", *map(str, arguments)])
    assert stopped.value.code == 0
    return capsys.readouterr().out


def test_the_text_has_operators_bytes_quantization_and_runtimes(file, capsys):
    text = output(capsys, file)
    assert f"mine.tflite: int8, {file.stat().st_size:,} bytes" in text
    assert "CONV_2D              1  1,296" in text
    for part in ("weights", "overhead", "int8 per channel", "4x3x3x1", "LiteRT       yes", "TFLite Micro yes"):
        assert part in text
    assert "--tensors" in text


def test_tensors_lists_every_constant(file, capsys):
    [anatomy] = tkit.inspect(file).values()
    text = output(capsys, file, "--tensors")
    assert sum(f" {item.kind} " in text for item in anatomy.stored) == len(anatomy.stored)
    assert len(text.splitlines()) > len(output(capsys, file).splitlines())
    assert "more: --tensors" not in text


def test_json_is_one_document(file, capsys):
    [(name, document)] = json.loads(output(capsys, file, "--json"))["files"].items()
    assert name == "mine.tflite"
    assert document["arithmetic"] == "int8"
    assert document["macs"] == 6 * 6 * 4 * 9 + 144 * 3
    assert sum(document["bytes_by_kind"].values()) == document["bytes"]


def test_a_folder_gives_each_of_its_files(file, capsys, tmp_path):
    (tmp_path / "export").mkdir()
    for name in ("a.tflite", "export/b.tflite"):
        (tmp_path / name).write_bytes(file.read_bytes())
    assert list(tkit.inspect(tmp_path)) == ["a.tflite", "export/b.tflite"]
    assert "export/b.tflite: int8" in output(capsys, tmp_path)


def test_files_that_are_none(file, tmp_path):
    for name, data in {"empty": b"", "text": b"hello there", "truncated": file.read_bytes()[:900]}.items():
        path = tmp_path / f"{name}.tflite"
        path.write_bytes(data)
        with pytest.raises(InputError, match=f"{name}.tflite is (not|a damaged)"):
            tkit.inspect(path)
    with pytest.raises(InputError, match="Cannot read .*none.tflite"):
        tkit.inspect(tmp_path / "none.tflite")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="tkit export"):
        tkit.inspect(tmp_path / "folder")


def test_it_needs_no_tensorflow(file):
    done = subprocess.run([sys.executable, "-c", CODE, file], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == "False\n"
