import io
import json

import numpy as np
import pytest
from PIL import Image

from tkit_edge.__main__ import main
from tkit_edge.bundle import Bundle
from tkit_edge.check import check, check_inputs
from tkit_edge.errors import InputError
from tkit_edge.files import npz_bytes
from tkit_edge.images import decode
from tkit_edge.runtime import Model

LABELS = ("ant", "bee", "cat", "dog", "elk")


def change(bundle, edit):
    """Rewrites bundle.json after `edit` changed it."""
    path = bundle.folder / "bundle.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_what_was_written_is_read(bundle, made, originals):
    read = Bundle.read(bundle.folder)
    assert read == bundle
    assert read.labels == ("ant", "bee", "cat", "dog", "elk")
    assert read.input.shape == (8, 8, 3)
    assert (read.task, read.input.kind, read.output.kind) == ("image-classification", "image", "classes")
    assert read.path("int8").read_bytes() == (made / "int8.tflite").read_bytes()
    facts = read.models["int8"]
    (taken,) = facts.inputs
    assert (facts.macs, taken.name, taken.dtype, taken.scale, taken.zero_point) == (2624, "image", "int8", 1.0, -128)
    assert read.models["float32"].outputs[0].scale == 0
    golden = read.golden()
    assert np.array_equal(golden.inputs["image"], originals[0][:4])
    assert np.array_equal(golden.expected["int8"]["logits"], Model(made / "int8.tflite").predict(originals[0][:4]))
    assert check_inputs(read).differing == ()


def test_the_same_inputs_give_the_same_bytes(bundle, write_bundle, tmp_path):
    models = {name: bundle.path(name).read_bytes() for name in bundle.models}
    golden = bundle.golden()
    again = write_bundle(tmp_path / "again", models, golden.inputs["image"], golden.targets["label"])
    for path in bundle.folder.rglob("*.*"):
        assert path.read_bytes() == (again.folder / path.relative_to(bundle.folder)).read_bytes()


@pytest.mark.parametrize("name", ["model-int8.tflite", "golden.npz", "golden/0001.png"])
def test_a_changed_or_missing_file_is_found(bundle, name):
    path = bundle.folder / name
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=rf"{name} .*sha256"):
        Bundle.read(bundle.folder)
    path.unlink()
    with pytest.raises(InputError, match=rf"Cannot read .*{name}"):
        Bundle.read(bundle.folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda top: top.update(version=3), "version 3, this tkit-edge reads 1 and 2"),
        (lambda top: top.update(version=True), "version: expected int, received bool"),
        (lambda top: top["output"].pop("names"), "output.names is missing"),
        (lambda top: top["output"].update(names=[1]), "output.names: expected a list of strings"),
        (lambda top: top.update(models={}), "models is empty"),
        (lambda top: top["input"].update(height=0), "input.height: expected at least 1"),
        (lambda top: top["input"].update(resize="stretch"), "resize is 'stretch'"),
        (
            lambda top: top["models"]["int8"].update(file="../int8.tflite"),
            "models.int8.file: expected a file's plain",
        ),
        (
            lambda top: top["models"]["int8"].update(bytes="3"),
            "models.int8.bytes: expected int, received str",
        ),
        (lambda top: top["models"]["int8"].update(bytes=3), "bundle.json says 3"),
        (lambda top: top["golden"].update(file="/etc/passwd"), "golden.file"),
        (lambda top: top["golden"]["encoded"][0].update(file="../a.png"), "golden.encoded.0.file"),
        (lambda top: top["golden"]["encoded"].pop(), "golden.encoded: expected 4"),
        (lambda top: top["output"].update(form="scores"), "output is 'scores'"),
        (lambda top: top["output"].update(kind="../classes"), "this tkit-edge knows classes"),
        (lambda top: top["input"].update(kind="smell"), "kind is 'smell', this tkit-edge knows image"),
        (lambda top: top["models"]["int8"]["outputs"].pop(), "tensors are not those of input and output"),
    ],
)
def test_a_wrong_bundle_json(bundle, edit, message):
    change(bundle, edit)
    with pytest.raises(InputError, match=message):
        Bundle.read(bundle.folder)


@pytest.mark.parametrize("text", ["", "[]", '{"version": ', "[" * 100_000])
def test_a_bundle_json_that_is_none(bundle, text):
    (bundle.folder / "bundle.json").write_text(text)
    with pytest.raises(InputError, match=r"bundle.json"):
        Bundle.read(bundle.folder)


def test_a_folder_without_a_bundle(tmp_path):
    with pytest.raises(InputError, match="No bundle at"):
        Bundle.read(tmp_path)


def test_golden_samples_that_unpack_to_more_than_they_should(bundle):
    golden = bundle.golden()
    arrays = {"input_image": golden.inputs["image"], "more": np.zeros(10_000_000, np.uint8)}
    (bundle.folder / "golden.npz").write_bytes(npz_bytes(arrays))
    with pytest.raises(InputError, match="unpacks to"):
        bundle.golden()


