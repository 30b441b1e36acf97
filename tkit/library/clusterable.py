"""Weight sharing in a training loop of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import keras

from tkit._quiet import silenced
from tkit.compressible.clustered import clustered
from tkit.compressible.opening import opened, trainable
from tkit.compression.steps.cluster import Cluster
from tkit.kernels.centroids import Start
from tkit.library._settings import validated

_DEFAULT = Cluster()


@silenced()
def clusterable(
    model: keras.Model,
    clusters: int = _DEFAULT.clusters,
    *,
    scope: Literal["layer", "global"] = _DEFAULT.scope,
    start: Start = _DEFAULT.start,
    skip: Sequence[str] = (),
    seed: int = 0,
) -> keras.Model:
    """A model whose kernels' weights share a few values while it is trained; compile and fit it with `tkit.Schedule()`.

    Batch normalization is folded into the kernels first: it would scale shared values apart. A learning rate like
    Adam's 0.001 suits it.

    Args:
        model: functional or Sequential, trained; or what `prunable` returned, trained: zeros stay zeros. It isn't
            changed.
        clusters: distinct values of a kernel, the 0 of pruned weights among them.
        scope: `layer`: each kernel has values of its own; `global`: all kernels have the same, which zips smaller.
        start: where k-means begins: "kmeans++", at equal shares of the weights ("density"), at equal distances
            ("linear").
        skip: layers that stay as they are, by name or by kind such as "dense".
        seed: of k-means.

    Returns:
        An uncompiled `keras.Model` in the precision of `model`.

    Raises:
        InputError: no model whose graph is known, or settings that fit no layer.

    Source: Han et al. 2016, "Deep compression".

    Example:
        >>> model = tkit.clusterable(model, clusters=16)
        >>> model.compile("adam", loss)
        >>> model.fit(x, y, epochs=3, callbacks=[tkit.Schedule()])
    """
    step = validated(Cluster, "clusterable", clusters=clusters, scope=scope, start=start, skip=skip)
    together = step.scope == "global"
    state = opened(model)
    made = clustered(state, clusters=step.clusters, together=together, start=step.start, skip=step.skip, seed=seed)
    return trainable(made, model)
