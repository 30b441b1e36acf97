"""Clothes out of noise (Fashion-MNIST, 28x28, grey): a DCGAN that knows the ten classes.

tkit run --recipe dcgan_fashion_mnist --data tfds:fashion_mnist
tkit sample RUN --class Bag
"""

from tkit.models.dcgan import DCGAN
from tkit.recipe import Recipe
from tkit.tasks.generation import Generation
from tkit.training.config import Fit
from tkit.training.optimizers.adamw import AdamW
from tkit.training.schedules.one_cycle import OneCycle
from tkit_pipelines.data.images import Images
from tkit_pipelines.ops.flip import Flip


def recipe() -> Recipe:
    """A generator of two stages that is told the class."""
    return Recipe(
        name="dcgan_fashion_mnist",
        task=Generation(latent=64),
        data=Images(source="tfds:fashion_mnist", image_size=(28, 28), channels=1, augment=(Flip(),)),
        model=DCGAN(width=32),
        fit=Fit(
            epochs=20,
            optimizer=AdamW(learning_rate=4e-4, weight_decay=0.0, beta_1=0.5),
            schedule=OneCycle(warmup=0.05),
            ema=0.999,
        ),
    )
