"""Vectors that lie near each other where samples are alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobilebench.models.array import Array
from mobilebench.quality.task import QualityError, Rows, Task
from mobilebench.quality.values import choose, class_numbers, describe, squeezed

#: Samples whose neighbours are sought at once.
_BATCH = 1024


def _fits(labels: Array, outputs: Sequence[Array], _inputs: Sequence[Array]) -> tuple[int, ...]:
    wanted = squeezed(labels)
    if labels.dtype.kind not in "biuf" or (wanted.ndim == 1 and class_numbers(labels) is None):
        raise QualityError(f"{describe(labels)}, neither who a sample is of nor its embedding")

    def why_not(output: Array) -> str:
        vectors = squeezed(output)
        if vectors.ndim != 2:
            return f"has the shape {list(output.shape[1:])} a sample, and is no vector"
        if wanted.ndim > 1 and wanted.shape != (len(labels), *vectors.shape[1:]):
            return f"has {vectors.shape[1]} values, and labels {list(wanted.shape[1:])}"
        return ""

    return choose(outputs, why_not)


def _rows(outputs: Sequence[Array], labels: Array, _inputs: Sequence[Array]) -> dict[str, Array]:
    vectors, wanted = squeezed(outputs[0]).astype(np.float64), squeezed(labels)
    if wanted.ndim == 2:
        return {"cosine": (_unit(vectors) * _unit(wanted.astype(np.float64))).sum(axis=1)}
    return {"vector": _unit(vectors).astype(np.float32), "identity": wanted.astype(np.int64)}


def _unit(vectors: Array) -> Array:
    """Each at length 1; zero vectors stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Array = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit


def _gather(rows: Rows) -> Rows:
    """Whether one of a sample's nearest is of the same; samples without another are left out."""
    if "vector" not in rows:
        return rows
    vectors, identity = rows["vector"], rows["identity"]
    found: dict[str, list[Array]] = {"within_1": [], "within_5": []}
    for start in range(0, len(vectors), _BATCH):
        block = slice(start, start + _BATCH)
        near = vectors[block] @ vectors.T
        own = np.arange(len(near))
        near[own, start + own] = -np.inf
        same = identity[block][:, None] == identity
        same[own, start + own] = False
        # The nearest of the same: how many others are nearer?
        best = np.where(same, near, -np.inf).max(axis=1)
        nearer = ((near >= best[:, None]) & ~same).sum(axis=1)
        nearer[own] -= np.isneginf(best)
        mates = same.any(axis=1)
        for name, most in (("within_1", 1), ("within_5", 5)):
            found[name].append((nearer < most)[mates])
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _score(rows: Rows) -> dict[str, float]:
    if "cosine" in rows:
        return {"cosine": float(rows["cosine"].mean())}
    if not len(rows["within_1"]):
        return {}
    return {f"recall_at_{k}": float(rows[f"within_{k}"].mean()) for k in (1, 5)}


EMBEDDING = Task(
    name="embedding",
    metrics=("cosine", "recall_at_1", "recall_at_5"),
    fits=_fits,
    rows=_rows,
    score=_score,
    gather=_gather,
    counted={"recall_at_1": "within_1", "recall_at_5": "within_5"},
)