def test_write_refuses_what_does_not_fit(made, originals, write_bundle, tmp_path):
    model = (made / "int8.tflite").read_bytes()
    images, labels = originals[0][:2], np.zeros(2, np.int32)
    with pytest.raises(InputError, match=r"gives .* \[5\], expected logits \[4\]"):
        write_bundle(tmp_path / "x", {"int8": model}, images, labels, names="abcd")
    with pytest.raises(InputError, match="by format"):
        write_bundle(tmp_path / "x", {"../int8": model}, images, labels)
    with pytest.raises(InputError, match=r"takes .* \[8, 8, 3\], expected image \[4, 8, 3\]"):
        write_bundle(tmp_path / "x", {"int8": model}, images[:, :4], labels)
    with pytest.raises(InputError, match="as many targets as golden samples"):
        write_bundle(tmp_path / "x", {"int8": model}, images, labels[:1])
    assert not (tmp_path / "x").exists()


def test_check_passes_here(bundle):
    outcomes = {item.format: item.outcome for item in check(bundle)}
    assert set(outcomes) == {"float32", "int8", "int16x8"}
    for outcome in outcomes.values():
        assert (outcome.same, outcome.failed, outcome.max_difference) == (4, (), 0)


def with_expected(bundle, fmt, change):
    golden = bundle.golden()
    expected = {f"expected_{name}_logits": arrays["logits"] for name, arrays in golden.expected.items()}
    change(expected[f"expected_{fmt}_logits"])
    data = npz_bytes({"input_image": golden.inputs["image"], "target_label": golden.targets["label"], **expected})
    (bundle.folder / "golden.npz").write_bytes(data)


def test_check_fails_where_a_clear_class_differs(bundle):
    with_expected(bundle, "int8", lambda logits: np.negative(logits[2], out=logits[2]))
    outcomes = {outcome.format: outcome for outcome in check(bundle)}
    assert outcomes["int8"].failed == (2,)
    assert outcomes["int8"].outcome.same == 3
    assert "FAILED on samples 2" in outcomes["int8"].line()
    assert outcomes["float32"].failed == ()


def test_check_lets_a_close_call_pass(bundle):
    step = bundle.models["int8"].outputs[0].scale

    def nearly_tie(logits):
        first, second = np.argsort(logits[1])[::-1][:2]
        logits[1, second] = logits[1, first] + 3 * step

    with_expected(bundle, "int8", nearly_tie)
    outcome = next(item.outcome for item in check(bundle) if item.format == "int8")
    assert (outcome.same, outcome.failed) == (3, ())
    assert outcome.max_difference > 0


def test_an_encoded_image_that_decodes_otherwise_is_found(bundle):
    bundle.encoded(1).write_bytes(bundle.encoded(0).read_bytes())
    found = check_inputs(bundle)
    assert (found.differing, found.failed) == ((1,), (1,))
    assert "3 of 4" in found.line()
    assert "FAILED on samples 1" in found.line()


def encoded_as(image, kind, **options):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def with_originals(made, originals, write_bundle, tmp_path):
    """A bundle whose golden samples have the files that they were decoded from: JPEG (larger), WebP, none."""
    large = np.random.default_rng(1).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    files = [encoded_as(large, "JPEG"), encoded_as(originals[0][1], "WEBP", lossless=True), None]
    images = np.stack([*(decode(data, 8, 8, 3) for data in files[:2]), originals[0][2]])
    models = {"int8": (made / "int8.tflite").read_bytes()}
    labels = np.zeros(3, np.int32)
    return write_bundle(tmp_path / "originals", models, images, labels, encoded=files, form="probabilities"), files


def test_the_original_files_are_kept_byte_for_byte(with_originals):
    bundle, files = with_originals
    read = Bundle.read(bundle.folder)
    assert [read.encoded(number).name for number in range(3)] == ["0000.jpg", "0001.webp", "0002.png"]
    assert [read.encoded(number).read_bytes() for number in range(2)] == files[:2]
    assert check_inputs(read).differing == ()
    assert read.output.form == "probabilities"


@pytest.mark.parametrize(("number", "difference", "failed"), [(0, 3, ()), (0, 4, (0,)), (2, 1, (2,))])
def test_a_jpeg_may_differ_by_another_decoders_rounding_a_png_by_nothing(with_originals, number, difference, failed):
    bundle, _ = with_originals
    golden = bundle.golden()
    images = golden.inputs["image"]
    value = int(images[number, 0, 0, 0])
    images[number, 0, 0, 0] = value + difference if value < 128 else value - difference
    expected = golden.expected["int8"]["probabilities"]
    arrays = {
        "input_image": images,
        "target_label": golden.targets["label"],
        "expected_int8_probabilities": expected,
    }
    (bundle.folder / "golden.npz").write_bytes(npz_bytes(arrays))
    found = check_inputs(bundle)
    assert (found.differing, found.max_difference, found.failed) == ((number,), difference, failed)
    assert "up to 3" in found.line()


def test_write_refuses_a_file_with_other_pixels(made, originals, write_bundle, tmp_path):
    files = [encoded_as(originals[0][1], "PNG")]
    models = {"int8": (made / "int8.tflite").read_bytes()}
    with pytest.raises(InputError, match="sample 0: its encoded input doesn't read"):
        write_bundle(tmp_path / "x", models, originals[0][:1], np.zeros(1, np.int32), encoded=files)
    assert not (tmp_path / "x").exists()


def test_the_check_as_json(bundle, capsys):
    assert main(["check", str(bundle.folder), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["version"], document["ok"]) == ("check", 1, True)
    assert [item["format"] for item in document["files"]] == ["float32", "int8", "int16x8"]
    assert document["images"]["differing"] == []
