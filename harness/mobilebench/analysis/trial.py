"""What one latency trial's samples say: order statistics, outliers, two modes, drift."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mobilebench.analysis.modes import Modes, two_modes
from mobilebench.analysis.preemption import Preemption, left_alone
from mobilebench.analysis.warmup import Convergence, convergence

#: Of the band that pictures show, and the median; those of the registered metrics join them.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

# Tukey's outer fences (Exploratory Data Analysis, 1977): "far out". The inner ones would flag the
# plain right skew of every latency distribution.
_FENCE = 3.0
# A box narrower than 1 % of the median is the timer's step, not the spread of the device.
_NARROWEST_BOX = 0.01
# Fewer samples tell a trend from chance too badly to speak of it.
_ENOUGH_FOR_DRIFT = 30


@dataclass(frozen=True)
class TrialStatistics:
    """One trial's samples in a few numbers; times in nanoseconds.

    ``quantiles`` are those that ``describe`` was asked for. ``outliers`` counts samples beyond
    Tukey's outer fences: flagged, never dropped. ``drift`` is the median of the last third over
    that of the first, less 1; None for under 30 samples. ``modes`` are the two values that the
    samples gather around, if they do. ``convergence`` says whether the warm-up had settled; None
    where that is not known. ``cpu`` is the median CPU time; ``preemption`` says whether others
    interrupted inferences, and whether these are left out of all else; both None where the CPU
    times are not known.
    """

    n: int
    minimum: float
    maximum: float
    quantiles: Mapping[float, float] = field(repr=False)
    outliers: int
    drift: float | None
    modes: Modes | None = None
    convergence: Convergence | None = None
    cpu: float | None = None
    preemption: Preemption | None = None

    @property
    def median(self) -> float:
        """The median sample."""
        return self.quantiles[0.5]


def enough_samples(q: float) -> int:
    """The fewest samples of which a quantile says something: of fewer it is the extreme one."""
    return 1 if q == 0.5 else math.ceil(1 / min(q, 1 - q) - 1e-9)


def describe(
    samples_ns: npt.NDArray[np.int64],
    warmup_ns: npt.NDArray[np.int64] | None = None,
    quantiles: Iterable[float] = (),
    cpu_ns: npt.NDArray[np.int64] | None = None,
) -> TrialStatistics:
    """The order statistics of one trial.

    Args:
        samples_ns: (n,) the timed inferences in the order they ran, nanoseconds.
        warmup_ns: (m,) the warm-up runs before them; the last ones will do.
        quantiles: which are wanted beside ``QUANTILES``.
        cpu_ns: (n,) the CPU times of the timed inferences: those that others interrupted are left
            out, if the rest tells the latency.

    Raises:
        ValueError: there are no samples.
    """
    if not samples_ns.size:
        raise ValueError("a trial without samples has no statistics")
    cpu, preemption = None, None
    if cpu_ns is not None:
        cpu = float(np.median(cpu_ns))
        counted, preemption = left_alone(samples_ns, cpu_ns)
        samples_ns = samples_ns[counted]
    wanted = sorted({*QUANTILES, *quantiles})
    found = dict(zip(wanted, map(float, np.quantile(samples_ns, wanted)), strict=True))
    p25, p50, p75 = found[0.25], found[0.5], found[0.75]
    reach = _FENCE * max(p75 - p25, _NARROWEST_BOX * p50)
    outliers = np.count_nonzero((samples_ns < p25 - reach) | (samples_ns > p75 + reach))
    return TrialStatistics(
        n=samples_ns.size,
        minimum=float(samples_ns.min()),
        maximum=float(samples_ns.max()),
        quantiles=found,
        outliers=int(outliers),
        drift=_drift(samples_ns),
        modes=two_modes(samples_ns),
        convergence=None if warmup_ns is None else convergence(warmup_ns, samples_ns),
        cpu=cpu,
        preemption=preemption,
    )


def _drift(samples_ns: npt.NDArray[np.int64]) -> float | None:
    third = samples_ns.size // 3
    if samples_ns.size < _ENOUGH_FOR_DRIFT:
        return None
    first = float(np.median(samples_ns[:third]))
    return float(np.median(samples_ns[-third:])) / first - 1 if first > 0 else None
