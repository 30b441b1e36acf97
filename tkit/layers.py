"""Importing this registers tkit's layers with Keras: `keras.saving.load_model` then loads a model in training.

`tkit.load_model` does both.
"""

from __future__ import annotations

from tkit.compressible.clustered import Clustered as Clustered
from tkit.compressible.model import Compressible as Compressible
from tkit.compressible.pruned import Pruned as Pruned
from tkit.compressible.quantized import QuantizationAware as QuantizationAware
from tkit.training.twin import FusedBatchNormalization as FusedBatchNormalization
