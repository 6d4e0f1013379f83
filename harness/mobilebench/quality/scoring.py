"""Scores of answers with their intervals, and the difference of two models' on the same samples."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping

import numpy as np

from mobilebench.models.array import Array
from mobilebench.quality import shares
from mobilebench.quality.task import QualityError, Rows, Task, take
from mobilebench.records.answers import Score

CONFIDENCE = 0.95

#: Fewer samples than that get no interval by resampling: they hold too few different resamples.
FEWEST_SAMPLES = 10

# Resamples: as many as the work allows, counted in numbers that are looked at.
_MOST_RESAMPLES, _FEWEST_RESAMPLES = 2000, 400
_WORK = 20_000_000

#: Beyond so many samples BCa's corrections, which need a score without each sample, are negligible.
_MOST_CORRECTED = 1000

#: Numbers of samples that are drawn at once.
_DRAWN = 1_000_000

#: Beyond that share of resamples without a score (no positive sample, say) there is no interval.
_MOST_UNDEFINED = 0.01


def estimates(task: Task, reduced: Mapping[str, Array], *, seed: int = 0) -> tuple[Score, ...]:
    """The task's metrics of all samples, the primary one first.

    Args:
        task: by which the answers were reduced.
        reduced: its rows of all samples, batch after batch.
        seed: of resamples: the same rows get the same interval.

    Returns:
        a score for each metric that these samples bear.

    Raises:
        QualityError: the rows cannot be scored together.
    """
    rows = task.gather(reduced)
    n = _count(rows)
    values = _defined(task, rows) if n else {}
    resampled = [name for name in values if name not in task.counted]

    def statistic(which: Array) -> Array:
        found = task.score(take(rows, which))
        return np.array([found.get(name, np.nan) for name in resampled])

    intervals = dict(zip(resampled, _bootstrap(statistic, rows, seed), strict=True))
    scores = []
    for name, value in values.items():
        if name in task.counted:
            interval: _Interval = shares.interval(int(rows[task.counted[name]].sum()), n)
        else:
            interval = intervals[name]
            # Resamples all alike say nothing of other samples.
            if interval is not None and interval[0] == interval[1]:
                interval = None
        scores.append(_score(name, value, interval, n))
    return tuple(scores)


def change(
    task: Task,
    metric: str,
    baseline: Mapping[str, Array],
    candidate: Mapping[str, Array],
    *,
    seed: int = 0,
) -> Score:
    """The candidate's metric less the baseline's, on the same samples in the same order.

    Raises:
        QualityError: one of them has no such metric.
        ValueError: they are not of as many samples.
    """
    sides = [task.gather(rows) for rows in (baseline, candidate)]
    before, after = sides
    n = _count(before)
    if n != _count(after):
        raise ValueError(f"{n} and {_count(after)} samples are not the same ones")
    values = [_defined(task, rows).get(metric) if n else None for rows in sides]
    if values[0] is None or values[1] is None:
        raise QualityError(f"these answers have no {metric}")
    value = values[1] - values[0]
    if metric in task.counted:
        base_right, right = (rows[task.counted[metric]].astype(bool) for rows in sides)
        low, high = shares.paired_interval(
            int(right.sum()), int(base_right.sum()), n, int((right != base_right).sum())
        )
        return Score(metric, value, low, high, n)
    if all(np.array_equal(array, after[name]) for name, array in before.items()):
        return Score(metric, 0.0, 0.0, 0.0, n)

    def statistic(which: Array) -> Array:
        found = [task.score(take(rows, which)).get(metric, np.nan) for rows in sides]
        return np.array([found[1] - found[0]])

    (interval,) = _bootstrap(statistic, {**before, "other": np.zeros(n)}, seed)
    return _score(metric, value, interval, n)


def _count(rows: Rows) -> int:
    return len(next(iter(rows.values())))


def _defined(task: Task, rows: Rows) -> dict[str, float]:
    """The metrics that rows have, in the task's order."""
    found = task.score(rows)
    return {
        name: found[name] for name in task.metrics if name in found and np.isfinite(found[name])
    }


_Interval = tuple[float, float] | None


def _score(name: str, value: float, interval: _Interval, n: int) -> Score:
    low, high = interval or (None, None)
    return Score(name, value, low, high, n)


def _bootstrap(statistic: Callable[[Array], Array], rows: Rows, seed: int) -> list[_Interval]:
    """The 95 % interval of each number that a statistic of some samples has.

    Bias-corrected and accelerated (Efron, JASA 82, 1987) of up to 1,000 samples, percentiles of
    more.

    Args:
        statistic: of the numbers of the samples, any of them several times.
        rows: what it looks at, for the count of samples and the work that a resample is.
        seed: of what is drawn.
    """
    from scipy import stats  # slow to import

    n = _count(rows)
    point = statistic(np.arange(n))
    if n < FEWEST_SAMPLES or not point.size:
        return [None] * point.size
    work = sum(array.size for array in rows.values())
    undefined = np.zeros(point.size)

    def each(drawn: Array, axis: int) -> Array:
        """Of samples drawn along the last axis: (numbers, ...)."""
        assert axis == -1
        flat = drawn.reshape(-1, n if drawn.shape[-1] == n else drawn.shape[-1])
        found = np.array([statistic(which) for which in flat])
        lost = np.isnan(found)
        undefined[:] += lost.sum(axis=0)
        # As if such a resample had not been drawn: it moves neither end.
        found = np.where(lost, point, found)
        return np.moveaxis(found, 0, -1).reshape(point.size, *drawn.shape[:-1])

    resamples = int(np.clip(_WORK // work, _FEWEST_RESAMPLES, _MOST_RESAMPLES))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        found = stats.bootstrap(
            (np.arange(n),),
            each,
            n_resamples=resamples,
            batch=max(1, _DRAWN // n),
            vectorized=True,
            axis=-1,
            confidence_level=CONFIDENCE,
            method="BCa" if n <= _MOST_CORRECTED else "percentile",
            rng=np.random.default_rng(seed),
        )
    ends: list[_Interval] = []
    low, high = found.confidence_interval
    for place in range(point.size):
        if undefined[place] > _MOST_UNDEFINED * resamples:
            ends.append(None)
        elif np.ptp(found.bootstrap_distribution[place]) == 0:
            ends.append((float(point[place]), float(point[place])))
        elif np.isfinite(low[place]) and np.isfinite(high[place]):
            ends.append((float(low[place]), float(high[place])))
        else:
            ends.append(None)
    return ends
