"""CIFAR-10 with ResNet-8, MLPerf Tiny's image-classification topology (12.5 M multiply-accumulates).

    tkit run --recipe cifar10_resnet8 --data tfds:cifar10

Source: mlcommons/tiny; one-cycle SGD after Smith 2018 in place of its 500 epochs of Adam.
"""

from tkit.fit.config import Fit
from tkit.fit.optimizers.sgd import SGD
from tkit.models.resnet import ResNet
from tkit.recipe import Recipe
from tkit_pipelines.images import Images
from tkit_pipelines.ops.flip import Flip
from tkit_pipelines.ops.translate import Translate


def recipe() -> Recipe:
    """ResNet-8, 16-32-64 filters."""
    return Recipe(
        name="cifar10_resnet8",
        data=Images(source="tfds:cifar10", image_size=(32, 32), channels=3, augment=(Flip(), Translate(pixels=3))),
        model=ResNet(depth=8),
        fit=Fit(epochs=60, optimizer=SGD(learning_rate=0.4), l2=2.5e-4, label_smoothing=0.05),
    )
