"""Handwritten digits out of noise (scikit-learn's 1,797 scans, 8x8, grey): a DCGAN, offline, in a few minutes.

tkit run --recipe dcgan_digits
"""

from tkit.models.dcgan import DCGAN
from tkit.recipe import Recipe
from tkit.tasks.generation import Generation
from tkit.training.config import Fit
from tkit.training.optimizers.adamw import AdamW
from tkit.training.schedules.one_cycle import OneCycle
from tkit_pipelines.data.images import Images


def recipe() -> Recipe:
    """A generator of two stages, averaged over 0.99 of its steps."""
    return Recipe(
        name="dcgan_digits",
        task=Generation(latent=32, label_smoothing=0.1),
        data=Images(source="digits", labels="none", image_size=(8, 8), channels=1, batch_size=64),
        model=DCGAN(width=32, dropout=0.3),
        fit=Fit(
            epochs=300,
            optimizer=AdamW(learning_rate=8e-4, weight_decay=0.0, beta_1=0.5),
            schedule=OneCycle(warmup=0.05),
            ema=0.99,
        ),
    )
