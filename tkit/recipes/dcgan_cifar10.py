"""Images like CIFAR-10's out of noise (32x32, colour): a DCGAN of three stages.

tkit run --recipe dcgan_cifar10 --data tfds:cifar10

Twelve of its epochs took eight minutes on two cores (docs/log.md).
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
    """A generator of three stages, 32-64-128 filters."""
    return Recipe(
        name="dcgan_cifar10",
        task=Generation(latent=128),
        data=Images(source="tfds:cifar10", labels="none", image_size=(32, 32), channels=3, augment=(Flip(),)),
        model=DCGAN(width=32),
        fit=Fit(
            epochs=40,
            optimizer=AdamW(learning_rate=4e-4, weight_decay=0.0, beta_1=0.5),
            schedule=OneCycle(warmup=0.05),
            ema=0.999,
        ),
    )
