"""Several outputs, each with labels of its own, scored together."""

import numpy as np
import pytest
from mobilebench.quality.scoring import change, estimates
from mobilebench.quality.several import own_rows, together
from mobilebench.quality.task import QualityError
from mobilebench.quality.tasks import find_task, task_named

DRAWS = np.random.default_rng(6)
TRUE = np.arange(60) % 4


def rows_of(*shares: float) -> dict[str, np.ndarray]:
    """The rows of outputs that are right on such shares of the samples."""
    rows: dict[str, np.ndarray] = {}
    for place, share in enumerate(shares):
        answers = np.eye(4)[TRUE]
        wrong = slice(0, 60 - round(60 * share))
        answers[wrong] = np.roll(answers[wrong], 1, axis=1)
        task = find_task(TRUE, [answers])
        rows |= own_rows(place, task.reduce([answers], TRUE))
    return rows


def test_a_metric_of_several_outputs_is_their_mean() -> None:
    task = task_named("classification + classification")
    assert task is not None
    (accuracy,) = estimates(task, rows_of(1.0, 0.5))
    assert accuracy.value == pytest.approx(0.75)
    assert accuracy.low is not None
    assert accuracy.low < 0.75
    lost = change(task, "accuracy", rows_of(1.0, 0.5), rows_of(1.0, 0.2))
    assert lost.value == pytest.approx(-0.15)
    assert lost.high is not None
    assert lost.high < 0


def test_a_metric_of_one_output_is_its_own() -> None:
    classes = find_task(TRUE, [np.eye(4)[TRUE]])
    numbers = find_task(TRUE + 0.25, [np.zeros((60, 1))], name="regression")
    task = together([classes, numbers])
    assert task.name == "classification + regression"
    assert task.counted["accuracy"] == "0/" + classes.counted["accuracy"]


def test_outputs_that_are_scored_on_other_samples_have_no_common_score() -> None:
    vectors = DRAWS.normal(size=(60, 8))
    who = TRUE.copy()
    who[7] = 9  # is alone
    near = find_task(who, [vectors], name="embedding")
    classes = find_task(TRUE, [np.eye(4)[TRUE]])
    rows = own_rows(0, near.reduce([vectors], who)) | own_rows(
        1, classes.reduce([np.eye(4)[TRUE]], TRUE)
    )
    with pytest.raises(QualityError, match="not of the same samples"):
        estimates(together([near, classes]), rows)


def test_names_of_no_tasks() -> None:
    assert task_named("own") is None
    assert task_named("classification + chess") is None
