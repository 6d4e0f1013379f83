"""Where a series of runs changes its level: a rank test for a step, permuted, and repeated.

The statistic is the largest standardised Mann-Whitney statistic over all ways to cut the series
in two (Pettitt, Applied Statistics 28, 1979; standardised by Hawkins & Deng, Journal of Quality
Technology 42, 2010). Its distribution is that over random orders of the same numbers, so that its
error rate holds for any distribution; ranks do not follow the one run that something disturbed.
Each part is cut again until nothing is found (binary segmentation: Vostrikova, 1981), as is usual
for performance histories (Daly et al., ICPE 2020). A slow trend comes out as several steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: The chance that a series without any step is said to have one.
ALPHA = 0.01

#: A level is at least so many runs: fewer are outliers.
LEAST_RUNS = 3

#: With fewer runs no cut could be significant: two halves of five have p = 2 / 252 at best.
ENOUGH_RUNS = 10

# The smallest p that so many random orders can give is 1 / 2000.
_ORDERS = 1999
_AT_ONCE = 1 << 18
# The same series gets the same answer.
_SEED = 1979


@dataclass(frozen=True)
class Step:
    """A change of level.

    Attributes:
        index: the first run of the new level.
        before: the median of the level before, in the series' unit.
        after: that of the new level.
        p: of "the runs of both levels come in random order".
    """

    index: int
    before: float
    after: float
    p: float

    @property
    def change(self) -> float:
        """The new level against the one before (share)."""
        return self.after / self.before - 1 if self.before else 0.0


def find_steps(values: Sequence[float]) -> tuple[Step, ...]:
    """The steps of a series, in order; none where there are fewer than ``ENOUGH_RUNS`` runs.

    Args:
        values: one number a run, oldest first.
    """
    x = np.asarray(values, dtype=float)
    cuts = _cuts(x, 0, x.size)
    # A cut was placed while the parts beside it still had steps: it is placed anew between them.
    found: list[tuple[int, float]] = []
    for position, (cut, p) in enumerate(cuts):
        first = found[-1][0] if found else 0
        last = cuts[position + 1][0] if position + 1 < len(cuts) else x.size
        again = _best_cut(x[first:last])
        if again is None:
            found.append((cut, p))
        elif again[1] <= ALPHA:
            found.append((first + again[0], again[1]))
    edges = [0, *(cut for cut, _ in found), x.size]
    medians = [float(np.median(x[a:b])) for a, b in itertools.pairwise(edges) if a < b]
    return tuple(Step(cut, medians[i], medians[i + 1], p) for i, (cut, p) in enumerate(found))


def _cuts(x: npt.NDArray[np.float64], first: int, last: int) -> list[tuple[int, float]]:
    found = _best_cut(x[first:last])
    if found is None or found[1] > ALPHA:
        return []
    cut = first + found[0]
    return [*_cuts(x, first, cut), (cut, found[1]), *_cuts(x, cut, last)]


def _best_cut(x: npt.NDArray[np.float64]) -> tuple[int, float] | None:
    """Where to cut a series in two, and the p of that cut; None where it is too short.

    The p is exact up to ``ALPHA``, and some p above it where it is larger.
    """
    if x.size < ENOUGH_RUNS:
        return None
    ranks = _ranks(x)
    statistics = _statistics(ranks[np.newaxis])[0]
    best = float(statistics.max())
    rng = np.random.default_rng(_SEED)
    at_least = 0
    # A part at a time, so that memory does not grow with the runs; the orders are the same.
    part = max(1, _AT_ONCE // x.size)
    for done in range(0, _ORDERS, part):
        # No step, whatever the other orders come to; its p is not asked for.
        if (1 + at_least) / (1 + _ORDERS) > ALPHA:
            break
        orders = rng.permuted(np.tile(ranks, (min(part, _ORDERS - done), 1)), axis=1)
        # Sums of ranks are exact, their quotients are not: equal statistics must count as equal.
        at_least += int(np.count_nonzero(_statistics(orders).max(axis=1) >= best - 1e-9))
    return LEAST_RUNS + int(statistics.argmax()), (1 + at_least) / (1 + _ORDERS)


def _ranks(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Each value's rank, from 1; equal values share the mean of theirs."""
    # As scipy.stats.rankdata, whose import takes longer than a history of 1,000 runs.
    _, places, counts = np.unique(x, return_inverse=True, return_counts=True)
    found: npt.NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return found


def _statistics(ranks: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(orders, cuts) how far the mean rank before each cut is from the middle, standardised."""
    n = ranks.shape[1]
    before = np.arange(LEAST_RUNS, n - LEAST_RUNS + 1)
    sums = np.cumsum(ranks, axis=1)[:, before - 1]
    spread = np.sqrt(before * (n - before) * (n + 1) / 12)
    found: npt.NDArray[np.float64] = np.abs(sums - before * (n + 1) / 2) / spread
    return found
