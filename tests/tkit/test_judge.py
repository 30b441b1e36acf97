"""The judge that a run's images are measured by, and the reference that measures in its feature space."""

import io
import json

import keras
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from tkit.evaluation import image as image_evaluation
from tkit.evaluation.image import ImageEvaluation
from tkit.evaluation.judge import Judge
from tkit.evaluation.reference import Reference
from tkit.stages import _judge
from tkit.stages.evaluate import require
from tkit_edge.errors import InputError
from tkit_edge.outputs.image import Image as MadeImage
from tkit_pipelines.data.images import Images
from tkit_pipelines.dataset import Examples
from tkit_pipelines.splits import Splits

DIGITS = Images(source="digits", image_size=(8, 8), channels=1)
UNLABELLED = DIGITS.model_copy(update={"labels": "none"})


def prepared(splits):
    """The splits as training a generator sees them: with noise beside the images."""
    noise = np.random.default_rng(0)

    def with_noise(part):
        drawn = noise.normal(size=(len(part), 16)).astype(np.float32)
        return Examples({**part.columns, "noise": drawn}, part.origin)

    parts = (with_noise(part) for part in (splits.train, splits.validation, splits.test))
    return Splits(*parts, splits.class_names, splits.input, splits.name)


@pytest.fixture(scope="module")
def splits():
    return prepared(UNLABELLED.load(0))


@pytest.fixture(scope="module")
def folder(splits, tmp_path_factory):
    made = tmp_path_factory.mktemp("run") / "judge"
    _judge.made(made, UNLABELLED, splits, seed=0, dry_run=False)
    return made


@pytest.fixture(scope="module")
def reference(folder, splits):
    return Reference(Judge.read(folder), splits.test.images, splits.train.images, seed=0)


def outputs(images):
    return {"image": (np.asarray(images, np.float32) / 127.5 - 1).clip(-1, 1)}


def test_without_labels_it_learns_the_classes_that_the_source_has_of_the_same_images(folder, splits):
    judge = Judge.read(folder)
    assert (judge.facts.kind, judge.facts.names[:3], judge.facts.samples) == ("classes", ("0", "1", "2"), 144)
    assert judge.facts.accuracy > 0.9
    labelled = DIGITS.load(0)
    key = {image.tobytes(): label for image, label in zip(labelled.test.images, labelled.test.labels, strict=True)}
    known = [(index, key[image.tobytes()]) for index, image in enumerate(splits.test.images) if image.tobytes() in key]
    rows, labels = np.array(known).T
    seen = judge.see(splits.test.images[rows])
    assert np.mean(seen.labels == labels) > 0.9  # the names are those of the digits
    assert seen.features.shape == (len(rows), 64) and seen.features.dtype == np.float64
    assert seen.confidence.min() > 0.1 and seen.confidence.max() <= 1
    for word in ("10 classes", "144 validation images", judge.sha256[:8]):
        assert word in judge.line()


def test_a_whole_one_of_the_same_images_is_kept_and_another_is_made_again(folder, splits, tmp_path, capsys):
    before = (folder / "judge.json").stat().st_mtime_ns
    _judge.made(folder, UNLABELLED, splits, seed=0, dry_run=False)
    assert (folder / "judge.json").stat().st_mtime_ns == before
    with_classes = prepared(DIGITS.load(0))
    first, again = tmp_path / "first", tmp_path / "again"
    capsys.readouterr()
    for target in (first, again):
        _judge.made(target, DIGITS, with_classes, seed=0, dry_run=True)
        keras.utils.set_random_seed(1)
    assert capsys.readouterr().err.count("judge: a classifier of 10 classes") == 2
    assert Judge.read(first).sha256 == Judge.read(again).sha256  # the same seed, the same bytes
    (again / "judge.json").unlink()  # as if killed before
    _judge.made(again, UNLABELLED, splits, seed=0, dry_run=True)
    assert Judge.read(again).facts.data != Judge.read(first).facts.data


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """A folder of images without classes: gradients, bright at the top."""
    top = tmp_path_factory.mktemp("flat")
    random = np.random.default_rng(0)
    for number in range(120):
        pixels = np.linspace(230, 30, 8)[:, None] + random.normal(0, 12, (8, 8))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(top / f"{number}.png")
    return Images(source=str(top), image_size=(8, 8), channels=1, labels="none")


