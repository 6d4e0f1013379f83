"""Labels: one class number a sample, and a sentence on whatever else was given in their place."""

from __future__ import annotations

import numpy as np

from mobilebench.errors import BadInputError
from mobilebench.models.array import Array


def class_numbers(y: Array, where: str) -> Array:
    """The labels as int64 (count,).

    Args:
        y: (count,) or (count, 1) whole numbers.
        where: what error messages call them.

    Raises:
        BadInputError: they are something else; the sentence says what, and what to give instead.
    """
    flat = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if flat.ndim == 1 and np.issubdtype(flat.dtype, np.integer):
        return flat.astype(np.int64)
    raise BadInputError(
        f"{where} must be one whole class index a sample, not {y.dtype} of shape {y.shape}: "
        + _advice(flat)
    )


def _advice(y: Array) -> str:
    """What the labels are, and how they become class numbers, if they can."""
    if y.dtype.kind not in "biuf":
        return "number the classes from 0"
    whole = y.dtype.kind != "f" or bool((np.isfinite(y) & (y == np.rint(y))).all())
    if y.ndim == 1 and whole:
        return "if these are class numbers, give y.astype(int)"
    if _is_one_hot(y):
        return "each row has exactly one 1, so give y.argmax(axis=1)"
    return (
        f"{_described(y, whole)}, and accuracy needs one class number a sample; give those, or "
        "leave the labels out and the samples as x_calibration"
    )


def _is_one_hot(y: Array) -> bool:
    if y.ndim != 2 or not y.size:
        return False
    return bool((np.isin(y, (0, 1)).all(axis=1) & ((y == 1).sum(axis=1) == 1)).all())


def _described(y: Array, whole: bool) -> str:
    if y.ndim == 2 and y.size and bool(np.isin(y, (0, 1)).all()):
        return f"these are {y.shape[1]} yes-or-no labels a sample, of which any number may be 1"
    if y.ndim < 2:
        return "these are real numbers, as the targets of a regression"
    shape = " x ".join(map(str, y.shape[1:]))
    return f"these are {shape} {'whole' if whole else 'real'} numbers a sample"
