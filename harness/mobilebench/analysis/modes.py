"""Whether numbers gather around two values: Hartigan's dip test, and where the two lie.

The dip of a sample is the least distance of its distribution function from any unimodal one
(Hartigan & Hartigan, Annals of Statistics 13, 1985). Two narrow clusters of which the smaller holds
a share s have a dip of s / 2, wide ones less: of 200 numbers, about a fifth must lie apart to be
seen. Skew alone has no dip, and latency is skewed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import optimize

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Clusters that lie closer than this share of the lower one are one, for all that it matters.
APART = 0.02

#: Fewer numbers than this are never called bimodal.
ENOUGH = 6

# More numbers are reduced to so many quantiles: the inferences of one process resemble each other,
# and a larger number would only make ever smaller dents significant.
_MOST = 200
# Beyond these shares numbers are taken as these, so that a few outliers are no cluster.
_TRIMMED = 0.05
# √n times the dip that 1 % of uniform samples exceed (60,000 samples of each size); of all unimodal
# distributions the uniform one dips most, so that of others fewer do.
_CRITICAL_N = (6, 7, 8, 9, 10, 12, 15, 20, 30, 50, 100, 200)
_CRITICAL = (0.472, 0.486, 0.488, 0.493, 0.507, 0.514, 0.527, 0.539, 0.554, 0.577, 0.596, 0.604)

_Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Modes:
    """Two clusters: the median of each, in the numbers' unit, and the share of the higher one."""

    low: float
    high: float
    share_high: float


def two_modes(values: Sequence[float] | npt.NDArray[np.int64]) -> Modes | None:
    """The two clusters of some numbers, or None where one cluster explains them.

    They are called two if the dip is beyond the 1 % critical value of uniform samples and the
    clusters' medians are at least ``APART`` from each other. Equal numbers are spread over the
    step of the timer first: a coarse clock makes no modes.

    Args:
        values: positive numbers in any order: a trial's samples, or one number a trial.
    """
    if len(values) < ENOUGH:
        return None
    x = np.sort(np.asarray(values, dtype=np.float64))
    trimmed = int(_TRIMMED * x.size)
    low, high = float(x[trimmed]), float(x[-1 - trimmed])
    if not 0 < low * (1 + APART) <= high:
        return None
    spread = _reduced(_untied(x))
    critical = critical_dip(len(spread))
    if dip(spread, at_least=critical) <= critical:
        return None
    cut = _split(np.clip(x, low, high))
    below, above = float(np.median(x[:cut])), float(np.median(x[cut:]))
    if above < below * (1 + APART):
        return None
    return Modes(below, above, (x.size - cut) / x.size)


def critical_dip(n: int) -> float:
    """The dip that 1 % of ``n`` uniform numbers exceed, interpolated in √n times the dip."""
    return float(np.interp(n, _CRITICAL_N, _CRITICAL)) / math.sqrt(n)


def dip(x: _Numbers, at_least: float = 0.0) -> float:
    """Hartigan's dip of some sorted numbers, no two of them equal: between 1 / 2n and 1 / 4.

    A dip below ``at_least`` is not sought to its end, which takes most of the time: ``at_least`` is
    returned.

    The search narrows an interval that holds the mode. To its left the best unimodal function is
    the greatest convex minorant of the distribution function, to its right the least concave
    majorant; inside, the two need as much room as they are apart. In each step the interval
    shrinks to where they are farthest apart, until what is left asks for no more than the parts
    outside do.
    """
    # The distribution function jumps at each number: its foot belongs to the minorant, its top to
    # the majorant.
    n = len(x)
    foot, top = np.arange(n) / n, np.arange(1, n + 1) / n
    first, last, found = 0, n - 1, max(1 / n, 2 * at_least)
    while first < last:
        part = slice(first, last + 1)
        lower = _hull(x[part], foot[part], convex=True)
        upper = _hull(x[part], top[part], convex=False)
        convex = np.interp(x[part], x[part][lower], foot[part][lower])
        concave = np.interp(x[part], x[part][upper], top[part][upper])
        gaps = concave - convex
        touching = np.sort(np.concatenate([lower, upper]))
        widest = int(touching[np.argmax(gaps[touching])])
        if gaps[widest] <= found:
            break
        left = int(lower[lower <= widest][-1])
        right = int(upper[upper >= widest][0])
        found = max(
            found,
            float(np.max((top[part] - convex)[: left + 1])),
            float(np.max((concave - foot[part])[right:])),
        )
        if right - left >= last - first:
            break
        first, last = first + left, first + right
    return found / 2


def _hull(x: _Numbers, y: _Numbers, *, convex: bool) -> npt.NDArray[np.intp]:
    """Which points carry the greatest convex minorant (or least concave majorant) of a function.

    Its slopes are the isotonic regression of the function's own (Barlow et al., Statistical
    Inference under Order Restrictions, 1972).
    """
    steps, rises = x[1:] - x[:-1], y[1:] - y[:-1]
    found = optimize.isotonic_regression(rises / steps, weights=steps, increasing=convex)
    points: npt.NDArray[np.intp] = found.blocks
    return points


def _untied(x: _Numbers) -> _Numbers:
    """Sorted numbers with each group of equal ones spread evenly over the timer's step."""
    values, start, count = np.unique(x, return_index=True, return_counts=True)
    if values.size == x.size or values.size < 2:
        return x
    step = float(np.diff(values).min())
    within = np.arange(x.size) - np.repeat(start, count)
    offset = (within + 0.5) / np.repeat(count, count) - 0.5
    spread: _Numbers = x + step * offset
    return spread


def _reduced(x: _Numbers) -> _Numbers:
    if x.size <= _MOST:
        return x
    reduced: _Numbers = x[((np.arange(_MOST) + 0.5) / _MOST * x.size).astype(int)]
    return reduced


def _split(x: _Numbers) -> int:
    """Where sorted numbers fall into the two groups of least variance within (Fisher, 1958)."""
    total, n = np.cumsum(x), np.arange(1, x.size)
    means = total[:-1] / n, (total[-1] - total[:-1]) / (x.size - n)
    return int(np.argmax(n * (x.size - n) * (means[1] - means[0]) ** 2)) + 1
