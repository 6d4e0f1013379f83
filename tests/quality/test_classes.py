"""Classes: scores against scikit-learn and its published examples."""

import numpy as np
import pytest
from mobilebench.models.array import Array
from mobilebench.quality.scoring import estimates
from mobilebench.quality.task import QualityError, Task
from mobilebench.quality.tasks import TASKS, find_task
from sklearn import metrics

DRAWS = np.random.default_rng(5)


def scores(task: Task, labels: Array, *outputs: Array) -> dict[str, float]:
    return {s.name: s.value for s in estimates(task, task.reduce(outputs, labels), seed=1)}


def found(labels: Array, *outputs: Array) -> dict[str, float]:
    task = find_task(labels, outputs)
    return {"task": task.name, **scores(task, labels, *outputs)}  # type: ignore[dict-item]


def test_accuracy_and_top_5_are_scikit_learns() -> None:
    labels = DRAWS.integers(0, 12, 200)
    output = DRAWS.normal(size=(200, 12)) + 2 * np.eye(12)[labels]
    assert found(labels, output) == {
        "task": "classification",
        "accuracy": pytest.approx(metrics.accuracy_score(labels, output.argmax(axis=1))),
        "top5": pytest.approx(metrics.top_k_accuracy_score(labels, output, k=5)),
    }


def test_five_classes_have_no_top_5() -> None:
    labels = np.arange(20) % 5
    assert found(labels, np.eye(5)[labels]) == {"task": "classification", "accuracy": 1.0}


def test_of_equal_scores_the_first_class_counts() -> None:
    output = np.ones((12, 12))
    assert found(np.arange(12), output)["accuracy"] == 1 / 12
    assert found(np.arange(12), output)["top5"] == 5 / 12


@pytest.mark.parametrize(
    "labels",
    [
        np.array([2, 0, 1, 2]),
        np.array([2.0, 0.0, 1.0, 2.0], np.float32),
        np.array([[2], [0], [1], [2]], np.uint8),
        np.eye(3, dtype=np.float32)[[2, 0, 1, 2]],
    ],
    ids=["whole", "floats", "column", "one-hot"],
)
@pytest.mark.parametrize(
    "output",
    [
        np.array([[0.1, 0.2, 0.7], [0.9, 0.1, 0.0], [0.6, 0.3, 0.1], [0.0, 0.0, 1.0]], np.float32),
        np.array([2, 0, 0, 2], np.int64),
        np.array([[2], [0], [0], [2]], np.int32),
        np.array([2, 0, 0, 2], np.int64).reshape(4, 1, 1),
    ],
    ids=["scores", "argmax", "argmax column", "argmax map"],
)
def test_labels_and_argmax_outputs_of_any_form_are_understood(labels: Array, output: Array) -> None:
    assert found(labels, output) == {"task": "classification", "accuracy": 0.75}


def test_scores_may_have_axes_of_length_1() -> None:
    output = np.eye(4, dtype=np.float32)[[3, 1]].reshape(2, 1, 1, 4)
    assert found(np.array([3, 1]), output)["accuracy"] == 1.0


def test_the_area_is_scikit_learns_published_example() -> None:
    # roc_auc_score's and roc_curve's example: y = [0, 0, 1, 1], 0.75.
    labels, output = np.array([0, 0, 1, 1]), np.array([[0.1], [0.4], [0.35], [0.8]])
    assert found(labels, output) == {"task": "binary", "accuracy": 0.75, "auc": 0.75}


@pytest.mark.parametrize("decimals", [1, 8])
def test_the_area_is_scikit_learns_with_and_without_ties(decimals: int) -> None:
    labels = DRAWS.integers(0, 2, 300).astype(bool)
    output = np.round(labels + DRAWS.normal(size=300), decimals)[:, None]
    assert found(labels, output)["auc"] == pytest.approx(
        metrics.roc_auc_score(labels, output[:, 0])
    )


@pytest.mark.parametrize(
    ("output", "right"),
    [
        ([[0.4], [0.6], [0.7], [0.9]], 0.75),  # probabilities: above 0.5
        ([[-0.4], [0.2], [0.3], [4.0]], 0.75),  # logits: above 0
        ([[0.6, 0.4], [0.4, 0.6], [0.1, 0.9], [0.2, 0.8]], 0.75),  # two probabilities
        ([[3.0, 1.0], [1.0, 2.0], [-5.0, -3.0], [0.0, 8.0]], 0.75),  # two logits
    ],
    ids=["probability", "logit", "two probabilities", "two logits"],
)
def test_one_score_or_two_say_yes_or_no(output: list[list[float]], right: float) -> None:
    assert found(np.array([0, 0, 1, 1]), np.array(output)) == {
        "task": "binary",
        "accuracy": right,
        "auc": 1.0,
    }


