"""Pixels' classes, against a confusion matrix of scikit-learn and by hand."""

import numpy as np
import pytest
from mobilebench.models.array import Array
from mobilebench.quality.scoring import estimates
from mobilebench.quality.task import QualityError
from mobilebench.quality.tasks import find_task
from sklearn import metrics

DRAWS = np.random.default_rng(7)


def found(labels: Array, output: Array) -> dict[str, float]:
    task = find_task(labels, [output])
    # In two batches, as they come.
    parts = [task.reduce([output[some]], labels[some]) for some in (slice(0, 1), slice(1, None))]
    rows = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {"task": task.name} | {s.name: s.value for s in estimates(task, rows, seed=1)}  # type: ignore[dict-item]


@pytest.fixture
def maps() -> tuple[Array, Array]:
    """Labels of five images with four classes, and scores that are right for most pixels."""
    labels = DRAWS.integers(0, 4, (5, 9, 7))
    return labels, np.eye(4)[labels] + DRAWS.normal(0, 0.5, (5, 9, 7, 4))


def test_it_is_scikit_learns_jaccard_score(maps: tuple[Array, Array]) -> None:
    labels, output = maps
    numbers = output.argmax(axis=-1)
    wanted = {
        "task": "segmentation",
        "miou": pytest.approx(
            metrics.jaccard_score(labels.ravel(), numbers.ravel(), average="macro")
        ),
        "pixel_accuracy": pytest.approx((labels == numbers).mean()),
    }
    assert found(labels, output) == wanted
    assert found(labels[..., None].astype(np.float32), output) == wanted
    assert found(np.eye(4)[labels], output) == wanted
    assert found(labels, numbers) == wanted
    assert found(labels, numbers[..., None].astype(np.uint8)) == wanted


def test_it_is_the_example_that_was_done_by_hand() -> None:
    labels = np.array([[[0, 0], [1, 1]], [[0, 1], [1, 1]]])
    output = np.array([[[0, 1], [1, 1]], [[0, 1], [1, 0]]])
    # Class 0: 2 of 4 pixels; class 1: 4 of 6.
    assert found(labels, output) == {
        "task": "segmentation",
        "miou": pytest.approx((2 / 4 + 4 / 6) / 2),
        "pixel_accuracy": 6 / 8,
    }


def test_pixels_labelled_255_do_not_count(maps: tuple[Array, Array]) -> None:
    labels, output = maps
    numbers, ignored = output.argmax(axis=-1), DRAWS.random(labels.shape) < 0.3
    marked = np.where(ignored, 255, labels).astype(np.uint8)
    wanted = metrics.jaccard_score(labels[~ignored], numbers[~ignored], average="macro")
    assert found(marked, output)["miou"] == pytest.approx(wanted)
    assert found(np.full_like(marked, 255), output) == {"task": "segmentation"}


@pytest.mark.parametrize("scale", [1.0, 8.0], ids=["shares", "logits"])
def test_a_mask_is_above_a_half_or_above_zero(scale: float) -> None:
    truth = DRAWS.integers(0, 2, (6, 8, 8))
    shares = np.clip(0.5 + (truth - 0.5) * 0.8 + DRAWS.normal(0, 0.3, truth.shape), 0, 1)
    output = (shares if scale == 1 else (shares - 0.5) * scale)[..., None]
    wanted = metrics.jaccard_score(truth.ravel(), (shares > 0.5).ravel(), average="macro")
    assert found(truth, output)["miou"] == pytest.approx(wanted)


def test_a_thin_line_is_no_class() -> None:
    """Each row of these masks has exactly one 1, as a one-hot label has."""
    truth = np.eye(8)[DRAWS.integers(0, 8, (4, 8))]
    assert found(truth, truth[..., None] * 0.9) == {
        "task": "segmentation",
        "miou": 1.0,
        "pixel_accuracy": 1.0,
    }
    nothing = found(truth, 0 * truth)
    assert nothing["pixel_accuracy"] == 7 / 8
    assert nothing["miou"] == pytest.approx(7 / 16)


def test_what_is_no_map_of_classes_says_why() -> None:
    labels = np.zeros((2, 8, 8), np.uint8)
    with pytest.raises(
        QualityError, match=r"has the shape \[4, 4, 3\] a sample, and labels \[8, 8"
    ):
        find_task(labels, [np.zeros((2, 4, 4, 3))])
    with pytest.raises(QualityError, match="has 3 classes, and labels go up to 7"):
        find_task(labels + 7, [np.zeros((2, 8, 8, 3))], name="segmentation")
    with pytest.raises(QualityError, match="a label is -1"):
        find_task(labels - 1.0, [np.zeros((2, 8, 8, 3))], name="segmentation")
    task = find_task(labels, [np.zeros((2, 8, 8), np.int32)])
    with pytest.raises(QualityError, match="not within 0 to 254"):
        task.reduce([np.full((2, 8, 8), 300, np.int32)], labels)
