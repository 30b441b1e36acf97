"""CIFAR-10 with ResNet-8, MLPerf Tiny's image-classification topology (12.5 M multiply-accumulates).

    tkit run --recipe cifar10_resnet8 --data tfds:cifar10

Source: mlcommons/tiny for the network. The training is tkit's own: Muon in small steps for the kernels and lookahead
(KellerJordan/cifar10-airbench has both) along a cosine, instead of 500 epochs of Adam. On CIFAR-10 as JPEGs it reaches
85.3 to 85.5 % in int8 (10,000 test images, three seeds); docs/log.md lists the experiments.
"""

from tkit.models.resnet import ResNet
from tkit.recipe import Recipe
from tkit.tasks.classification import Classification
from tkit.training.config import Fit
from tkit.training.optimizers.muon import Muon
from tkit.training.schedules.cosine import Cosine
from tkit_pipelines.data.images import Images
from tkit_pipelines.ops.alternating_flip import AlternatingFlip
from tkit_pipelines.ops.translate import Translate


def recipe() -> Recipe:
    """ResNet-8, 16-32-64 filters."""
    return Recipe(
        name="cifar10_resnet8",
        task=Classification(label_smoothing=0.05),
        data=Images(
            source="tfds:cifar10",
            image_size=(32, 32),
            channels=3,
            batch_size=256,
            validation=0.05,
            augment=(AlternatingFlip(), Translate(pixels=2)),
        ),
        model=ResNet(depth=8),
        fit=Fit(
            epochs=60,
            optimizer=Muon(learning_rate=0.31, vector_scale=4, kernel_scale=0.226, kernel_momentum=0.8),
            schedule=Cosine(warmup=0.1),
            lookahead=0.77,
            l2=6.1e-5,
        ),
    )
