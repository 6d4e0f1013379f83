"""Boxes, against pycocotools' own sums and an example that was done by hand."""

import contextlib
import io

import numpy as np
import pytest
from mobilebench.models.array import Array
from mobilebench.quality.scoring import estimates
from mobilebench.quality.task import QualityError
from mobilebench.quality.tasks import find_task

from tests.support.boxes import images

pytest.importorskip("pycocotools")

DRAWS = np.random.default_rng(8)


def found(labels: Array, *outputs: Array) -> dict[str, float]:
    task = find_task(labels, outputs)
    batches = (slice(0, 1), slice(1, None))
    parts = [task.reduce([output[some] for output in outputs], labels[some]) for some in batches]
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {"task": task.name} | {s.name: s.value for s in estimates(task, rows, seed=1)}  # type: ignore[dict-item]


def by_pycocotools(labels: Array, outputs: list[Array]) -> list[float]:
    """COCOeval's own AP at .5:.95 and at .5."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    boxes, classes, scores, counts = outputs
    truths, given = [], []
    for image, rows in enumerate(labels):
        for number, top, left, bottom, right in rows:
            if number >= 0:
                box = [left, top, right - left, bottom - top]
                truths.append((image, int(number), box, None))
        for place in range(int(counts[image])):
            top, left, bottom, right = (float(edge) for edge in boxes[image, place])
            box = [left, top, max(right - left, 0), max(bottom - top, 0)]
            given.append((image, int(classes[image, place]), box, float(scores[image, place])))
    sides = []
    for entries in (truths, given):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image} for image in range(len(labels))],
            "categories": [{"id": number} for number in range(20)],
            "annotations": [
                {"id": i + 1, "image_id": image, "category_id": number, "bbox": box,
                 "area": box[2] * box[3], "iscrowd": 0, "score": score}
                for i, (image, number, box, score) in enumerate(entries)
            ],
        }  # fmt: skip
        sides.append(coco)
    with contextlib.redirect_stdout(io.StringIO()):
        for coco in sides:
            coco.createIndex()
        judge = COCOeval(*sides, iouType="bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return [float(judge.stats[0]), float(judge.stats[1])]


def test_it_is_pycocotools() -> None:
    labels, outputs = images(DRAWS, 30, 6, 4)
    exact, half = by_pycocotools(labels, outputs)
    assert 0.05 < exact < half < 0.95
    assert found(labels, *outputs) == {
        "task": "detection",
        "map": pytest.approx(exact),
        "map50": pytest.approx(half),
    }


def test_it_is_the_example_that_was_done_by_hand() -> None:
    """Two boxes of a class, found first and third: precision 1 up to half the recall, then 2/3."""
    truth = [[0, 0, 0, 0.4, 0.4], [0, 0.5, 0.5, 0.9, 0.9]]
    boxes = [[0, 0, 0.4, 0.4], [0.5, 0, 0.9, 0.4], [0.5, 0.5, 0.9, 0.9], [0, 0, 0, 0]]
    labels = np.array([truth, [[-1, 0, 0, 0, 0]] * 2])
    outputs = [
        np.array([boxes, np.zeros((4, 4))]),
        np.zeros((2, 4)),
        np.array([[0.9, 0.8, 0.7, 0.6], [0.9] * 4]),
        np.array([3.0, 0.0]),
    ]
    wanted = pytest.approx((51 * 1 + 50 * 2 / 3) / 101)  # of 101 recalls, 0 to 0.5 and the rest
    assert found(labels, *outputs) == {"task": "detection", "map": wanted, "map50": wanted}


def test_each_sample_may_be_a_batch_of_its_own() -> None:
    """A box of a class that no label of the batch has is wrong all the same."""
    labels, outputs = images(DRAWS, 12, 3, 6)
    task = find_task(labels, outputs)
    parts = [task.reduce([out[i : i + 1] for out in outputs], labels[i : i + 1]) for i in range(12)]
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    exact, half = by_pycocotools(labels, outputs)
    assert task.score(rows) == {"map": pytest.approx(exact), "map50": pytest.approx(half)}


def test_outputs_may_come_in_another_order_and_without_a_count() -> None:
    labels, (boxes, classes, scores, counts) = images(DRAWS, 12, 5, 3)
    wanted = found(labels, boxes, classes, scores, counts)
    assert found(labels, scores, boxes, counts[:, None], classes) == wanted
    everywhere = np.arange(10) < counts[:, None]
    all_there = found(labels, boxes, classes, np.where(everywhere, scores, -1))
    assert all_there.keys() == wanted.keys()


def test_the_right_boxes_alone_are_perfect_and_none_are_worth_nothing() -> None:
    labels, _ = images(DRAWS, 12, 5, 3)
    boxes, numbers = labels[..., 1:], np.maximum(labels[..., 0], 0)
    scores = np.where(labels[..., 0] >= 0, 0.5 + DRAWS.random(numbers.shape) / 2, 0)
    counts = (labels[..., 0] >= 0).sum(axis=1)
    assert found(labels, boxes, numbers, scores, counts)["map"] == 1
    assert found(labels, boxes, numbers, scores, 0 * counts)["map"] == 0


def test_what_are_no_boxes_says_why() -> None:
    labels, outputs = images(DRAWS, 4, 5, 3)
    with pytest.raises(QualityError, match="rows of class, ymin, xmin, ymax and xmax"):
        find_task(labels[..., :4], outputs, name="detection")
    with pytest.raises(QualityError, match="0 outputs have the shape"):
        find_task(labels, [np.zeros((4, 100, 85))], name="detection")
    with pytest.raises(QualityError, match="beside 10 boxes there must be 10 classes"):
        find_task(labels, outputs[:2], name="detection")
