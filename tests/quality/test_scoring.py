"""Intervals and differences: exact where right and wrong is counted, seeded resamples elsewhere."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mobilebench.models.array import Array
from mobilebench.quality import scoring, shares, transcription
from mobilebench.quality.own import own
from mobilebench.quality.scoring import change, estimates
from mobilebench.quality.task import QualityError, Task, take
from mobilebench.quality.tasks import TASKS, find_task
from scipy import stats

from tests.support.boxes import images

DRAWS = np.random.default_rng(11)
COUNT = 40


def _detections() -> tuple[Array, list[Array]]:
    labels, _ = images(DRAWS, COUNT, 4, 3)
    there = labels[..., 0] >= 0
    scores = np.where(there, 0.5 + DRAWS.random(there.shape) / 2, 0)
    return labels, [labels[..., 1:], np.maximum(labels[..., 0], 0), scores, there.sum(axis=1)]


def perfect() -> dict[str, tuple[Array, list[Array]]]:
    """By task: labels, and the outputs that are right throughout."""
    classes = DRAWS.permutation(np.arange(COUNT) % 8)
    yes = (np.arange(COUNT) % 2)[:, None]
    many = DRAWS.integers(0, 2, (COUNT, 5))
    values = DRAWS.normal(size=(COUNT, 2))
    pixels = DRAWS.integers(0, 3, (COUNT, 6, 6))
    pictures = DRAWS.random((COUNT, 4, 4, 1))
    texts = np.array([f"word {i} of {i % 7}" for i in range(COUNT)])
    return {
        "classification": (classes, [np.eye(8)[classes]]),
        "binary": (yes, [yes + 0.0]),
        "multilabel": (many, [many + 0.0]),
        "regression": (values, [values]),
        "segmentation": (pixels, [np.eye(3)[pixels]]),
        "detection": _detections(),
        "reconstruction": (pictures, [pictures]),
        "embedding": (classes, [np.eye(8)[classes]]),
        "transcription": (texts, [transcription.encode(texts)]),
    }


BEST = {"mae": 0, "rmse": 0, "mse": 0, "wer": 0, "cer": 0, "psnr": 100}
CASES = perfect()


def blurred(name: str) -> tuple[Task, Array, list[Array]]:
    """A task whose answers are right for the most part."""
    labels, outputs = CASES[name]
    if name == "transcription":
        wrong = np.array([str(text).replace("of 3", "off 4") for text in labels])
        outputs = [transcription.encode(wrong)]
    else:
        # Draws of its own: whichever tests run, some scores are wrong.
        spread = 0.03 if name == "detection" else 0.5
        noise = np.random.default_rng(5).normal(0, spread, outputs[0].shape)
        outputs = [outputs[0] + noise, *outputs[1:]]
    return find_task(labels, outputs, name=name), labels, outputs


def test_every_task_is_tested() -> None:
    assert CASES.keys() == TASKS.keys()


@pytest.mark.parametrize("name", TASKS)
def test_right_answers_have_the_best_scores(name: str) -> None:
    labels, outputs = CASES[name]
    task = find_task(labels, outputs, name=name)
    scores = {s.name: s.value for s in estimates(task, task.reduce(outputs, labels), seed=1)}
    assert scores.keys() <= set(task.metrics)
    assert scores == {metric: pytest.approx(BEST.get(metric, 1)) for metric in scores}


@pytest.mark.parametrize("name", TASKS)
def test_the_order_of_samples_and_batches_does_not_matter(name: str) -> None:
    task, labels, outputs = blurred(name)
    whole = task.reduce(outputs, labels)
    order = DRAWS.permutation(COUNT)
    parts = [
        task.reduce([output[some] for output in outputs], labels[some])
        for some in np.array_split(order, 3)
    ]
    batches = {key: np.concatenate([part[key] for part in parts]) for key in whole}
    wanted = task.score(task.gather(whole))
    assert task.score(task.gather(batches)) == {k: pytest.approx(v) for k, v in wanted.items()}


@pytest.mark.parametrize("name", TASKS)
def test_intervals_hold_the_value_and_are_seeded(name: str) -> None:
    task, labels, outputs = blurred(name)
    rows = task.reduce(outputs, labels)
    scores = estimates(task, rows, seed=3)
    assert scores == estimates(task, rows, seed=3)
    assert scores[0].name in task.metrics
    for score in scores:
        assert score.low is not None
        assert score.high is not None
        assert score.low <= score.value <= score.high
        same = change(task, score.name, rows, rows, seed=3)
        assert same.value == 0
        assert same.low is not None
        assert same.high is not None
        assert same.low <= 0 <= same.high


def test_a_share_has_the_exact_interval() -> None:
    # Clopper and Pearson's: 8 of 10, as tables have it.
    assert shares.interval(8, 10) == pytest.approx((0.4439, 0.9748), abs=5e-5)
    assert shares.interval(10, 10) == (pytest.approx(0.025 ** (1 / 10)), 1.0)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.93])
def test_the_exact_interval_covers_what_it_says(share: float) -> None:
    n = 30
    covered = sum(
        stats.binom.pmf(right, n, share)
        for right in range(n + 1)
        if shares.interval(right, n)[0] <= share <= shares.interval(right, n)[1]
    )
    assert covered >= 0.95


def test_a_difference_is_of_pairs() -> None:
    """The same samples wrong twice tell no difference: far narrower than of two other sets."""
    before = np.ones(400, bool)
    before[:80] = False
    after = before.copy()
    after[80:84] = False
    task = TASKS["classification"]
    found = change(task, "accuracy", {"right": before}, {"right": after})
    assert found.value == pytest.approx(-0.01)
    assert (found.low, found.high) == pytest.approx(shares.paired_interval(316, 320, 400, 4))
    assert found.low is not None
    assert found.low > -0.03


def test_a_resampled_difference_is_of_pairs() -> None:
    target = DRAWS.normal(size=(200, 1))
    error = DRAWS.normal(size=(200, 1))
    task = TASKS["regression"]
    before, after = ({"target": target, "error": e} for e in (error, error * 1.02))
    found = change(task, "mae", before, after, seed=5)
    own_score = estimates(task, before, seed=5)[0]
    assert found.low is not None
    assert found.high is not None
    assert own_score.low is not None
    assert own_score.high is not None
    assert 0 < found.low < found.value < found.high
    assert found.high - found.low < 0.1 * (own_score.high - own_score.low)
    assert found.value == pytest.approx(0.02 * own_score.value)


def test_the_interval_is_scipys_bca() -> None:
    error = DRAWS.exponential(size=(60, 1))
    rows = {"target": DRAWS.normal(size=(60, 1)), "error": error}
    score = estimates(TASKS["regression"], rows, seed=7)[0]
    plain = stats.bootstrap(
        (error[:, 0],), np.mean, method="BCa", n_resamples=2000, rng=np.random.default_rng(7)
    ).confidence_interval
    assert (score.low, score.high) == pytest.approx((plain.low, plain.high))


def test_the_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many samples are resampled less often, and never one by one."""
    calls = []
    task = TASKS["regression"]

    def counted(rows: dict[str, Array]) -> dict[str, float]:
        calls.append(len(rows["error"]))
        return {"mae": float(np.abs(rows["error"]).mean())}

    counting = Task("regression", ("mae",), task.fits, task.rows, counted)  # type: ignore[arg-type]
    n = scoring._MOST_CORRECTED + 1
    monkeypatch.setattr(scoring, "_WORK", 0)
    rows = {"target": np.zeros((n, 1)), "error": DRAWS.normal(size=(n, 1))}
    assert estimates(counting, rows)[0].low is not None
    assert len(calls) < scoring._FEWEST_RESAMPLES + 10


