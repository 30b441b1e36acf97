"""CIFAR-10 with MobileNetV2 at half width: depthwise-separable convolutions, 4x4 last feature map.

    tkit run --recipe cifar10_mobilenet --data tfds:cifar10

Source: Sandler et al. 2018 for the network; the training settings are cifar10_resnet20's, not tuned for it.
"""

from tkit.models.mobilenet import MobileNet
from tkit.recipe import Recipe
from tkit.tasks.classification import Classification
from tkit.training.config import Fit
from tkit.training.optimizers.sgd import SGD
from tkit_pipelines.data.images import Images
from tkit_pipelines.ops.cutout import Cutout
from tkit_pipelines.ops.flip import Flip
from tkit_pipelines.ops.translate import Translate


def recipe() -> Recipe:
    """MobileNetV2 0.5."""
    return Recipe(
        name="cifar10_mobilenet",
        task=Classification(label_smoothing=0.05),
        data=Images(
            source="tfds:cifar10",
            image_size=(32, 32),
            channels=3,
            augment=(Flip(), Translate(pixels=3), Cutout(size=8)),
        ),
        model=MobileNet(width=0.5, output_stride=8),
        fit=Fit(epochs=60, optimizer=SGD(learning_rate=0.4), l2=4e-5),
    )
