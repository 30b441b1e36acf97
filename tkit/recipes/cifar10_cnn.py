"""CIFAR-10 with a plain CNN: three stages of two 3x3 convolutions, one-cycle Nesterov SGD.

tkit run --recipe cifar10_cnn --data tfds:cifar10
"""

from tkit.models.cnn import CNN
from tkit.recipe import Recipe
from tkit.tasks.classification import Classification
from tkit.training.config import Fit
from tkit.training.optimizers.sgd import SGD
from tkit_pipelines.data.images import Images
from tkit_pipelines.ops.flip import Flip
from tkit_pipelines.ops.translate import Translate


def recipe() -> Recipe:
    """VGG-like, 24-48-96 filters."""
    return Recipe(
        name="cifar10_cnn",
        task=Classification(label_smoothing=0.05),
        data=Images(source="tfds:cifar10", image_size=(32, 32), channels=3, augment=(Flip(), Translate(pixels=2))),
        model=CNN(depth=3, width=24),
        fit=Fit(epochs=10, optimizer=SGD(learning_rate=0.4), l2=2.5e-4),
    )
