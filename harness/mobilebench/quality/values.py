"""What labels and outputs are, whatever their shape and type."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mobilebench.models.array import Array
from mobilebench.quality.task import QualityError


def is_whole(values: Array) -> bool:
    """Whether all are whole numbers, in whichever type."""
    if values.dtype.kind in "biu":
        return True
    if values.dtype.kind != "f":
        return False
    return bool(np.isfinite(values).all()) and bool((values == np.rint(values)).all())


def is_yes_or_no(values: Array) -> bool:
    """Whether all are 0 or 1, or false or true."""
    return values.dtype.kind in "biuf" and bool(np.isin(values, (0, 1)).all())


def is_one_hot(values: Array) -> bool:
    """Whether each last axis, of two values or more, has exactly one 1 and zeros beside it."""
    return (
        values.ndim > 1
        and values.shape[-1] > 1
        and is_yes_or_no(values)
        and bool((values.sum(axis=-1) == 1).all())
    )


def squeezed(values: Array) -> Array:
    """Without axes of length 1, but for the samples': (count, 1, 1, k) becomes (count, k)."""
    return values.reshape(len(values), *(n for n in values.shape[1:] if n != 1))


def class_numbers(labels: Array) -> Array | None:
    """One class a sample, int64 (count,), of class numbers or one-hot rows; None if they are not.

    Raises:
        QualityError: a number is negative.
    """
    if labels.dtype.kind not in "biuf":
        return None
    flat = squeezed(labels)
    if flat.ndim == 2 and is_one_hot(flat):
        numbers: Array = flat.argmax(axis=1)
        return numbers
    if flat.ndim != 1 or not is_whole(flat):
        return None
    if flat.size and flat.min() < 0:
        raise QualityError(f"a label is {int(flat.min())}, and classes are numbered from 0")
    return flat.astype(np.int64)


def describe(labels: Array) -> str:
    """What labels are, for a sentence that begins with them."""
    if labels.dtype.kind in "US":
        return "labels are texts"
    shape = " × ".join(map(str, labels.shape[1:]))
    kind = "whole" if labels.dtype.kind in "biuf" and is_whole(labels) else "real"
    if labels.dtype.kind not in "biuf":
        return f"labels are of type {labels.dtype}"
    return f"labels are {shape or 'single'} {kind} numbers a sample"


class AmbiguousError(QualityError):
    """Labels fit several outputs alike."""


def choose(
    outputs: Sequence[Array],
    why_not: Callable[[Array], str],
    preferred: Callable[[Array], bool] | None = None,
) -> tuple[int]:
    """The position of the only output that fits.

    Args:
        outputs: the model's.
        why_not: the reason against one, in words that follow "it" or "output 2"; empty if none.
        preferred: whether one goes before others that fit as well.

    Raises:
        QualityError: none fits.
        AmbiguousError: several do, and not just one of them is preferred.
    """
    reasons = [why_not(output) for output in outputs]
    fitting = [position for position, reason in enumerate(reasons) if not reason]
    if len(fitting) > 1 and preferred is not None:
        better = [position for position in fitting if preferred(outputs[position])]
        fitting = better if len(better) == 1 else fitting
    if len(fitting) == 1:
        return (fitting[0],)
    if fitting:
        listed = " and ".join(map(str, fitting))
        raise AmbiguousError(
            f"outputs {listed} fit the labels alike; give decode(outputs) that returns one of them"
        )
    if len(outputs) == 1:
        raise QualityError(f"the output {reasons[0]}")
    each = "; ".join(f"output {position} {reason}" for position, reason in enumerate(reasons))
    raise QualityError(f"no output fits the labels: {each}")