def test_few_samples_and_constants_have_no_interval() -> None:
    task = TASKS["regression"]
    few = {"target": DRAWS.normal(size=(9, 1)), "error": DRAWS.normal(size=(9, 1))}
    assert {score.low for score in estimates(task, few)} == {None}
    constant = {"target": DRAWS.normal(size=(50, 1)), "error": np.ones((50, 1))}
    assert estimates(task, constant)[0].low is None


def test_where_resamples_often_lack_a_class_there_is_no_interval() -> None:
    truth = np.arange(30) < 1  # a third of all resamples has no positive sample
    rows = {"score": DRAWS.normal(size=30), "truth": truth}
    accuracy, area = estimates(TASKS["binary"], rows)
    assert accuracy.low is not None
    assert area.low is None


def test_what_is_not_alike_is_not_compared() -> None:
    task = TASKS["classification"]
    with pytest.raises(ValueError, match="30 and 40 samples"):
        change(task, "accuracy", {"right": np.ones(30, bool)}, {"right": np.ones(40, bool)})
    with pytest.raises(QualityError, match="have no top5"):
        change(task, "top5", {"right": np.ones(30, bool)}, {"right": np.ones(30, bool)})


@given(st.integers(1, 40), st.data())
@settings(max_examples=50, deadline=None)
def test_a_paired_interval_holds_the_difference(n: int, data: st.DataObject) -> None:
    gained = data.draw(st.integers(0, n))
    lost = data.draw(st.integers(0, n - gained))
    right = data.draw(st.integers(gained, n - lost))
    low, high = shares.paired_interval(right, right - gained + lost, n, gained + lost)
    assert -1 <= low <= (gained - lost) / n <= high <= 1


def test_all_cells_of_a_small_table_keep_their_sign() -> None:
    for gained, lost in product(range(8), repeat=2):
        low, high = shares.paired_interval(20 + gained, 20 + lost, 60, gained + lost)
        mirrored = shares.paired_interval(20 + lost, 20 + gained, 60, gained + lost)
        assert (low, high) == pytest.approx((-mirrored[1], -mirrored[0]))


def test_a_users_own_measure_has_an_interval_of_its_samples() -> None:
    labels, output = DRAWS.normal(size=(COUNT, 3)), DRAWS.normal(size=(COUNT, 3))
    task = own(lambda out, right: np.abs(out - right).max(axis=1), "loss")
    (score,) = estimates(task, task.reduce([output], labels))
    assert score.name == "loss"
    assert score.value == pytest.approx(np.abs(output - labels).max(axis=1).mean())
    assert score.low is not None


def test_a_users_own_number_has_none() -> None:
    task = own(lambda _outputs, _labels: 0.25)
    rows = task.reduce([np.zeros((COUNT, 3))], np.zeros(COUNT))
    (score,) = estimates(task, rows)
    assert (score.name, score.value, score.low) == ("score", 0.25, None)
    other = {"number": np.concatenate([rows["number"], [0.5]])}
    with pytest.raises(QualityError, match="one number for each of several batches"):
        estimates(task, other)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (lambda _o, _l: np.zeros(3), r"shape \[3\] for 40 samples"),
        (lambda _o, _l: np.full(COUNT, np.nan), "returned nan, not a number"),
        (lambda _o, _l: {}["absent"], "evaluate failed: KeyError: 'absent'"),
    ],
)
def test_a_users_own_mistake_is_a_reason(given: object, reason: str) -> None:
    with pytest.raises(QualityError, match=reason):
        own(given).reduce([np.zeros((COUNT, 3))], np.zeros(COUNT))  # type: ignore[arg-type]


def test_rows_are_taken_by_number() -> None:
    assert take({"a": np.arange(4)}, np.array([3, 3]))["a"].tolist() == [3, 3]
