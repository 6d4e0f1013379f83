"""One class a sample, one of two, or any number of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mobilebench.models.array import Array
from mobilebench.models.similarity import has_classes
from mobilebench.quality.area import area_under_curve, areas_under_curves, codes
from mobilebench.quality.task import QualityError, Rows, Task
from mobilebench.quality.values import (
    choose,
    class_numbers,
    describe,
    is_yes_or_no,
    squeezed,
)

#: Of more classes than that the five first are told from the rest.
_TOP = 5


def _classification_fits(
    labels: Array, outputs: Sequence[Array], _inputs: Sequence[Array]
) -> tuple[int, ...]:
    numbers = class_numbers(labels)
    if numbers is None:
        raise QualityError(f"{describe(labels)}, neither class numbers nor one-hot rows")
    highest = int(numbers.max(initial=0))
    flat = squeezed(labels)
    wanted = flat.shape[1] if flat.ndim == 2 else 0

    def why_not(output: Array) -> str:
        scores = squeezed(output)
        if scores.ndim == 1:
            if scores.dtype.kind in "biu":
                return ""
            return "is one real number a sample, neither scores of classes nor a class number"
        if scores.ndim > 2:
            return f"has the shape {list(output.shape[1:])} a sample, not one score a class"
        if wanted and scores.shape[1] != wanted:
            return f"has {scores.shape[1]} scores, and one-hot labels have {wanted}"
        if highest >= scores.shape[1]:
            return f"has {scores.shape[1]} scores, and labels go up to {highest}"
        return ""

    # Features beside the scores may be as many.
    return choose(outputs, why_not, lambda output: has_classes(squeezed(output)))


def _classification_rows(
    outputs: Sequence[Array], labels: Array, _inputs: Sequence[Array]
) -> dict[str, Array]:
    numbers, scores = _numbers(labels), squeezed(outputs[0])
    if scores.ndim == 1:
        return {"predicted": scores.astype(np.int64), "right": scores == numbers}
    predicted = scores.argmax(axis=1)
    rows = {"predicted": predicted, "right": predicted == numbers}
    if scores.shape[1] > _TOP:
        # Of equal scores the first counts as higher, as of argmax.
        own = np.take_along_axis(scores, numbers[:, None], axis=1)
        earlier = np.arange(scores.shape[1]) < numbers[:, None]
        before = (scores > own) | ((scores == own) & earlier)
        rows["right_top5"] = before.sum(axis=1) < _TOP
    return rows


def _numbers(labels: Array) -> Array:
    numbers = class_numbers(labels)
    if numbers is None:
        raise QualityError(f"{describe(labels)}, neither class numbers nor one-hot rows")
    return numbers


def _classification_score(rows: Rows) -> dict[str, float]:
    found = {"accuracy": float(rows["right"].mean())}
    if "right_top5" in rows:
        found["top5"] = float(rows["right_top5"].mean())
    return found


CLASSIFICATION = Task(
    name="classification",
    metrics=("accuracy", "top5"),
    fits=_classification_fits,
    rows=_classification_rows,
    score=_classification_score,
    counted={"accuracy": "right", "top5": "right_top5"},
)


def _binary_fits(
    labels: Array, outputs: Sequence[Array], _inputs: Sequence[Array]
) -> tuple[int, ...]:
    numbers = class_numbers(labels)
    if numbers is None or int(numbers.max(initial=0)) > 1:
        raise QualityError(f"{describe(labels)}, and not all 0 or 1")

    def why_not(output: Array) -> str:
        scores = squeezed(output)
        if scores.dtype.kind != "f":
            return f"is of type {output.dtype}, and no score"
        if scores.ndim == 1 or (scores.ndim == 2 and scores.shape[1] == 2):
            return ""
        return f"has the shape {list(output.shape[1:])} a sample, and not one score or two"

    return choose(outputs, why_not)


def _binary_rows(
    outputs: Sequence[Array], labels: Array, _inputs: Sequence[Array]
) -> dict[str, Array]:
    truth, scores = _numbers(labels) == 1, squeezed(outputs[0])
    if scores.ndim == 1:
        return {"score": scores, "truth": truth}
    # Of probabilities and of logits alike: 0 is where both are equal, and argmax takes the first.
    lead = scores[:, 1] - scores[:, 0]
    return {"score": lead, "truth": truth, "right": (lead > 0) == truth}


def threshold(scores: Array) -> float:
    """Above which a score means yes: 0.5 of probabilities; 0 of logits, which leave 0..1."""
    return 0.5 if bool(((scores >= 0) & (scores <= 1)).all()) else 0.0


def _binary_gather(rows: Rows) -> Rows:
    right = rows.get("right")
    if right is None:
        right = (rows["score"] > threshold(rows["score"])) == rows["truth"]
    return {"code": codes(rows["score"]), "truth": rows["truth"], "right": right}


def _binary_score(rows: Rows) -> dict[str, float]:
    return {
        "accuracy": float(rows["right"].mean()),
        "auc": area_under_curve(rows["code"], rows["truth"]),
    }


BINARY = Task(
    name="binary",
    metrics=("accuracy", "auc"),
    fits=_binary_fits,
    rows=_binary_rows,
    score=_binary_score,
    gather=_binary_gather,
    counted={"accuracy": "right"},
)


def _multilabel_fits(
    labels: Array, outputs: Sequence[Array], _inputs: Sequence[Array]
) -> tuple[int, ...]:
    wanted = squeezed(labels)
    if wanted.ndim != 2 or not is_yes_or_no(wanted):
        raise QualityError(f"{describe(labels)}, and not a row of 0 and 1")

    def why_not(output: Array) -> str:
        scores = squeezed(output)
        if scores.ndim == 2 and scores.shape[1] == wanted.shape[1]:
            return ""
        return f"has the shape {list(output.shape[1:])} a sample, and labels {wanted.shape[1]}"

    return choose(outputs, why_not)


def _multilabel_rows(
    outputs: Sequence[Array], labels: Array, _inputs: Sequence[Array]
) -> dict[str, Array]:
    return {"score": squeezed(outputs[0]), "truth": squeezed(labels).astype(bool)}


def _multilabel_gather(rows: Rows) -> Rows:
    scores = rows["score"]
    return {
        "code": codes(scores),
        "truth": rows["truth"],
        "predicted": scores > threshold(scores),
    }


def _multilabel_score(rows: Rows) -> dict[str, float]:
    truth, predicted = rows["truth"], rows["predicted"]
    areas = areas_under_curves(rows["code"], truth)
    right, all_yes = (truth & predicted).sum(axis=0), truth.sum(axis=0) + predicted.sum(axis=0)
    return {
        "auc": _mean(areas),
        "f1": _mean(2 * right[all_yes > 0] / all_yes[all_yes > 0]),
    }


def _mean(values: Array) -> float:
    """The mean of those that are defined."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


MULTILABEL = Task(
    name="multilabel",
    metrics=("auc", "f1"),
    fits=_multilabel_fits,
    rows=_multilabel_rows,
    score=_multilabel_score,
    gather=_multilabel_gather,
)
