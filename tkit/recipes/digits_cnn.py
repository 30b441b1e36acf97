"""Handwritten digits (scikit-learn's 1,797 scans, 8x8, grey): all stages in about a minute, offline.

tkit run --recipe digits_cnn
"""

from tkit.models.cnn import CNN
from tkit.recipe import Recipe
from tkit.tasks.classification import Classification
from tkit.training.config import Fit
from tkit.training.optimizers.adamw import AdamW
from tkit_pipelines.data.images import Images
from tkit_pipelines.ops.translate import Translate


def recipe() -> Recipe:
    """A two-stage CNN with one pixel of translation."""
    return Recipe(
        name="digits_cnn",
        task=Classification(label_smoothing=0.05),
        data=Images(source="digits", image_size=(8, 8), channels=1, batch_size=64, augment=(Translate(pixels=1),)),
        model=CNN(depth=2, width=24),
        fit=Fit(epochs=30, optimizer=AdamW(learning_rate=4e-3)),
    )