def test_without_a_positive_sample_there_is_no_area() -> None:
    labels, output = np.zeros(12), DRAWS.random((12, 1))
    assert found(labels, output).keys() == {"task", "accuracy"}


def test_many_labels_a_sample_are_scikit_learns_macro_averages() -> None:
    labels = DRAWS.integers(0, 2, (200, 6)).astype(np.float32)
    labels[:, 0] = 0  # never there, and never said: no F1, no area
    logits = 2 * labels - 1 + DRAWS.normal(size=labels.shape)
    logits[:, 0] = -1
    # Scikit-learn refuses a column of one kind; its average over the others is meant.
    area = metrics.roc_auc_score(labels[:, 1:], logits[:, 1:], average="macro")
    f1 = metrics.f1_score(labels, logits > 0, average="macro", zero_division=np.nan)
    assert found(labels, logits) == {
        "task": "multilabel",
        "auc": pytest.approx(area),
        "f1": pytest.approx(f1),
    }
    assert found(labels, 1 / (1 + np.exp(-logits))) == found(labels, logits)


def test_the_output_that_fits_is_taken_of_several() -> None:
    labels, right = np.array([0, 2, 1]), np.eye(3)[[0, 2, 1]]
    boxes = DRAWS.random((3, 4, 4, 2))
    task = find_task(labels, [boxes, right])
    assert task.positions == (1,)
    assert scores(task, labels, boxes, right) == {"accuracy": 1.0}


@pytest.mark.parametrize(
    ("labels", "outputs", "reason"),
    [
        (np.arange(11), [np.zeros((11, 10))], "has 10 scores, and labels go up to 10"),
        (np.array([-1, 0]), [np.zeros((2, 10))], "a label is -1, and classes are numbered from 0"),
        (np.array([0.5, 1.0]), [np.zeros((2, 10))], "has the shape \\[10\\] a sample"),
        (np.eye(4), [np.zeros((4, 10))], "has the shape \\[10\\] a sample, and labels 4"),
        (np.array([3, 4]), [np.zeros((2, 5)), np.ones((2, 7))], "outputs 0 and 1 fit the labels"),
        (np.array([3, 4]), [np.zeros((2, 2)), np.ones((2, 3))], "output 0 has 2 scores.*output 1"),
        (np.array([np.nan, 4]), [np.zeros((2, 10))], "labels contain NaN or infinity"),
        (np.array([]), [np.zeros((0, 10))], "there are no labels"),
        (np.array([{}, {}]), [np.zeros((2, 10))], "labels are of type object"),
        (np.array(["a", "b"]), [np.zeros((2, 10))], "is no text, and labels are"),
    ],
)
def test_what_does_not_fit_says_why(labels: Array, outputs: list[Array], reason: str) -> None:
    with pytest.raises(QualityError, match=reason):
        find_task(labels, outputs)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (
            "multilabel",
            "multilabel does not fit: labels are single whole numbers a sample, and not",
        ),
        ("segmentation", "segmentation does not fit: labels are single whole numbers a sample"),
        ("detection", "and not rows of class, ymin, xmin, ymax and xmax"),
        ("transcription", "neither texts nor rows of symbols' numbers"),
        ("regression", "has the shape \\[10\\] a sample, and labels \\[\\]"),
        ("reconstruction", "labels mark anomalies, and there are no inputs"),
        ("clasification", "there is no task 'clasification'; did you mean classification\\?"),
    ],
)
def test_a_task_that_is_asked_for_says_why_it_does_not_fit(name: str, reason: str) -> None:
    with pytest.raises(QualityError, match=reason):
        find_task(np.array([0, 1, 1, 0]), [np.zeros((4, 10), np.float32)], name=name)


def test_every_task_is_found_by_its_own_name() -> None:
    assert all(name == task.name for name, task in TASKS.items())


@pytest.mark.parametrize("dtype", ["int64", "float32"])
def test_probabilities_go_before_features(dtype: str) -> None:
    """A head of scores is found beside features that are as many, and a head of one number."""
    labels = np.array([0, 1, 2, 3], dtype)
    features, value = np.full((4, 9), 7.0, np.float32), np.zeros((4, 1), np.float32)
    task = find_task(labels, [features, np.eye(4, dtype=np.float32), value])
    assert (task.name, task.positions) == ("classification", (1,))


def test_class_numbers_are_no_targets_where_several_outputs_score_classes() -> None:
    outputs = [np.full((4, 9), 7.0, np.float32), np.ones((4, 4), np.float32)]
    with pytest.raises(QualityError, match="outputs 0 and 1 fit the labels alike"):
        find_task(np.arange(4), [*outputs, np.zeros((4, 1), np.float32)])
