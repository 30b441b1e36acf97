"""What people look at while a generator trains: a grid of the same latent vectors every epoch, and a film of all grids.

Losses of two networks that are trained against each other don't tell how good the images are.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from tkit import files
from tkit.arrays import count, fed, named, part
from tkit.contract import Contract
from tkit.training.collapse import Collapse
from tkit_edge.grid import grid
from tkit_edge.inputs.noise import Noise
from tkit_edge.outputs.image import Image as ImageOutput
from tkit_edge.png import png
from tkit_edge.tensors import Arrays

FOLDER = "samples"
"""In a run's, for the images of each epoch and the film; TensorBoard's logs of them have the same name."""
SHOWN = 64
"""Images of a grid."""
MEASURED, _BATCH = 1000, 250
"""Images that are made for a distance, and those that are made at once."""
FRAMES = 120
"""Of a film at most: a longer training's leaves out epochs, evenly."""
_FRAME_MS, _LAST_FRAME_MS = 100, 2000


class Samples:
    """Looks at a generator after each epoch; called with the model and the epoch, from 0 on.

    It writes samples/epoch-0001.png and TensorBoard's logs/samples, and says where the generator has collapsed.

    Args:
        folder: the run's.
        contract: what the generator takes and gives, and what measures it, if anything does.
        real: images of the data, uint8 [n, height, width, channels].
        seed: of the latent vectors.
    """

    def __init__(self, folder: Path, contract: Contract, real: np.ndarray, seed: int) -> None:
        assert isinstance(contract.input, Noise) and isinstance(contract.output, ImageOutput)
        self.folder = folder / FOLDER
        self._output, self._ruler = contract.output, contract.ruler
        self._inputs = contract.input.drawn(SHOWN if self._ruler is None else MEASURED, seed)
        self._traced: Any = None
        self._collapse = Collapse(np.asarray(real[:SHOWN]))
        self._log = tf.summary.create_file_writer(str(folder / "logs" / FOLDER))

    def __call__(self, model: keras.Model, epoch: int) -> dict[str, float]:
        """Writes the epoch's grid; returns `diversity` (see `Collapse.seen`) and, where it is measured, `distance`."""
        outputs = self._made(model, self._inputs)
        pixels = self._output.pixels(part(outputs, slice(SHOWN)))
        shown = grid(pixels)
        files.write_bytes(self.folder / f"epoch-{epoch + 1:04d}.png", png(shown))
        with self._log.as_default(step=epoch + 1):
            tf.summary.image("samples of the same noise", shown[None])
        self._log.flush()
        figures = {"diversity": self._collapse.seen(pixels, epoch)}
        return figures if self._ruler is None else {**figures, "distance": self._ruler.value(outputs)}

    def _made(self, model: keras.Model, inputs: Arrays) -> Arrays:
        """The outputs, batch normalization by each batch's own statistics: the moving ones are of other weights than
        averages of weights, above all early."""
        moving = [variable for variable in model.non_trainable_variables if "seed" not in variable.path]
        kept = [variable.numpy() for variable in moving]
        rows = (slice(start, start + _BATCH) for start in range(0, count(inputs), _BATCH))
        found = [self._run(model)(fed(model, part(inputs, some))) for some in rows]
        for variable, value in zip(moving, kept, strict=True):
            variable.assign(value)
        return named(np.concatenate(found).astype(np.float32), self._output.tensors)

    def _run(self, model: keras.Model) -> Any:
        """The model as it trains, traced once."""
        if self._traced is None:
            self._traced = tf.function(lambda inputs: model(inputs, training=True), autograph=False)
        return self._traced

    def film(self) -> Path:
        """Writes samples/film.webp, which shows the grids of all epochs, those before a resumption too; its path."""
        paths = sorted(self.folder.glob("epoch-*.png"))
        chosen = [paths[index] for index in np.unique(np.linspace(0, len(paths) - 1, FRAMES).astype(int))]
        frames = [Image.open(path) for path in chosen]
        buffer, durations = io.BytesIO(), [_FRAME_MS] * (len(frames) - 1) + [_LAST_FRAME_MS]
        frames[0].save(buffer, "WEBP", method=0, save_all=True, append_images=frames[1:], duration=durations, loop=0)
        path = self.folder / "film.webp"
        files.write_bytes(path, buffer.getvalue())
        return path
