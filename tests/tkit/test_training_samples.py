"""What is looked at while a generator trains: grids, a film, distances, and whether it has collapsed."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tkit.contract import Contract
from tkit.models import Spec
from tkit.models.dcgan import DCGAN
from tkit.tasks.generation import Generation
from tkit.training import samples
from tkit.training.collapse import PATIENCE, Collapse
from tkit.training.config import Fit
from tkit.training.engine import train
from tkit.training.history import HistoryFile
from tkit.training.optimizers.adamw import AdamW
from tkit.training.samples import MEASURED, SHOWN, Samples
from tkit_edge.grid import grid
from tkit_edge.png import png
from tkit_pipelines.batches import Batches
from tkit_pipelines.data.images import Images

FIT = Fit(epochs=3, optimizer=AdamW(learning_rate=1e-3, weight_decay=0.0, beta_1=0.5), precision="float32", ema=0.9)


class Brightness:
    """A ruler that measures the mean value; it keeps what it was given."""

    def __init__(self):
        self.seen = []

    def value(self, outputs):
        self.seen.append(outputs["image"])
        return float(outputs["image"].mean())


@pytest.fixture(scope="module")
def digits():
    data = Images(source="digits", image_size=(8, 8), channels=1, batch_size=64, labels="classes")
    return data, Generation(latent=8).prepared(data.load(0), 0)


def trained(digits, folder, *, epochs=3, ruler=None):
    """A generator of digits of a class, trained for a few steps and looked at; the generator, what looked, the rows."""
    data, splits = digits
    contract = Contract.of(Generation(latent=8), splits)
    spec = Spec(contract.input.tensors, contract.output.tensors, {}, contract.input.sizes)
    keras.utils.set_random_seed(0)
    generator, discriminator = DCGAN(width=8).build(spec), DCGAN(width=8).companion(spec)
    look = Samples(folder, contract._replace(ruler=ruler), splits.validation.images, 5)
    fit = FIT.model_copy(update={"epochs": epochs})
    batches = Batches(splits.train, data, contract.encoded, 0)
    history = HistoryFile(folder / "history.csv")
    outcome = train(
        generator, batches, None, fit, contract, callbacks=[history], companion=discriminator, max_steps=4, look=look
    )
    return generator, look, outcome.history, contract


def test_each_epoch_has_a_grid_of_the_same_noise_and_the_last_is_of_the_weights_that_are_kept(digits, tmp_path):
    generator, look, rows, contract = trained(digits, tmp_path)
    names = [f"epoch-000{number}.png" for number in (1, 2, 3)]
    assert sorted(path.name for path in look.folder.iterdir()) == names
    drawn = contract.input.drawn(SHOWN, 5)
    # By the batch's own statistics: the moving ones are of other weights than the averages that are kept.
    images = generator([drawn["noise"], drawn["label"]], training=True)
    made = contract.output.pixels({"image": np.asarray(images)})
    shown = np.asarray(Image.open(tmp_path / "samples" / names[-1])).astype(int)
    assert np.abs(shown - grid(made)[..., 0]).max() <= 1
    assert len({(tmp_path / "samples" / name).read_bytes() for name in names}) == 3
    assert all(0 < row["diversity"] < 1 and "distance" not in row for row in rows)


def test_tensorboard_shows_the_grids(digits, tmp_path):
    trained(digits, tmp_path)
    (path,) = (tmp_path / "logs" / "samples").iterdir()
    events = [event for event in tf.compat.v1.train.summary_iterator(str(path)) if event.summary.value]
    assert [event.step for event in events] == [1, 2, 3]
    (value,) = events[-1].summary.value
    width, height, picture = value.tensor.string_val
    assert (value.tag, width, height) == ("samples of the same noise", b"519", b"519")
    assert tf.io.decode_png(picture).shape == (519, 519, 1)


def test_the_distance_is_of_many_samples_and_stands_in_the_history(digits, tmp_path):
    ruler = Brightness()
    _, _, rows, _ = trained(digits, tmp_path, ruler=ruler)
    assert [seen.shape for seen in ruler.seen] == [(MEASURED, 8, 8, 1)] * 3
    assert [row["distance"] for row in rows] == [float(seen.mean()) for seen in ruler.seen]
    with open(tmp_path / "history.csv") as file:
        assert [float(row["distance"]) for row in csv.DictReader(file)] == [row["distance"] for row in rows]


def film_of(digits, folder, epochs):
    """The film of a training whose grids of so many epochs are there, each of other digits, and these grids."""
    _, look, _, _ = trained(digits, folder, epochs=1)
    images = digits[1].train.images
    shown = [grid(images[SHOWN * epoch :][:SHOWN]) for epoch in range(epochs)]
    for epoch, pixels in enumerate(shown, 1):
        (folder / "samples" / f"epoch-{epoch:04d}.png").write_bytes(png(pixels))
    path = look.film()
    assert path == folder / "samples" / "film.webp"
    return Image.open(path), shown


def apart(film, frame, pixels):
    film.seek(frame)
    return float(np.abs(np.asarray(film.convert("L")).astype(int) - pixels[..., 0]).mean())


def test_the_film_shows_the_grids_of_all_epochs_those_before_a_resumption_too(digits, tmp_path):
    film, shown = film_of(digits, tmp_path, 4)
    assert (film.format, film.n_frames, film.size) == ("WEBP", 4, (519, 519))
    for number, pixels in enumerate(shown):  # which isn't lossless
        assert apart(film, number, pixels) < 8 < apart(film, number, shown[number - 1])


def test_a_long_film_leaves_out_epochs_evenly(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(samples, "FRAMES", 3)
    film, shown = film_of(digits, tmp_path, 5)
    assert film.n_frames == 3
    assert all(apart(film, number, shown[epoch]) < 8 for number, epoch in enumerate((0, 2, 4)))


def said(capsys, real, epochs):
    """What is said of the samples of each epoch, and the last diversity."""
    collapse = Collapse(real)
    figures = [collapse.seen(pixels, epoch) for epoch, pixels in enumerate(epochs)]
    return capsys.readouterr().err.count("collapsed"), figures[-1]


def noisy(images, deviation, seed=0):
    values = images + np.random.default_rng(seed).normal(0, deviation, images.shape)
    return np.clip(values, 0, 255).astype(np.uint8)


def test_samples_that_are_nearly_alike_are_a_collapse_that_is_said_once(digits, capsys):
    real = digits[1].validation.images[:SHOWN]
    one, few = real[[3] * SHOWN], real[np.arange(SHOWN) % 8]
    assert said(capsys, real, [noisy(one, 5)] * 10) == (1, pytest.approx(0.1, abs=0.05))
    assert said(capsys, real, [noisy(few, 5)] * 10)[0] == 1  # a few images, again and again
    assert said(capsys, real, [np.full_like(real, 7)] * 10) == (1, 0.0)
    assert said(capsys, real, [real] * 3 + [noisy(one, 5)] * PATIENCE)[0] == 1


def test_healthy_samples_are_no_collapse(digits, capsys):
    splits = digits[1]
    real, others = splits.validation.images[:SHOWN], splits.train.images[:SHOWN]
    assert said(capsys, real, [others] * 10) == (0, pytest.approx(1, abs=0.3))
    assert said(capsys, real, [noisy(np.full_like(real, 127), deviation) for deviation in (1, 3, 9, 9, 9, 20)])[0] == 0
    faint = (127 + 0.1 * (others.astype(float) - 127)).astype(np.uint8)
    assert said(capsys, real, [faint] * 10)[0] == 0  # a generator that has yet to learn contrast
    one = noisy(real[[3] * SHOWN], 5)
    assert said(capsys, real, [*[one] * (PATIENCE - 1), others] * 3)[0] == 0  # for a moment only
    assert said(capsys, one[:1], [one] * 10)[0] == 0  # data of one image has no variety to lose
