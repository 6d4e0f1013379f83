"""What minutes of sustained inference do to latency: each minute's median, and throttling.

A phone's first minute says little of its tenth: it heats up and is slowed down. A sustained trial
is cut into minutes, as the samples follow each other; one of less than four minutes into quarters,
which then stand for minutes.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mobilebench.analysis import estimates, units
from mobilebench.analysis.estimates import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobilebench_agent.contract import Trace

MINUTE_NS = 60_000_000_000

#: A minute is throttled when its median is so much above the first minute's (a share), and the
#: next minute's as well. Burst trials of one device differ by a few percent at most.
THROTTLED = 0.10

#: The steady state is the last quarter of the minutes.
STEADY = 0.25

_FEWEST = 4


def minute_ns(minutes: float) -> int:
    """How long a minute of a trial of so many minutes is (ns)."""
    return round(min(MINUTE_NS, minutes * MINUTE_NS / _FEWEST))


@dataclass(frozen=True)
class Minute:
    """The inferences that began in one minute: its number (from 0), how many, their median (ns)."""

    number: int
    n: int
    median: float


@dataclass(frozen=True)
class SustainedTrial:
    """One sustained trial; times in nanoseconds.

    ``steady`` is the median of all inferences of the last quarter of the minutes, at least one.
    ``throttled_after`` is the time from the first inference to the first throttled minute; None if
    there is none: the last minute cannot be confirmed by a next one.
    """

    minutes: tuple[Minute, ...]
    minute_ns: int
    steady: float
    throttled_after: float | None
    traces: tuple[Trace, ...] = ()

    @property
    def first(self) -> float:
        """The first minute's median."""
        return self.minutes[0].median

    @property
    def change(self) -> float:
        """The steady state over the first minute, less 1."""
        return self.steady / self.first - 1


def highest(traces: Sequence[Trace], unit: str) -> tuple[tuple[int, float], ...]:
    """The highest value among the counters of one unit, at each time (ns) that one was read.

    As the hottest sensor, or the clock of the fastest cluster. A counter that never moves while
    another does, as a sensor that is not connected, would hide the others and is left out.
    """
    read = [trace for trace in traces if trace.unit == unit and trace.values]
    moving = [trace for trace in read if min(trace.values) < max(trace.values)]
    found: dict[int, float] = {}
    for trace in moving or read:
        for time, value in zip(trace.times_ns, trace.values, strict=True):
            found[time] = max(value, found.get(time, value))
    return tuple(sorted(found.items()))


def describe(
    samples_ns: npt.NDArray[np.int64],
    starts_ns: npt.NDArray[np.int64] | None = None,
    minute: int = MINUTE_NS,
    traces: tuple[Trace, ...] = (),
) -> SustainedTrial:
    """One sustained trial in minutes.

    Args:
        samples_ns: (n,) the timed inferences in the order they ran, positive nanoseconds.
        starts_ns: (n,) when each of them began; None: they followed each other without a gap.
        minute: how long a minute is (ns), see ``minute_ns``.
        traces: the counters that were read meanwhile; they are passed on.

    Raises:
        ValueError: there are no samples.
    """
    if not samples_ns.size:
        raise ValueError("a trial without samples has no minutes")
    begun = np.cumsum(samples_ns) - samples_ns if starts_ns is None else starts_ns
    numbers = _numbers(begun, int(begun[-1] + samples_ns[-1]), minute)
    groups = [(int(n), samples_ns[numbers == n]) for n in np.unique(numbers)]
    minutes = tuple(Minute(n, of.size, float(np.median(of))) for n, of in groups)
    last = max(1, round(STEADY * len(groups)))
    steady = float(np.median(np.concatenate([of for _, of in groups[-last:]])))
    found = throttled(minutes)
    after = None if found is None else float(found * minute)
    return SustainedTrial(minutes, minute, steady, after, traces)


def throttled(minutes: tuple[Minute, ...], share: float = THROTTLED) -> int | None:
    """The number of the first throttled minute that the next one confirms; None if there is none.

    Args:
        minutes: in order.
        share: how much slower than the first minute is throttled.
    """
    limit = minutes[0].median * (1 + share)
    for minute, following in itertools.pairwise(minutes[1:]):
        if minute.median > limit and following.median > limit:
            return minute.number
    return None


@dataclass(frozen=True)
class Sustained:
    """A variant's sustained trials as medians over them; times in nanoseconds.

    ``change`` is the steady state over the first minute, less 1. ``throttled_after`` is the median
    over the trials that throttled; it has no value where none did, and its ``reason`` says so.
    """

    first: Estimate
    steady: Estimate
    change: Estimate
    throttled_after: Estimate
    trials: tuple[SustainedTrial, ...]


def over(trials: Sequence[SustainedTrial]) -> Sustained | None:
    """What a variant's trials say together; None if there are none."""
    if not trials:
        return None
    times = [t.throttled_after for t in trials if t.throttled_after is not None]
    length = units.long_duration(max((t.minutes[-1].number + 1) * t.minute_ns for t in trials))
    after = Estimate.missing(
        f"in {length} no two stretches of {units.long_duration(trials[0].minute_ns)} in a row were "
        f"{units.percent(THROTTLED, 0)} slower than the first"
    )
    if times:
        after = estimates.median(times)
    return Sustained(
        estimates.median([t.first for t in trials]),
        estimates.median([t.steady for t in trials]),
        estimates.median([t.change for t in trials]),
        after,
        tuple(trials),
    )


def _numbers(starts_ns: npt.NDArray[np.int64], end_ns: int, minute: int) -> npt.NDArray[np.int64]:
    """In which minute each inference began; less than half a minute at the end is not one."""
    numbers: npt.NDArray[np.int64] = starts_ns // minute
    earlier = numbers[numbers < numbers[-1]]
    if end_ns - int(numbers[-1]) * minute < minute / 2 and earlier.size:
        numbers[numbers == numbers[-1]] = earlier[-1]
    return numbers
