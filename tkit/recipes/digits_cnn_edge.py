"""scikit-learn's digits with a small CNN, pruned, clustered and trained for int8: offline, in about two minutes.

    tkit run --recipe digits_cnn_edge

digits_cnn's training, then half of the weights 0, the others of 16 values per layer, all of it preserved by
quantization-aware training. The run has both, `float` and the compressed variant, exported and measured.
"""

from tkit.compression.steps.cluster import Cluster
from tkit.compression.steps.prune import Prune
from tkit.compression.steps.quantize import Quantize
from tkit.recipe import Recipe
from tkit.recipes import digits_cnn


def recipe() -> Recipe:
    """The CNN of digits_cnn."""
    return digits_cnn.recipe().model_copy(
        update={
            "name": "digits_cnn_edge",
            "compress": (Prune(sparsity=0.5), Cluster(clusters=16), Quantize(aware=True)),
        }
    )
