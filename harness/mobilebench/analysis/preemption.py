"""Which inferences of a trial others interrupted, and whether the rest tells the latency.

A busy CPU is taken away from a long inference and not from a short one, so that the median of all
inferences is biased. The inferences that nobody interrupted still take as long as on a quiet
machine, and their CPU time tells which they are: it is as long as their wall time.

Short inferences are left alone more often than long ones, so that the median of those left alone is
too low. Where others take the CPU at regular times, an inference of length d is left alone with
probability 1 - d / s, and for a spread σ of log d the median is low by about σ² q / (1 - q), where
q is the share that was interrupted (``docs/measurement.md`` has the simulation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mobilebench.analysis import units

if TYPE_CHECKING:
    from mobilebench.records.runtime import Runtime
    from mobilebench.records.timings import Nanoseconds, Timings

#: An inference was interrupted if it spent more than this share of its time without a CPU.
_INTERRUPTED = 0.01
#: So few interrupted inferences (a share) are no load: those of any quiet machine. All count then.
FEW = 0.05
#: So many must be left alone for a median.
_ENOUGH = 10
#: How far the median of those left alone may be too low (a share).
_MOST_BIAS = 0.01
#: Shorter ones share a reading with their neighbours (``INTERVAL_NS`` of the agents): whether they
#: count depends on when they ran, not on how long they took.
_ALONE_NS = 100_000
# An interquartile range in standard deviations of a normal distribution.
_NORMAL_BOX = 1.349


@dataclass(frozen=True)
class Preemption:
    """What others did to one trial's inferences.

    ``share`` of them was interrupted. ``left_out``: these are not in the trial's statistics.
    ``reason`` says why the others do not tell the latency; empty if they do.
    """

    share: float
    left_out: bool = False
    reason: str = ""


def cpu_times(times: Timings, runtime: Runtime | None) -> Nanoseconds | None:
    """The inferences' CPU times, where these tell whether others interrupted them.

    They do for one thread on the CPU: of several threads some wait for others by design, and while
    an accelerator computes, the CPU is idle. None where they do not, or are not known.
    """
    is_one = runtime is not None and runtime.threads == 1 and runtime.accelerator == "cpu"
    return times.cpu if is_one and times.cpu.size else None


def left_alone(
    samples_ns: npt.NDArray[np.int64], cpu_ns: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.bool_], Preemption]:
    """Which inferences count, and why.

    Args:
        samples_ns: (n,) wall times, n > 0.
        cpu_ns: (n,) CPU times of the same.

    Returns:
        (n,) whether each counts: all do where few were interrupted, and where the rest says too
        little.
    """
    interrupted = samples_ns - cpu_ns > _INTERRUPTED * samples_ns
    share = float(interrupted.mean())
    everyone = np.ones(samples_ns.size, dtype=bool)
    if share <= FEW:
        return everyone, Preemption(share)
    rest = samples_ns[~interrupted]
    if rest.size < _ENOUGH:
        return everyone, Preemption(
            share, reason=f"others left {rest.size} of {samples_ns.size} inferences alone"
        )
    low, middle, high = np.quantile(rest, (0.25, 0.5, 0.75))
    spread = (high - low) / _NORMAL_BOX / max(1.0, middle)
    bias = float(spread**2 * share / (1 - share)) if middle >= _ALONE_NS else 0.0
    if bias > _MOST_BIAS:
        return everyone, Preemption(
            share, reason=f"the inferences left alone may be {units.percent(bias, 0)} too short"
        )
    return ~interrupted, Preemption(share, left_out=True)
