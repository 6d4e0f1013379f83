"""Whether a trial was warm when measuring began, and how many warm-up runs it takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: So many of the last warm-up runs are held against so many of the first measured ones.
WINDOW = 10

#: Fewer runs on either side say nothing.
ENOUGH = 3

#: Settled: the two medians differ by no more than this share, or than chance makes them differ.
TOLERANCE = 0.05

# Standard error of a median over that of a mean, for a normal distribution: sqrt(pi / 2).
_MEDIAN = 1.2533
# A median absolute deviation as a standard deviation, for a normal distribution.
_DEVIATION = 1.4826
_STANDARD_ERRORS = 3.0

_Nanoseconds = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Convergence:
    """The last warm-up runs over the first measured ones.

    ``excess`` is the ratio of their medians, less 1: positive when warm-up was still slower.
    """

    settled: bool
    excess: float


def convergence(warmup_ns: _Nanoseconds, samples_ns: _Nanoseconds) -> Convergence | None:
    """Whether warm-up had come to an end; None if there were too few runs to tell.

    Args:
        warmup_ns: (m,) the warm-up runs in order, nanoseconds; the very first inference of a
            process may be among them.
        samples_ns: (n,) the timed inferences in order, nanoseconds.
    """
    last, first = warmup_ns[-WINDOW:], samples_ns[:WINDOW]
    if min(last.size, first.size) < ENOUGH:
        return None
    before, after = float(np.median(last)), float(np.median(first))
    if after <= 0:
        return None
    spread = max(_spread(last), _spread(first))
    chance = _STANDARD_ERRORS * _MEDIAN * spread * (1 / last.size + 1 / first.size) ** 0.5
    excess = before / after - 1
    return Convergence(abs(excess) <= max(TOLERANCE, chance / after), excess)


def needed(warmup_ns: _Nanoseconds, samples_ns: _Nanoseconds) -> int:
    """How many warm-up runs a trial of this file takes, as one trial showed.

    As many as that trial had, because its limits in runs and seconds asked for them; and if it was
    not settled by then, up to the first window of runs that is as fast as the rest.

    Args:
        warmup_ns: (m,) its warm-up runs in order, nanoseconds.
        samples_ns: (n,) its timed inferences in order, nanoseconds.
    """
    limit = float(np.median(samples_ns)) * (1 + TOLERANCE)
    starts = range(max(1, samples_ns.size - WINDOW))
    slow = next((s for s in starts if np.median(samples_ns[s : s + WINDOW]) <= limit), 0)
    return int(warmup_ns.size) + slow


def _spread(values: _Nanoseconds) -> float:
    return _DEVIATION * float(np.median(np.abs(values - np.median(values))))
