"""A set of TensorFlow Datasets, prepared by its own builder in TFDS_DATA_DIR, by default ~/tensorflow_datasets."""

from __future__ import annotations

import os
import socket
import urllib.parse
import urllib.request
from typing import Any

from tkit_edge.errors import InputError


def prepared(name: str, own: str) -> Any:
    """The TFDS builder of the set `name`, its data prepared: downloaded where they weren't before.

    Args:
        name: as TFDS knows it, `imagenette/160px`; or the folder of a prepared set.
        own: what else a user can give, for the message where the data can't be had.

    Raises:
        InputError: TFDS or a package that the set needs isn't installed, no such set, or its data can't be had.
    """
    builder = known(name)
    if builder.info.splits:
        return builder  # prepared before
    hosts = {urllib.parse.urlsplit(url).hostname for url in builder.url_infos or ()}
    if offline := _unreachable(hosts):
        raise _not_there(name, own, f"{offline} can't be reached")
    try:
        builder.download_and_prepare()
    except ImportError as error:
        raise InputError(
            f"data 'tfds:{name}': preparing it needs the Python package {error.name!r}. "
            f"Install it (pip install {error.name})."
        ) from error
    except Exception as error:  # whatever a builder raises, it didn't give its data
        raise _not_there(name, own, _head(error)) from error
    return builder


def known(name: str) -> Any:
    """The TFDS builder of the set `name`, its data prepared or not.

    Raises:
        InputError: TFDS isn't installed, or no such set.
    """
    try:
        import tensorflow_datasets as tfds
    except ModuleNotFoundError as error:
        raise InputError(f"data 'tfds:{name}' needs TensorFlow Datasets: pip install 'keras-tkit[tfds]'") from error

    try:
        if os.path.isabs(name):
            return tfds.builder_from_directory(name)
        # TFDS reads the variable once, at its import; here it counts whenever it is set.
        return tfds.builder(name, data_dir=os.environ.get("TFDS_DATA_DIR"))
    except (tfds.core.DatasetNotFoundError, FileNotFoundError, ValueError, AssertionError) as error:
        raise InputError(f"data 'tfds:{name}': TFDS knows no such set. {_head(error)}") from error


def _not_there(name: str, own: str, reason: str) -> InputError:
    return InputError(
        f"data 'tfds:{name}' could not be downloaded and prepared: {reason}. Three ways to get "
        "data: connect to the network and run again; copy a prepared TFDS folder here from another "
        f"machine and name its parent in TFDS_DATA_DIR; or give your own {own}."
    )


def _unreachable(hosts: set[str | None]) -> str | None:
    """A host whose name doesn't resolve. TFDS itself retries for minutes before it reports that."""
    if urllib.request.getproxies():
        return None  # the proxy resolves names
    for host in sorted(host for host in hosts if host):
        try:
            socket.getaddrinfo(host, 443)
        except OSError:
            return host
    return None


def _head(error: Exception) -> str:
    """The first line of an error's text; TFDS lists all of its sets after it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
