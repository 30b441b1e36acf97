"""Adopting a model of the user's own: a `keras.Model` or a .keras file and data become a run folder like any other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tkit.keras_files.formats import Pixels
from tkit.run_folder import Run
from tkit.stages._common import stage

if TYPE_CHECKING:
    import keras


@stage()
def adopt(
    model: keras.Model | str | Path,
    data: Any,
    *,
    pixels: Pixels | None = None,
    class_names: Sequence[str] | None = None,
    runs_dir: str | Path | None = None,
    overrides: Sequence[str] = (),
) -> Run:
    """A run whose `float` variant is a model of your own; every command works on it like on any other.

    A row of outputs is a classifier, or, with `data.labels=numbers`, one number; other outputs are taken as they are
    and judged by agreement. Files of images are decoded and resized as `keras.utils.image_dataset_from_directory` does
    (`data.resize=keras`). The run that an earlier call made of the same model, data, pixels and overrides is used
    again.

    What is in memory is recorded in <runs>/objects, so that every later stage can read it in any process. x is what the
    model itself takes: where it takes an image and x are exactly 8-bit pixels, of 0-255, 0-1 or -1-1, the run is one of
    images; otherwise it takes the tensors as they are. y are numbers of classes, one-hot rows or texts; floats for a
    single output without a sigmoid are numbers to be predicted.

    Args:
        model: a functional or Sequential model of stock layers, built, which isn't changed; or the path of a .keras
            file.
        data: where the examples are, as `data.source` takes it (classes in the order of the outputs; for inputs other
            than one image an .npz file with an array for each, named like it), or the examples: arrays `(x, y)` or `x`,
            with a dict or list as x for several inputs; `(train, test)` or `(train, validation, test)` of such pairs; a
            `tf.data.Dataset` or `keras.utils.PyDataset`, or such a tuple of them; a pandas DataFrame of files and
            labels; a TFDS builder.
        pixels: what a model of images was trained on: "0-255", "0-1" or "-1-1"; needed for files of images unless the
            model shows it.
        class_names: of labels in memory, in the order of the outputs.
        runs_dir: where run folders live; $TKIT_RUNS or ./runs by default.
        overrides: of the run's recipe, such as "data.resize=keras-crop" or "data.skip_bad=true".

    Raises:
        InputError: the model can't be taken, with what to do; or the data can't be read or doesn't fit it.

    Example:
        >>> run = tkit.adopt(model, data=(x, y))
        >>> tkit.export(run)
    """
    from tkit.stages import _adopt

    return _adopt.adopted(model, data, pixels, class_names, runs_dir, overrides)
