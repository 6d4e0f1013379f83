"""Estimates with intervals: medians over trials, and the shares that accuracy is made of.

The process run, not the inference, is the replicate: every interval here is over trials, or over
the samples of an evaluation set.
"""

from __future__ import annotations

import functools
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mobilebench.quality import shares

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.95

#: How a ratio of two medians may differ from the median of the blocks' ratios before it is said.
_SURPRISING = 0.02
#: What to say then.
PAIRED = "the median of the ratios within each block, not the ratio of the two medians"
#: The fewest trials whose range covers the median with 95 %: 1 - 2 * 0.5**6 = 96.9 %.
ENOUGH_TRIALS = 6

# Of a bootstrap; seeded, so that the same numbers get the same interval.
_RESAMPLES = 4000
_SEED = 1993


@dataclass(frozen=True)
class Interval:
    """A confidence interval, with the coverage it really has (at least the one asked for)."""

    low: float
    high: float
    confidence: float = CONFIDENCE

    def holds(self, value: float) -> bool:
        """Whether the value is inside, ends included."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Estimate:
    """A number that was measured, or the reason why there is none.

    ``reason`` says why ``value`` is None or, where there is a value, why ``interval`` is.
    ``n`` counts the replicates: trials of a median, samples of an accuracy.
    """

    value: float | None = None
    interval: Interval | None = None
    n: int = 0
    reason: str = ""

    @classmethod
    def missing(cls, reason: str) -> Estimate:
        """No number, and why."""
        return cls(reason=reason)


@functools.lru_cache(maxsize=1024)
def order_statistics(n: int, confidence: float = CONFIDENCE) -> tuple[int, float] | None:
    """Which order statistics enclose the median of any continuous distribution.

    The interval runs from the ``rank``-th smallest of ``n`` >= 1 values to the ``rank``-th largest;
    its exact coverage is ``1 - 2 P(Bin(n, 1/2) < rank)`` (David & Nagaraja, Order Statistics,
    2003, section 7.1).

    Returns:
        The rank (from 1) and the coverage, or None where not even the range is wide enough.
    """
    from scipy import stats  # slow to import

    # The interval of the ranks themselves: it depends on nothing else, so it is sought once.
    low = stats.quantile_test(range(1, n + 1)).confidence_interval(confidence).low
    if math.isnan(low):
        return None
    rank = int(low)
    return rank, float(1 - 2 * stats.binom.cdf(rank - 1, n, 0.5))


def median(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """The median of some replicates with its order-statistic interval.

    Args:
        values: one number a trial, in any unit and order.
        confidence: the least coverage of the interval.
    """
    if not len(values):
        return Estimate.missing("no valid trial")
    ordered = sorted(float(value) for value in values)
    found = order_statistics(len(ordered), confidence)
    middle = statistics.median(ordered)
    if found is None:
        return Estimate(middle, None, len(ordered), too_few(len(ordered)))
    rank, coverage = found
    interval = Interval(ordered[rank - 1], ordered[-rank], coverage)
    return Estimate(middle, interval, len(ordered))


def ratio_of_medians(over: Sequence[float], under: Sequence[float]) -> Estimate:
    """The ratio of two medians of unpaired replicates, with a bootstrap interval.

    No exact interval of such a ratio is known unless both sides spread alike, so both are
    resampled: percentiles of seeded resamples (Efron & Tibshirani, An Introduction to the
    Bootstrap, 1993, chapter 13). Its coverage is near 95 %, not guaranteed.

    Args:
        over: one positive number a trial.
        under: likewise, in the same unit.
    """
    if not len(over) or not len(under) or min(*over, *under) <= 0:
        return Estimate.missing("no valid trial on one side")
    sides = [np.asarray(side, dtype=float) for side in (over, under)]
    value = float(np.median(sides[0]) / np.median(sides[1]))
    n = min(len(over), len(under))
    if n < ENOUGH_TRIALS:
        return Estimate(value, None, n, too_few(n))
    rng = np.random.default_rng(_SEED)
    numerators, denominators = (
        np.median(rng.choice(side, (_RESAMPLES, side.size)), axis=1) for side in sides
    )
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(numerators / denominators, (tail, 1 - tail))
    return Estimate(value, Interval(float(low), float(high)), n)


def unlike_medians(ratio: float | None, over: float | None, under: float | None) -> bool:
    """Whether a ratio that was paired within blocks surprises beside the two medians."""
    if not ratio or not over or not under:
        return False
    return abs(over / under / ratio - 1) > _SURPRISING


def too_few(n: int) -> str:
    """Why ``n`` trials have no 95 % interval."""
    trials = "1 trial" if n == 1 else f"{n} trials"
    return f"{trials}: a 95 % interval needs {ENOUGH_TRIALS}"


def share(right: int, n: int, confidence: float = CONFIDENCE) -> Estimate:
    """A share of ``n`` samples with its Wilson score interval (Wilson, JASA 22, 1927)."""
    if n < 1:
        return Estimate.missing("no samples")
    from scipy import stats  # slow to import

    # Of the test only the interval is wanted, which does not depend on the share that is tested;
    # the p-value of the observed one needs no search.
    found = stats.binomtest(right, n, right / n).proportion_ci(confidence, method="wilson")
    return Estimate(right / n, Interval(float(found.low), float(found.high), confidence), n)


def difference(right: int, n: int, base_right: int, base_n: int) -> Estimate:
    """The difference of two shares, samples taken as unrelated.

    Newcombe's hybrid score interval (Statistics in Medicine 17, 1998, p. 873, method 10).
    """
    candidate, base = share(right, n), share(base_right, base_n)
    if candidate.interval is None or base.interval is None:
        return Estimate.missing("no samples")
    p, q = right / n, base_right / base_n
    low = math.hypot(p - candidate.interval.low, base.interval.high - q)
    high = math.hypot(candidate.interval.high - p, q - base.interval.low)
    return Estimate(p - q, _within(p - q - low, p - q + high), min(n, base_n))


def paired_difference(right: int, base_right: int, n: int, disagreements: int) -> Estimate:
    """The difference of two shares of the *same* ``n`` samples: ``shares.paired_interval``.

    Raises:
        ValueError: so few disagreements cannot make this difference.
    """
    low, high = shares.paired_interval(right, base_right, n, disagreements, CONFIDENCE)
    return Estimate((right - base_right) / n, Interval(low, high), n)


def _within(low: float, high: float) -> Interval:
    """An interval of a difference of shares, which lies between -1 and 1."""
    return Interval(max(low, -1.0), min(high, 1.0))
