"""CIFAR-10 with ResNet-20 (He et al. 2016, section 4.2: 91.25 % on the original images after about 200 epochs).

    tkit run --recipe cifar10_resnet20 --data tfds:cifar10

Smaller steps than cifar10_resnet8's, warmed up, along a cosine; more augmentation for the larger network. On CIFAR-10
as JPEGs it reaches 88.2 % (10,000 test images, one seed).
"""

from tkit.models.resnet import ResNet
from tkit.recipe import Recipe
from tkit.tasks.classification import Classification
from tkit.training.config import Fit
from tkit.training.optimizers.muon import Muon
from tkit.training.schedules.cosine import Cosine
from tkit_pipelines.data.images import Images
from tkit_pipelines.ops.alternating_flip import AlternatingFlip
from tkit_pipelines.ops.cutout import Cutout
from tkit_pipelines.ops.translate import Translate


def recipe() -> Recipe:
    """ResNet-20, 16-32-64 filters."""
    return Recipe(
        name="cifar10_resnet20",
        task=Classification(label_smoothing=0.05),
        data=Images(
            source="tfds:cifar10",
            image_size=(32, 32),
            channels=3,
            batch_size=256,
            validation=0.05,
            augment=(AlternatingFlip(), Translate(pixels=4), Cutout(size=12)),
        ),
        model=ResNet(depth=20),
        fit=Fit(
            epochs=60,
            optimizer=Muon(learning_rate=0.31, vector_scale=4, kernel_scale=0.158, kernel_momentum=0.8),
            schedule=Cosine(warmup=0.1),
            l2=1.5e-4,
        ),
    )
