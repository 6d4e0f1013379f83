"""Labels: class numbers to train by, and whatever else a task is scored by."""

from __future__ import annotations

import numpy as np

from mobilebench.errors import BadInputError
from mobilebench.models.array import Array


def class_numbers(y: Array, where: str) -> Array:
    """The labels that a classifier is trained by, as int64 (count,).

    Args:
        y: (count,) or (count, 1) whole numbers.
        where: what error messages call them.

    Raises:
        BadInputError: they are something else; the sentence says what, and what to give instead.
    """
    flat = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if flat.ndim == 1 and np.issubdtype(flat.dtype, np.integer):
        if len(flat) and int(flat.min()) < 0:
            raise BadInputError(f"{where} has label {int(flat.min())}: labels count from 0")
        return flat.astype(np.int64)
    raise BadInputError(
        f"{where} must be one whole class index a sample, not {y.dtype} of shape {y.shape}: "
        + _advice(flat)
    )


def are_classes(y: Array) -> bool:
    """Whether they look like one class a sample: whole numbers from 0, or exactly one 1 a row."""
    flat = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if flat.ndim == 1:
        return _are_whole(flat) and bool((flat >= 0).all())
    return is_one_hot(flat)


def is_one_hot(y: Array) -> bool:
    """Whether each of the rows (count, classes) has exactly one 1, and zeros."""
    if y.ndim != 2 or y.shape[1] < 2 or not y.size:
        return False
    return bool(np.isin(y, (0, 1)).all() and ((y == 1).sum(axis=1) == 1).all())


def described(y: Array) -> str:
    """What the labels are, in a clause."""
    if y.dtype.kind not in "biuf":
        return f"these are {y.dtype}"
    if y.ndim == 2 and y.size and bool(np.isin(y, (0, 1)).all()):
        return f"these are {y.shape[1]} yes-or-no labels a sample, of which any number may be 1"
    if y.ndim < 2:
        return "these are real numbers, as the targets of a regression"
    shape = " x ".join(map(str, y.shape[1:]))
    return f"these are {shape} {'whole' if _are_whole(y) else 'real'} numbers a sample"


def as_bytes(y: Array) -> Array:
    """Text labels (count,) as UTF-8, padded with zeros: uint8 (count, longest)."""
    encoded = [str(text).encode() for text in y.ravel()]
    longest = max(1, *(len(text) for text in encoded))
    rows = [np.frombuffer(text.ljust(longest, b"\0"), np.uint8) for text in encoded]
    return np.stack(rows)


def _advice(y: Array) -> str:
    """What the labels are, and how they become class numbers, if they can."""
    if y.dtype.kind not in "biuf":
        return "number the classes from 0"
    if y.ndim == 1 and _are_whole(y):
        return "if these are class numbers, give y.astype(int)"
    if is_one_hot(y):
        return "each row has exactly one 1, so give y.argmax(axis=1)"
    return (
        f"{described(y)}, and training needs one class number a sample; give those, or "
        "leave the labels out and the samples as x_calibration"
    )


def _are_whole(y: Array) -> bool:
    return y.dtype.kind in "biu" or (
        y.dtype.kind == "f" and bool((np.isfinite(y) & (y == np.rint(y))).all())
    )
