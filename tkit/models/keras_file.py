"""A model of the user's own, from a .keras file: the file's architecture with its weights.

`tkit export|evaluate|bench|predict MODEL.keras --data DATA` turns one into a run; see docs/evaluate.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tkit.keras_files.formats import Pixels
from tkit.models import Model, Spec
from tkit_edge.errors import InputError
from tkit_edge.tensors import listed

if TYPE_CHECKING:
    import keras


class KerasFile(Model):
    """The model in a .keras file, loaded in safe mode and with raw 0-255 float32 pixels where it takes an image."""

    takes, gives = ("image", "tensors"), ("classes", "number", "tensors")
    kind: Literal["keras_file"] = "keras_file"
    path: str
    """The .keras file."""
    sha256: str | None = None
    """Digest that the file must have; adoption records it."""
    pixels: Pixels | None = None
    """The model's pixel range; null if it begins with its own Rescaling or Normalization of raw pixels."""

    def build(self, spec: Spec) -> keras.Model:
        """The file's model for further training.

        Raises:
            InputError: a file that `tkit.adopt` refuses, a file that has changed, or a model that ends in
                probabilities.
        """
        from tkit import files
        from tkit.keras_files.reader import read, with_outputs

        path = Path(self.path)
        if self.sha256 and path.is_file() and files.sha256(path) != self.sha256:
            raise InputError(f"{path} has changed since the recipe was made (other sha256).")
        # Pixels of images are bytes; what other numbers a model of images takes is its own affair.
        found = read(path, self.pixels, images=[item.dtype for item in spec.inputs] == ["uint8"])
        if [item.shape for item in found.input.tensors] != [item.shape for item in spec.inputs]:
            size = found.input.tensors[0].shape
            remedy = f" Set data.image_size={size[0]},{size[1]} and data.channels={size[2]}." if found.pixels else ""
            raise InputError(
                f"{path} takes {listed(found.input.tensors)}, the recipe's data gives {listed(spec.inputs)}.{remedy}"
            )
        (given,) = spec.outputs
        if not given.shape:
            return found.model
        if found.activation:
            raise InputError(
                f"{path} ends in a {found.activation}, training needs logits: make the model again without its last "
                "activation and save that."
            )
        return with_outputs(found, given.shape[0], str(path)).model
