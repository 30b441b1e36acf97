"""A full disk, a real one: one clear error, nothing lost, and the run goes on when there is room again."""

import keras
import pytest

import tkit
from tkit.recipe_loading import load
from tkit.run_folder import Run
from tkit.training.checkpoint import Checkpoints
from tkit_edge.bundle import Bundle
from tkit_edge.errors import InputError

SMALL = ("model.width=4", "fit.epochs=3", "export.formats=int8", "export.parity.drop=1", "export.parity.agreement=0")
FULL = r"Cannot write.*: No space left on device"


class Disk:
    """A small file system that can be filled and cleared."""

    def __init__(self, path):
        self.path, self.ballast = path, path / "ballast"

    def fill(self):
        with open(self.ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def clear(self):
        self.ballast.unlink()


@pytest.fixture
def disk(tmpfs):
    return Disk(tmpfs("8m"))


class FillAt(keras.callbacks.Callback):
    """Fills the disk when training gets there."""

    def __init__(self, disk, moment):
        super().__init__()
        self.disk, self.moment = disk, moment

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.moment:
            self.disk.fill()

    def on_train_end(self, logs=None):
        if self.moment == "end":
            self.disk.fill()


@pytest.mark.parametrize("moment", [1, "end"])
def test_training_ends_with_one_error_and_goes_on_when_there_is_room(disk, tmp_path, moment):
    recipe = load("digits_cnn", SMALL)
    with pytest.raises(InputError, match=FULL):
        tkit.fit(recipe, runs_dir=disk.path, callbacks=(FillAt(disk, moment),))
    run = Run.open(disk.path / "digits_cnn-1")
    assert run.manifest["stages"] == {}
    newest = Checkpoints(run.folder / "checkpoints", 2).newest()
    assert newest.facts["epoch"] == (1 if moment == 1 else 3)
    disk.clear()
    resumed, whole = tkit.fit(resume=run), tkit.fit(recipe, runs_dir=tmp_path)
    ours, theirs = (Run.open(item.folder).folder / "float" / "weights.npz" for item in (resumed, whole))
    assert ours.read_bytes() == theirs.read_bytes()


def test_export_leaves_nothing_half_written_and_what_was_there(disk):
    run = tkit.fit(load("digits_cnn", SMALL), runs_dir=disk.path)
    tkit.export(run)
    before = (run.folder / "manifest.json").read_bytes()
    disk.fill()
    with pytest.raises(InputError, match=FULL):
        tkit.export(run, overrides=["export.formats=float32"])
    assert (run.folder / "manifest.json").read_bytes() == before
    assert sorted(path.name for path in (run.folder / "float").iterdir()) == [
        *("architecture.json", "export", "model.keras", "weights.npz")
    ]
    assert run.whole("export", "float")
    disk.clear()
    tkit.export(run, overrides=["export.formats=float32"])
    assert set(Bundle.read(run.folder / "float" / "export").models) == {"float32"}
