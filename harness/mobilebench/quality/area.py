"""The area under the ROC curve, quick enough for thousands of resamples."""

from __future__ import annotations

import numpy as np

from mobilebench.models.array import Array


def codes(scores: Array) -> Array:
    """The place of each score among the different ones of its column, from 0.

    That is all that the area depends on. (count,) or (count, columns), as the scores.
    """
    if scores.ndim == 1:
        return np.unique(scores, return_inverse=True)[1]
    return np.stack([codes(column) for column in scores.T], axis=1)


def areas_under_curves(code: Array, truth: Array) -> Array:
    """Of each column, the chance that a positive sample scores higher than a negative one.

    Ties count half: scikit-learn's ``roc_auc_score``, as Mann and Whitney's U over counts of each
    score, since thousands of resamples must not be sorted again.

    Args:
        code: (count, columns) by ``codes``.
        truth: the same shape: whether the sample is positive.

    Returns:
        (columns,) from 0 to 1; NaN where all samples are of one kind.
    """
    columns, different = code.shape[1], int(code.max(initial=0)) + 1
    cell = code + different * np.arange(columns)
    cells = columns * different
    positive, negative = (
        np.bincount(cell[which], minlength=cells).reshape(columns, different)
        for which in (truth, ~truth)
    )
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    areas = np.full(columns, np.nan)
    np.divide((positive * below).sum(axis=1), pairs, out=areas, where=pairs > 0)
    return areas


def area_under_curve(code: Array, truth: Array) -> float:
    """The same of one column: (count,) each."""
    return float(areas_under_curves(code[:, None], truth[:, None])[0])
