"""Whether two files come from one trained model: by what they were made of, or their weights."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np

from mobilebench.errors import BadInputError
from mobilebench.models.array import Array
from mobilebench.records.gate import Pair
from mobilebench.records.run import Run, StoredArtifact
from mobilebench.store.folder import RunFolder
from mobilebench.tflite.graph import parse

#: A constant of fewer values may be alike by chance, or be a shape.
_FEWEST_VALUES = 16
#: A file without more weights of its own than that was not trained apart.
_OWN = 0.001


def of_one_model(folder: RunFolder, run: Run, pair: Pair) -> bool:
    """Whether baseline and candidate are known to be one trained model.

    They are if both were made of one source, or if the candidate has no weights but the baseline's,
    in whatever order, or zeros: what differs then is how a file is made, or a fault of it, and no
    training. Even where only its last layer was trained anew, it has weights of its own.

    Args:
        folder: of the run, with the files.
        run: what was made.
        pair: of the gate.
    """
    made = run.artifacts_of(pair.model)
    baseline, candidate = made.get(pair.baseline), made.get(pair.candidate)
    if baseline is None or candidate is None:
        return False
    source = _source(baseline)
    if source and source == _source(candidate):
        return True
    return own_weights(_content(folder, candidate), _content(folder, baseline)) <= _OWN


def own_weights(candidate: bytes, baseline: bytes) -> float:
    """The share of a file's weights that the other does not have.

    Tensors of the same values in any order are the same; so are single float32 values wherever
    they lie, since those of two trainings hardly ever agree to the last bit, and zeros. A file
    without weights, or that is no .tflite, has all of its own.
    """
    ours, theirs = _weights(candidate, "the candidate"), _weights(baseline, "the baseline")
    total = sum(values.size for values in ours)
    if not total or not theirs:
        return 1.0
    known = Counter(map(_digest, theirs))
    rest = []
    for values in ours:
        if known[_digest(values)]:
            known[_digest(values)] -= 1
        else:
            rest.append(values)
    whole = sum(values.size for values in rest if values.dtype != np.float32)
    floats = _floats(rest)
    return (whole + floats.size - _common(floats, _floats(theirs))) / total


def _weights(content: bytes, where: str) -> list[Array]:
    """Each constant that may be one of weights, sorted."""
    try:
        graph = parse(content, where)
    except BadInputError:
        return []
    constants = {
        tensor.index: tensor
        for operator in graph.operators
        for tensor in operator.inputs
        if tensor is not None and tensor.content is not None
    }
    found = (tensor.values() for tensor in constants.values())
    return [
        np.sort(values, axis=None)
        for values in found
        if values is not None and values.size >= _FEWEST_VALUES and values.any()
    ]


def _digest(values: Array) -> bytes:
    return hashlib.sha256(values.dtype.str.encode() + values.tobytes()).digest()


def _floats(tensors: Sequence[Array]) -> Array:
    """All float32 values but zeros, which pruning makes of any."""
    found = [values[values != 0] for values in tensors if values.dtype == np.float32]
    return np.concatenate(found) if found else np.zeros(0, np.float32)


def _common(one: Array, other: Array) -> int:
    """How many values are in both, each as often as it is in the one that has it less often."""
    ours, our_counts = np.unique(one, return_counts=True)
    theirs, their_counts = np.unique(other, return_counts=True)
    _, left, right = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
    return int(np.minimum(our_counts[left], their_counts[right]).sum())


def _source(artifact: StoredArtifact) -> str:
    return str(artifact.provenance.document.get("source_sha256") or "")


def _content(folder: RunFolder, artifact: StoredArtifact) -> bytes:
    try:
        return folder.artifact(f"{artifact.sha256}.tflite").read_bytes()
    except OSError:
        return b""
