"""Boxes with a class and a score: average precision, as COCO has it."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from mobilebench.models.array import Array
from mobilebench.quality.task import QualityError, Rows, Task
from mobilebench.quality.values import describe, is_whole, squeezed

#: How much of a box and its label must overlap, in ten steps; the first alone is ``map50``.
_OVERLAPS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0, 1, 101)
_SIDES: tuple[Literal["left"], Literal["right"]] = ("left", "right")

#: Detections of a class in an image beyond the best 100 do not count.
_MOST = 100


def _fits(labels: Array, outputs: Sequence[Array], _inputs: Sequence[Array]) -> tuple[int, ...]:
    if labels.dtype.kind not in "iuf" or labels.ndim != 3 or labels.shape[2] != 5:
        raise QualityError(f"{describe(labels)}, and not rows of class, ymin, xmin, ymax and xmax")
    sizes = {i: _boxes(out) for i, out in enumerate(outputs)}
    boxes = [i for i, found in sizes.items() if found is not None]
    if len(boxes) != 1:
        raise QualityError(
            f"{len(boxes)} outputs have the shape [detections, 4] of boxes, and one must; give "
            "decode(outputs) that returns boxes, classes, scores and, if it varies, their count"
        )
    most = int(np.prod(outputs[boxes[0]].shape[1:])) // 4
    columns = [i for i, out in enumerate(outputs) if i not in boxes and _columns(out) == most]
    counts = [
        i for i, out in enumerate(outputs) if i not in (*boxes, *columns) and _columns(out) == 1
    ]
    if len(columns) == 3 and most == 1 and not counts:
        columns, counts = columns[:2], columns[2:]
    if len(columns) != 2 or len(counts) > 1:
        raise QualityError(
            f"beside {most} boxes there must be {most} classes, {most} scores and at most one "
            "count; give decode(outputs) that returns them"
        )
    return (*boxes, *columns, *counts)


def _boxes(output: Array) -> Array | None:
    """Boxes as (count, detections, 4), or None if they are none."""
    if output.ndim >= 3 and output.shape[-1] == 4:
        boxes = output.reshape(len(output), -1, 4)
        if boxes.shape[1] in output.shape[1:]:
            return boxes
    return None


def _columns(output: Array) -> int:
    """How many values a sample has, if they stand in one row; else 0."""
    flat = squeezed(output)
    return int(flat.shape[1]) if flat.ndim == 2 else int(flat.ndim == 1)


def _rows(outputs: Sequence[Array], labels: Array, _inputs: Sequence[Array]) -> dict[str, Array]:
    boxes = _boxes(outputs[0])
    if boxes is None:
        raise QualityError("the first output of a detector must be its boxes")
    count, most = boxes.shape[:2]
    first, second = (output.reshape(count, most) for output in outputs[1:3])
    # The postprocessing operator gives classes, then scores; some exports swap them.
    swapped = is_whole(second) and not is_whole(first)
    classes, scores = (second, first) if swapped else (first, second)
    found = np.full(count, most)
    if len(outputs) > 3:
        found = np.clip(np.nan_to_num(outputs[3].reshape(count)), 0, most).astype(np.int64)
    there = np.arange(most) < found[:, None]
    numbers = np.where(there, np.rint(classes).astype(np.int64), -1)
    truths = np.where(labels[..., 0] >= 0, np.rint(labels[..., 0]), -1).astype(np.int64)
    return {
        "class": numbers,
        "score": scores.astype(np.float64),
        "counted": np.zeros((count, most), bool),
        "matched": np.zeros((count, most, len(_OVERLAPS)), bool),
        "truth": truths,
    } | _matches(boxes, numbers, scores, labels, truths)


def _matches(
    boxes: Array, classes: Array, scores: Array, labels: Array, truths: Array
) -> dict[str, Array]:
    """Which detections find a box of their class, at each overlap, by COCO's own code."""
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise QualityError(
            "detection needs pycocotools: pip install 'mobilebench[quality]'"
        ) from error
    count, most = classes.shape
    images = [{"id": image} for image in range(count)]
    # Also classes without a label here: other batches may have one, and then these are wrong.
    numbers = np.union1d(truths[truths >= 0], classes[classes >= 0])
    categories = [{"id": int(number)} for number in numbers]

    def annotations(corners: Array, numbers: Array, points: Array | None) -> list[dict[str, Any]]:
        found = []
        for image, place in zip(*np.nonzero(numbers >= 0), strict=True):
            top, left, bottom, right = (float(edge) for edge in corners[image, place])
            width, height = max(right - left, 0.0), max(bottom - top, 0.0)
            one = {
                # COCOeval takes a match with number 0 for none.
                "id": int(image) * numbers.shape[1] + int(place) + 1,
                "image_id": int(image),
                "category_id": int(numbers[image, place]),
                "bbox": [left, top, width, height],
                "area": width * height,
                "iscrowd": 0,
            }
            found.append(one if points is None else {**one, "score": float(points[image, place])})
        return found

    sides = []
    for entries in (
        annotations(labels[..., 1:], truths, None),
        annotations(boxes, classes, scores),
    ):
        side = COCO()
        side.dataset = {"images": images, "categories": categories, "annotations": entries}
        sides.append(side)
    counted = np.zeros((count, most), bool)
    matched = np.zeros((count, most, len(_OVERLAPS)), bool)
    with contextlib.redirect_stdout(io.StringIO()):
        for side in sides:
            side.createIndex()
        judge = COCOeval(*sides, iouType="bbox")
        judge.params.iouThrs, judge.params.maxDets = _OVERLAPS, [_MOST]
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.params.imgIds = list(range(count))
        judge.params.catIds = [entry["id"] for entry in categories]
        judge.evaluate()
    for one in judge.evalImgs:
        if one is None or not len(one["dtIds"]):
            continue
        image, place = np.divmod(np.asarray(one["dtIds"], np.int64) - 1, most)
        counted[image, place] = True
        matched[image, place] = one["dtMatches"].T > 0
    return {"counted": counted, "matched": matched}


