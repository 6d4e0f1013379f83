"""One class a pixel, or a position of any other kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobilebench.models.array import Array
from mobilebench.quality.task import QualityError, Rows, Task
from mobilebench.quality.values import choose, describe, is_one_hot, is_whole, squeezed

#: A label that says that this pixel does not count, as in Pascal VOC and Cityscapes.
IGNORED = 255

#: Classes of an output that gives their numbers: 0 to 254.
_MOST_CLASSES = 255

#: Above which a mask's value means yes: of probabilities, and of logits.
_THRESHOLDS = (0.5, 0.0)


def _numbers(labels: Array, output: Array) -> Array:
    """One class a position, (count, ...) without a last axis of length 1.

    One-hot rows are as large as the output. Masks are, too: of two axes a row with one 1 is more
    likely a thin line than a class.
    """
    if labels.ndim > 3 and labels.shape[1:] == output.shape[1:] and is_one_hot(labels):
        numbers: Array = labels.argmax(axis=-1)
        return numbers
    return labels[..., 0] if labels.ndim > 2 and labels.shape[-1] == 1 else labels


def _fits(labels: Array, outputs: Sequence[Array], _inputs: Sequence[Array]) -> tuple[int, ...]:
    if squeezed(labels).ndim < 2 or not is_whole(labels):
        raise QualityError(f"{describe(labels)}, and not one class a pixel")
    counted = labels[labels != IGNORED]
    if counted.size and counted.min() < 0:
        raise QualityError(
            f"a label is {int(counted.min())}, and classes are numbered from 0; 255 is ignored"
        )

    def why_not(output: Array) -> str:
        wanted = _numbers(labels, output)
        classes = _classes(output, wanted.shape[1:])
        if classes is None:
            return (
                f"has the shape {list(output.shape[1:])} a sample, and labels "
                f"{list(wanted.shape[1:])}: neither its positions nor those with classes"
            )
        highest = int(wanted[wanted != IGNORED].max(initial=0))
        if highest >= classes:
            return f"has {classes} classes, and labels go up to {highest}"
        return ""

    return choose(outputs, why_not)


def _classes(output: Array, positions: tuple[int, ...]) -> int | None:
    """How many classes an output tells apart; None if its shape is another."""
    shape = output.shape[1:]
    if shape == (*positions, 1):
        shape = positions
    if shape == positions and len(positions) > 1:
        return _MOST_CLASSES if output.dtype.kind in "biu" else 2
    return int(shape[-1]) if shape[:-1] == positions else None


def _rows(outputs: Sequence[Array], labels: Array, _inputs: Sequence[Array]) -> dict[str, Array]:
    output = outputs[0]
    wanted = _numbers(labels, output).astype(np.int64)
    classes = _classes(output, wanted.shape[1:])
    if classes is None:
        raise QualityError(
            f"an output has the shape {list(output.shape[1:])} a sample, "
            f"and its labels {list(wanted.shape[1:])}"
        )
    is_mask = (
        classes == 2 and output.dtype.kind == "f" and output.shape[1:] != (*wanted.shape[1:], 2)
    )
    if not is_mask:
        numbers = output if output.dtype.kind in "biu" else output.argmax(axis=-1)
        return _counts(numbers.reshape(wanted.shape), wanted, classes)
    values = output.reshape(wanted.shape)
    each = [_counts((values > limit).astype(np.int64), wanted, 2) for limit in _THRESHOLDS]
    rows = {name: np.stack([counts[name] for counts in each], axis=1) for name in each[0]}
    flat = values.reshape(len(values), -1)
    rows["is_share"] = np.all((flat >= 0) & (flat <= 1), axis=1)
    return rows


def _counts(found: Array, wanted: Array, classes: int) -> dict[str, Array]:
    """Of each sample, (count, classes): pixels of that class in both, and in either."""
    both = np.zeros((len(found), classes), np.int64)
    either = np.zeros_like(both)
    for row, (given, right) in enumerate(zip(found, wanted, strict=True)):
        counts = right != IGNORED
        given, right = given[counts].astype(np.int64), right[counts]  # noqa: PLW2901
        if given.size and not 0 <= int(given.min()) <= int(given.max()) < classes:
            raise QualityError(f"a pixel's class is not within 0 to {classes - 1}")
        both[row] = np.bincount(right[given == right], minlength=classes)
        either[row] = (
            np.bincount(given, minlength=classes)
            + np.bincount(right, minlength=classes)
            - both[row]
        )
    return {
        "both": both,
        "either": either,
        "pixels": (wanted != IGNORED).reshape(len(found), -1).sum(axis=1),
    }


def _gather(rows: Rows) -> Rows:
    """Of a mask, the threshold that all its values call for."""
    if "is_share" not in rows:
        return rows
    which = 0 if bool(rows["is_share"].all()) else 1
    return {name: rows[name][:, which] for name in ("both", "either", "pixels")}


def _score(rows: Rows) -> dict[str, float]:
    both, either = rows["both"].sum(axis=0), rows["either"].sum(axis=0)
    pixels, there = int(rows["pixels"].sum()), either > 0
    if not pixels:
        return {"miou": float("nan"), "pixel_accuracy": float("nan")}
    return {
        "miou": float((both[there] / either[there]).mean()),
        "pixel_accuracy": float(both.sum() / pixels),
    }


SEGMENTATION = Task(
    name="segmentation",
    metrics=("miou", "pixel_accuracy"),
    fits=_fits,
    rows=_rows,
    score=_score,
    gather=_gather,
)
