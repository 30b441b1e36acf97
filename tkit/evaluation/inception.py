"""FID and Inception Score by their standard definitions, with the Inception network that a user has on disk.

FID is the Frechet distance in the features `pool_3` of the network of 2015 (Heusel et al. 2017, whose code feeds
`ExpandDims:0`); the Inception Score is of its 1,008 classes without the last bias, in 10 parts (Salimans et al. 2016).
Both are of the file `classify_image_graph_def.pb` of inception-2015-12-05.tgz, and of no other network.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tkit import files
from tkit.evaluation.distances import frechet, gaussian
from tkit_edge.errors import InputError
from tkit_edge.files import read_bytes
from tkit_edge.text import counted, figure
from tkit_pipelines.progress import progress

PIXELS, FEATURES, LOGITS = "ExpandDims:0", "pool_3:0", "softmax/logits/MatMul"
"""Images float32 [n, height, width, 3] from 0 to 255, what pools their features [n, 1, 1, d], and their classes."""
RECOMMENDED = 10_000
"""Images from which a FID is usual; of fewer it is too large, of fewer than it has features (2,048) far too large."""
PARTS = 10
OPERATORS = frozenset(
    (
        *(
            "Const",
            "Placeholder",
            "Identity",
            "DecodeJpeg",
            "Cast",
            "ExpandDims",
            "Squeeze",
            "Reshape",
            "ResizeBilinear",
        ),
        *("Add", "AddV2", "BiasAdd", "Sub", "Mul", "MatMul", "Conv2D", "BatchNormWithGlobalNormalization", "Relu"),
        *("AvgPool", "MaxPool", "Concat", "ConcatV2", "Softmax", "CheckNumerics"),
    )
)
"""What such a graph is made of. Others, which could read and write files, are refused."""
_CHUNK = 50  # images of one call


class Inception:
    """The network of a file, in a TensorFlow session, as the definitions' own code runs it.

    Args:
        path: classify_image_graph_def.pb.

    Raises:
        InputError: the file is no such graph, or has operators that it shouldn't have.
    """

    def __init__(self, path: Path) -> None:
        definition, graph = _read(path), tf.Graph()
        with graph.as_default():
            self._pixels = tf.compat.v1.placeholder(tf.float32, (None, None, None, 3))
            try:
                self._features, last = tf.graph_util.import_graph_def(
                    definition, {PIXELS: self._pixels}, [FEATURES, LOGITS], name=""
                )
                weights = last.inputs[1]
            except (ValueError, IndexError, tf.errors.OpError) as error:
                raise InputError(f"{path} isn't the Inception network of 2015: {error}") from error
        self._path, self._session = path, tf.compat.v1.Session(graph=graph)
        # The graph's own product takes a single image.
        self._weights = self._run(weights, {}).astype(np.float64)

    def measured(self, made: np.ndarray, real: np.ndarray) -> dict[str, Any]:
        """FID of made images against real ones, and the Inception Score.

        Args:
            made: uint8 [n, height, width, 1 or 3]; grey is repeated for three channels.
            real: held-out images, likewise.

        Returns:
            fid, inception_score with its deviation over the parts, samples, real_samples; file and its sha256.

        Raises:
            InputError: the network can't be run on them.
        """
        features, probabilities = self._seen(made)
        wanted, _ = self._seen(real)
        score, deviation = inception_score(probabilities)
        return {
            "fid": frechet(gaussian(features), gaussian(wanted)),
            "inception_score": score,
            "deviation": deviation,
            "samples": len(made),
            "real_samples": len(real),
            "file": str(self._path),
            "sha256": files.sha256(self._path),
        }

    def _seen(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features [n, d] and probabilities [n, classes], float64."""
        with progress("inception", len(images)) as advance:
            parts = []
            for part in _colour(images):
                parts.append(self._run(self._features, {self._pixels: part}))
                advance(len(part))
        features = np.concatenate(parts).reshape(len(images), -1).astype(np.float64)
        logits = features @ self._weights
        likelihoods = np.exp(logits - logits.max(axis=1, keepdims=True))
        return features, likelihoods / likelihoods.sum(axis=1, keepdims=True)

    def _run(self, wanted: Any, fed: dict[Any, np.ndarray]) -> np.ndarray:
        try:
            return np.asarray(self._session.run(wanted, fed))
        except tf.errors.OpError as error:
            raise InputError(f"{self._path} can't be run on these images: {error.message}") from error


def inception_score(probabilities: np.ndarray) -> tuple[float, float]:
    """The mean and the deviation over `PARTS` parts of exp(mean KL(p(class | image) || p(class)))."""
    found = []
    for part in np.array_split(probabilities, min(PARTS, len(probabilities))):
        logs = np.log(np.maximum(part, 1e-30)) - np.log(np.maximum(part.mean(axis=0), 1e-30))
        found.append(np.exp(np.mean(np.sum(part * logs, axis=1))))
    return float(np.mean(found)), float(np.std(found))


def line(result: dict[str, Any]) -> str:
    """What was measured, for people."""
    few = min(result["samples"], result["real_samples"])
    caution = f" (fewer than {RECOMMENDED:,} images make it too large)" if few < RECOMMENDED else ""
    return (
        f"FID {figure(result['fid'])} of {result['samples']:,} samples against "
        f"{counted(result['real_samples'], 'held-out image')}{caution}; Inception Score "
        f"{figure(result['inception_score'])} +- {figure(result['deviation'])} by {result['file']}"
    )


def _read(path: Path) -> Any:
    """The GraphDef in a file; InputError where there is none, or one with operators that it shouldn't have."""
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(read_bytes(path))
    except InputError:
        raise
    except Exception as error:  # protobuf's DecodeError, which has no public name here
        raise InputError(
            f"{path} is no GraphDef: expected classify_image_graph_def.pb, Inception's of 2015."
        ) from error
    nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
    foreign = sorted({node.op for node in nodes} - OPERATORS)
    if foreign:
        raise InputError(
            f"{path} has the operators {', '.join(foreign[:5])}, which Inception of 2015 doesn't need: it isn't run. "
            "Expected classify_image_graph_def.pb."
        )
    return definition


def _colour(images: np.ndarray) -> Iterator[np.ndarray]:
    """The images in chunks, float32 with three channels."""
    for start in range(0, len(images), _CHUNK):
        part = np.asarray(images[start : start + _CHUNK], np.float32)
        yield np.repeat(part, 3, axis=3) if part.shape[3] == 1 else part