def _score(rows: Rows) -> dict[str, float]:
    """The mean over the labelled classes, as COCOeval's ``accumulate`` has it, all at once."""
    truth = rows["truth"]
    classes, wanted = np.unique(truth[truth >= 0], return_counts=True)
    if not classes.size:
        return {"map": float("nan"), "map50": float("nan")}
    flat = rows["counted"].ravel() & np.isin(rows["class"].ravel(), classes)
    numbers, scores = rows["class"].ravel()[flat], rows["score"].ravel()[flat]
    # Class by class, the surest first.
    order = np.lexsort((-scores, numbers))
    number = np.searchsorted(classes, numbers[order])
    matched = rows["matched"].reshape(-1, len(_OVERLAPS))[flat][order]
    starts, ends = (np.searchsorted(number, np.arange(classes.size), side) for side in _SIDES)
    right = np.cumsum(np.vstack([np.zeros((1, len(_OVERLAPS)), np.int64), matched]), axis=0)
    right = right[1:] - right[starts[number]]
    precision = right / (np.arange(len(number)) - starts[number] + 1)[:, None]
    # The best that is still to come, in the same class: later classes lie lower by more than 1.
    lift = 2.0 * (classes.size - number)[:, None]
    precision = np.maximum.accumulate((precision + lift)[::-1], axis=0)[::-1] - lift
    stride = max(int(wanted.max()), len(number)) + 2
    reached = number[:, None] * stride + right
    asked = np.array([_hits(int(count)) for count in wanted])
    asked += np.arange(classes.size)[:, None] * stride
    each = np.zeros((classes.size, len(_OVERLAPS)))
    padded = np.vstack([precision, np.zeros((1, len(_OVERLAPS)))])
    for column in range(len(_OVERLAPS)):
        at = np.searchsorted(reached[:, column], asked)
        each[:, column] = np.where(at < ends[:, None], padded[at, column], 0).mean(axis=1)
    return {"map": float(each.mean()), "map50": float(each[:, 0].mean())}


@functools.lru_cache(maxsize=4096)
def _hits(wanted: int) -> Array:
    """How many of so many boxes must be found for each of the 101 recalls."""
    return np.searchsorted(np.arange(wanted + 1) / wanted, _RECALLS)


DETECTION = Task(
    name="detection",
    metrics=("map", "map50"),
    fits=_fits,
    rows=_rows,
    score=_score,
)
