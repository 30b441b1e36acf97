"""CIFAR-10 with ResNet-8, pruned, clustered and trained for int8: a file that compresses well.

    tkit run --recipe cifar10_resnet8_edge --data tfds:cifar10

cifar10_resnet8's training, then about two thirds of the weights 0, the others of eleven values that all layers share,
and quantization-aware training that keeps both; all of it distilled from the original network. The run has both,
`float` and the compressed variant, exported and measured: an int8 file that zips 2.5 times smaller than that of
`float`. docs/compress.md has the accuracy cost.
"""

from tkit.compression.steps.cluster import Cluster
from tkit.compression.steps.prune import Prune
from tkit.compression.steps.quantize import Quantize
from tkit.recipe import Recipe
from tkit.recipes import cifar10_resnet8


def recipe() -> Recipe:
    """ResNet-8, 16-32-64 filters."""
    return cifar10_resnet8.recipe().model_copy(
        update={
            "name": "cifar10_resnet8_edge",
            "compress": (
                Prune(sparsity=0.655, scope="global", teacher="self", epochs=24),
                Cluster(clusters=12, scope="global", teacher="self", epochs=6),
                Quantize(aware=True, teacher="self", epochs=4),
            ),
        }
    )
