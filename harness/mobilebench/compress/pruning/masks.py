"""Pruning masks: single weights, blocks, or two of every four.

Kernels are as Keras has them, (…, inputs, outputs). A pattern is named as the runtime sees it,
outputs x inputs: ``1x16`` is sixteen inputs of one output, ``16x1`` one input of sixteen outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobilebench.models.array import Array

#: For each pattern, the outputs and inputs of which a block is zero as a whole.
BLOCKS = {"1x4": (1, 4), "1x16": (1, 16), "16x1": (16, 1)}
#: Two of every four neighbours along the inputs are zero (Mishra et al. 2021).
TWO_OF_FOUR = "2:4"


def fits(shape: Sequence[int], pattern: str | None) -> bool:
    """Whether a kernel (…, inputs, outputs) is made of whole blocks, or whole fours."""
    rows, columns = BLOCKS.get(pattern or "", (1, 4 if pattern == TWO_OF_FOUR else 1))
    return len(shape) >= 2 and shape[-1] % rows == 0 and shape[-2] % columns == 0


def follows(kernel: Array, pattern: str) -> bool:
    """Whether the zeros of a kernel lie in the pattern."""
    if pattern == TWO_OF_FOUR:
        return bool(((_fours(kernel) == 0).sum(axis=-2) >= 2).all())
    zero = kernel == 0
    zeros = _sums(zero, pattern)
    return bool(((zeros == 0) | (zeros == max(BLOCKS[pattern]))).all())


def leave_out(
    scores: Sequence[Array],
    shares: float | Sequence[float],
    pattern: str | None = None,
    matrices: Sequence[tuple[int, ...]] | None = None,
) -> list[Array]:
    """Masks that leave out the given share of weights, those of least score.

    Args:
        scores: one array a kernel; the pattern must fit each.
        shares: 0 to 1. One number ranks the weights of all kernels together, one for each
            kernel ranks each by itself. Exactly so much is left out, rounded to whole blocks.
        pattern: None for single weights. With 2:4 a share is at most a half.
        matrices: the shape in which each kernel is (…, inputs, outputs); its own unless given.
    """
    if matrices is not None:
        rows = [score.reshape(shape) for score, shape in zip(scores, matrices, strict=True)]
        masks = leave_out(rows, shares, pattern)
        return [mask.reshape(score.shape) for mask, score in zip(masks, scores, strict=True)]
    if not isinstance(shares, float | int):
        pairs = zip(scores, shares, strict=True)
        return [leave_out([score], share, pattern)[0] for score, share in pairs]
    ranked = [_ranked(score, pattern) for score in scores]
    every = np.concatenate([r.ravel() for r in ranked])
    count = round(shares * every.size)
    keep = np.ones(every.size, dtype=np.bool_)
    if count:
        keep[np.argpartition(every, count - 1)[:count]] = False
    edges = np.cumsum([r.size for r in ranked])[:-1]
    return [
        _spread(part.reshape(r.shape), pattern)
        for part, r in zip(np.split(keep, edges), ranked, strict=True)
    ]


def _ranked(score: Array, pattern: str | None) -> Array:
    """What is ranked: a number for each weight or block."""
    if pattern is None:
        return score
    if pattern != TWO_OF_FOUR:
        return _sums(score, pattern)
    fours = _fours(score)
    order = np.argsort(np.argsort(fours, axis=-2, kind="stable"), axis=-2)
    return np.where(order < 2, fours, np.inf).reshape(score.shape)  # the upper two always stay


def _spread(keep: Array, pattern: str | None) -> Array:
    """A mask of blocks as one of weights."""
    if pattern not in BLOCKS:
        return keep
    rows, columns = BLOCKS[pattern]
    return np.repeat(np.repeat(keep, columns, axis=-2), rows, axis=-1)


def _sums(values: Array, pattern: str) -> Array:
    rows, columns = BLOCKS[pattern]
    *rest, inputs, outputs = values.shape
    blocks = values.reshape(*rest, inputs // columns, columns, outputs // rows, rows)
    return np.asarray(blocks.sum(axis=(-3, -1)))


def _fours(values: Array) -> Array:
    *rest, inputs, outputs = values.shape
    return values.reshape(*rest, inputs // 4, 4, outputs)