def test_images_without_classes_are_told_apart_by_their_rotation(flat, tmp_path, capsys):
    splits = flat.load(0)
    _judge.made(tmp_path / "judge", flat, splits, seed=0, dry_run=False)
    said = capsys.readouterr().err
    assert "it learns rotations, for the data has no classes" in said
    judge = Judge.read(tmp_path / "judge")
    assert (judge.facts.kind, judge.facts.samples) == ("rotations", 4 * len(splits.validation))
    turned = np.rot90(splits.test.images, 3, axes=(1, 2))
    assert np.all(judge.see(turned).labels == 3) and np.all(judge.see(splits.test.images).labels == 0)
    figures = Reference(judge, splits.test.images, splits.train.images, 0).figures(splits.validation.images)
    assert figures["modes"] is None and "4 rotations" in figures["judge"]["name"]


def test_rotations_of_images_that_are_not_square_are_refused(flat, tmp_path):
    wide = flat.model_copy(update={"image_size": (8, 12)})
    with pytest.raises(InputError, match=r"8x12.*squares.*data.image_size"):
        _judge.made(tmp_path / "judge", wide, wide.load(0), seed=0, dry_run=True)


@pytest.mark.parametrize("name", ["weights.npz", "architecture.json", "judge.json"])
@pytest.mark.parametrize("damage", ["missing", "cut off", "of another judge"])
def test_a_damaged_judge_is_an_input_error(name, damage, folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / name
    if damage == "missing":
        path.unlink()
    elif damage == "cut off":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        content = json.loads((folder / "judge.json").read_text())
        changed = {**content, "names": ["a", "b"]} if name == "judge.json" else {}
        path.write_text(json.dumps(changed))
    with pytest.raises(InputError, match=name if damage != "of another judge" else str(tmp_path)):
        Judge.read(tmp_path)


def test_images_of_another_size_are_an_input_error(reference):
    with pytest.raises(InputError, match=r"\[8, 8, 1\], received \[16, 16, 1\]"):
        reference.judge.see(np.zeros((1, 16, 16, 1), np.uint8))


def test_real_images_get_the_floor_and_worse_ones_more_in_order(reference, splits):
    real = splits.validation.images.astype(np.float64)
    random = np.random.default_rng(0).normal(0, 1, real.shape)
    labels = reference.judge.see(splits.validation.images).labels
    noisy = [real + sigma * random for sigma in (0, 30, 50, 80)]
    blurred = [ndimage.gaussian_filter(real, (0, sigma, sigma, 0)) for sigma in (0, 0.6, 0.9, 1.5)]
    dropped = [real[labels < kept] for kept in (10, 6, 3, 1)]
    floor = reference.floor(len(real))
    for steps in (noisy, blurred, dropped):
        found = [reference.score(outputs(images)).value for images in steps]
        assert found == sorted(found) and found[0] < 3 * floor and found[-1] > 6 * floor
    mean = np.repeat(splits.train.images.mean(axis=0, keepdims=True), 100, axis=0)
    assert reference.guess == pytest.approx(reference.score(outputs(mean)).value, rel=1e-3)
    assert reference.guess > 30 * floor


def test_intervals_hold_the_value_and_are_of_pairs(reference, splits):
    real = splits.validation.images
    little = outputs(real + np.random.default_rng(0).normal(0, 4, real.shape))
    much = outputs(real + np.random.default_rng(1).normal(0, 60, real.shape))
    score = reference.score(much)
    assert score.interval[0] < score.value < score.interval[1] and score.samples == len(real)
    drop, interval = reference.drop(outputs(real), much)
    assert drop == pytest.approx((score.value - reference.score(outputs(real)).value) / reference.guess)
    assert 0 < interval.low < drop < interval.high
    ratio, interval = reference.ratio(outputs(real), little)
    assert interval.low < ratio < interval.high
    first, second = (reference.score(images) for images in (outputs(real), little))
    alone = (second.interval[1] - second.interval[0]) / first.value
    assert interval.high - interval.low < alone  # rows are of the same noise: what they share doesn't count
    assert reference.drop(little, little) == (0.0, (0.0, 0.0)) and reference.ratio(little, little)[0] == 1.0


def test_figures_stand_beside_those_of_real_images_and_are_the_same_each_time(reference, splits):
    images = splits.validation.images
    figures = reference.figures(images)
    assert figures == Reference(reference.judge, splits.test.images, splits.train.images, 0).figures(images)
    assert figures["distance_to_floor"] == pytest.approx(figures["distance"] / figures["floor"])
    assert (figures["samples"], figures["real_samples"], figures["floor_samples"]) == (144, 359, 144)
    assert figures["modes"]["covered"] == figures["modes"]["of"] == 10
    assert min(figures["real_precision"], figures["real_recall"], figures["precision"], figures["recall"]) > 0.7
    threes = images[reference.judge.see(images).labels == 3]
    collapsed = reference.figures(np.repeat(threes[:1], 100, axis=0))
    assert (collapsed["modes"]["covered"], collapsed["recall"]) == (1, 0.0)
    assert collapsed["distance_to_floor"] > 10 and collapsed["kernel_distance"] > 10 * abs(collapsed["kernel_floor"])


def test_against_the_training_images_the_floor_is_of_the_held_out_ones(reference, splits):
    turned = reference.against(splits.train.images)
    assert turned.floor(300) > 0.1 * reference.floor(300)
    assert turned.figures(splits.validation.images)["floor_samples"] == 144


def result(figures, **others):
    """Figures as `tkit.evaluate` gives them."""
    return {"split": "test", "output": "image", "example": "sample", **figures, **others}


def test_a_report_has_the_floor_beside_the_distance_and_names_the_judge_and_what_is_missing(reference, splits):
    shown = splits.validation.images[reference.judge.see(splits.validation.images).labels != 7]
    evaluation = ImageEvaluation(MadeImage(8, 8, 1), reference)
    figures, plots = evaluation.report(outputs(shown), splits.test, "test")
    assert json.loads(json.dumps(figures)) == figures == reference.figures(shown)
    text = "\n".join(image_evaluation.lines(result(figures), None))
    for wanted in (
        f"distance {figures['distance']:.4g} (95 %",
        f"times the floor, {figures['floor']:.4g}, which {len(shown)} other real images get",
        "9 of 10 classes covered; too few of 7 (0.0%",
        f"measured by {reference.judge.line()}",
    ):
        assert wanted in text
    assert f"precision {figures['precision']:.1%} (real {figures['real_precision']:.1%})" in text
    beside, shares = (Image.open(io.BytesIO(plots[name])) for name in ("samples.png", "classes.png"))
    name, alone = evaluation.plot(outputs(shown[:5]), {})
    assert name == "samples" and min(shares.size) > 200
    assert beside.size[0] > 1.8 * Image.open(io.BytesIO(alone)).size[0]  # real images stand beside


def test_made_images_cannot_be_measured_without_a_judge_nor_by_accuracy(reference, splits):
    with pytest.raises(InputError, match=r"evaluate the run \(tkit evaluate RUN"):
        ImageEvaluation(MadeImage(8, 8, 1), None)
    with pytest.raises(InputError, match="for classifiers; this model makes images"):
        require(result(reference.figures(splits.test.images)), 0.9)
