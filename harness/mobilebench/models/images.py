"""The two large sets of small images: MNIST and Fashion-MNIST, 60,000 + 10,000 each.

Neither is shipped. Fashion-MNIST (Xiao, Rasul and Vollgraf 2017) is taken from Debian's package
``dataset-fashion-mnist`` where that is installed; else Keras downloads the set once and keeps it.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np

from mobilebench.errors import BadInputError, first_line
from mobilebench.models.array import Array

#: How a suite names each set, and how results call it.
NAMES = {"mnist": "mnist-full", "fashion-mnist": "fashion-mnist"}

#: Where Debian's package puts its files (IDX format, gzip).
_DEBIAN = Path("/usr/share/datasets/fashion-mnist")
_FILES = {
    "x_train": "train-images-idx3-ubyte.gz",
    "y_train": "train-labels-idx1-ubyte.gz",
    "x_test": "t10k-images-idx3-ubyte.gz",
    "y_test": "t10k-labels-idx1-ubyte.gz",
}
#: The file that Keras' own loader keeps, and its SHA-256.
_KERAS_MNIST = Path.home() / ".keras" / "datasets" / "mnist.npz"
_KERAS_MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def load(source: str) -> dict[str, Array]:
    """``x_train`` (60000, 28, 28) and ``y_train``, ``x_test`` (10000, 28, 28) and ``y_test``.

    Args:
        source: ``mnist`` or ``fashion-mnist``.

    Raises:
        BadInputError: it is not on this machine and could not be downloaded.
    """
    if source == "fashion-mnist" and _DEBIAN.is_dir():
        return {key: read_idx(_DEBIAN / name) for key, name in _FILES.items()}
    if source == "mnist" and _is_kept():
        with np.load(_KERAS_MNIST, allow_pickle=False) as archive:  # without TensorFlow
            return {key: archive[key] for key in _FILES}
    try:
        import keras

        name = source.replace("-", "_")
        (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    except Exception as error:
        raise BadInputError(
            f"data {source!r} could not be downloaded ({first_line(error)}); "
            + (
                "on Debian and Ubuntu: apt install dataset-fashion-mnist"
                if source == "fashion-mnist"
                else "use mnist-subset, which is shipped"
            )
        ) from error
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def read_idx(path: Path) -> Array:
    """An IDX file of unsigned bytes, as MNIST's makers defined the format.

    Raises:
        BadInputError: it is torn or no such file.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise BadInputError(f"{path} cannot be read: {first_line(error)}") from error
    dimensions = content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    shape = tuple(np.frombuffer(content[4 : 4 + 4 * dimensions], dtype=">u4").tolist())
    values = np.frombuffer(content[4 + 4 * dimensions :], dtype=np.uint8)
    if not dimensions or values.size != np.prod(shape):
        raise BadInputError(f"{path} is torn or no IDX file of bytes")
    return values.reshape(shape)


def _is_kept() -> bool:
    try:
        return hashlib.sha256(_KERAS_MNIST.read_bytes()).hexdigest() == _KERAS_MNIST_SHA256
    except OSError:
        return False
