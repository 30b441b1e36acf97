"""CIFAR-10 with ResNet-20 (He et al. 2016, section 4.2: 91.25 % on the original pictures after about 200 epochs).

    tkit run --recipe cifar10_resnet20 --data tfds:cifar10

The training is cifar10_resnet8's, with more augmentation for the larger network. On CIFAR-10 as JPEGs it reaches 87.3 %
(10,000 test pictures, one seed).
"""

from tkit.fit.config import Fit
from tkit.fit.optimizers.muon import Muon
from tkit.models.resnet import ResNet
from tkit.recipe import Recipe
from tkit_pipelines.images import Images
from tkit_pipelines.ops.cutout import Cutout
from tkit_pipelines.ops.flip import Flip
from tkit_pipelines.ops.translate import Translate


def recipe() -> Recipe:
    """ResNet-20, 16-32-64 filters."""
    return Recipe(
        name="cifar10_resnet20",
        data=Images(
            source="tfds:cifar10",
            image_size=(32, 32),
            channels=3,
            batch_size=256,
            validation=0.05,
            augment=(Flip(), Translate(pixels=3), Cutout(size=8)),
        ),
        model=ResNet(depth=20),
        fit=Fit(epochs=60, optimizer=Muon(), l2=2.5e-4, label_smoothing=0.05),
    )
