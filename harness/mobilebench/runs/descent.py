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
#: Files share this part of their weights if one is made of the other.
_SHARED = 0.5


def of_one_model(folder: RunFolder, run: Run, pair: Pair) -> bool:
    """Whether baseline and candidate are known to be one trained model.

    They are if both were made of one source, or if at least half of their weights are the same
    numbers, in whatever order: what differs then is how a file is made, or a fault of it, and no
    other training. Files that were trained apart share next to nothing.

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
    return shared_weights(_content(folder, baseline), _content(folder, candidate)) >= _SHARED


def shared_weights(one: bytes, other: bytes) -> float:
    """The share of one file's weights that the other has, too.

    Tensors of the same values in any order are the same; so are single float32 values wherever
    they lie, since those of two trainings hardly ever agree to the last bit. A file that is no
    .tflite shares nothing.
    """
    ours, theirs = _weights(one, "the baseline"), _weights(other, "the candidate")
    total = sum(values.size for values in ours)
    if not total:
        return 0.0
    known = Counter(map(_digest, theirs))
    whole = 0
    for values in ours:
        if known[_digest(values)]:
            known[_digest(values)] -= 1
            whole += values.size
    return max(whole, _common(_floats(ours), _floats(theirs))) / total


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
    """All float32 values but 0, which pruning makes of any."""
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
