"""What the tests of foreign models share."""

import pytest


@pytest.fixture
def taken(tmp_path):
    """A function from a model to the one that a run of its file holds, and to what the reading process answered."""
    from tkit import model_files
    from tkit.keras_files import child
    from tkit.keras_files.reader import _arrays

    def take(model, pixels=None):
        model.save(tmp_path / "mine.keras")
        answer, data = child.read(tmp_path / "mine.keras", pixels)
        arrays = _arrays(answer["weights"], data)
        model_files.save(model_files.rebuild(answer["architecture"], arrays, tmp_path), tmp_path / "float")
        return model_files.load(tmp_path / "float"), answer

    return take
