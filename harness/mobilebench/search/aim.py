"""What a search is for: what it minimizes, and the limits that a variant must keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from mobilebench.errors import BadInputError, did_you_mean
from mobilebench.search.candidate import Candidate, Measure

#: What may be minimized or limited.
MEASURES: tuple[Measure, ...] = get_args(Measure)
#: Minimized where nothing is asked for.
DEFAULT: tuple[Measure, ...] = ("size", "latency")
#: A share that a candidate must be better by, to be better at all: latencies have noise.
_MARGIN: Mapping[Measure, float] = {"latency": 0.03, "memory": 0.01, "energy": 0.05}


@dataclass(frozen=True)
class Aim:
    """What a search is for.

    Attributes:
        minimize: what is to be small, the most important first.
        limits: the largest value of each measure, in bytes, multiply-accumulates, nanoseconds or
            joules.
        max_loss: how much worse than the baseline's quality may be, in the unit in which reports
            show it: points of a share, the metric's own unit of anything else.
    """

    minimize: tuple[Measure, ...] = DEFAULT
    limits: Mapping[Measure, float] = field(default_factory=dict)
    max_loss: float = 1.0

    def __post_init__(self) -> None:
        for name in (*self.minimize, *self.limits):
            if name not in MEASURES:
                raise BadInputError(
                    f"cannot minimize or limit {name!r}: {did_you_mean(name, MEASURES)}known are "
                    f"{', '.join(MEASURES)}"
                )
        if not self.minimize or len({*self.minimize}) < len(self.minimize):
            raise BadInputError("name what to minimize, each measure once")
        for name, limit in self.limits.items():
            if not 0 < limit < float("inf"):
                raise BadInputError(f"the limit of {name} must be above 0, not {limit}")
        if not 0 <= self.max_loss < float("inf"):
            raise BadInputError(f"the largest quality loss must be 0 or more, not {self.max_loss}")

    @property
    def measures(self) -> tuple[Measure, ...]:
        """All that must be known of a candidate, beside its quality."""
        return tuple(name for name in MEASURES if name in self.minimize or name in self.limits)

    def values(self, candidate: Candidate) -> tuple[float, ...]:
        """What is minimized of a candidate of which all is known."""
        return tuple(candidate.values[name] for name in self.minimize)

    def violations(self, candidate: Candidate) -> dict[str, float]:
        """By how much each limit is missed, as a share of it; at most 0 where it is kept."""
        found = {
            f"max_{name}": candidate.values[name] / limit - 1
            for name, limit in self.limits.items()
            if name in candidate.values
        }
        # What was given up after short training is known to be bad by that alone.
        loss = candidate.short_loss if candidate.loss is None else candidate.loss
        if loss is not None:
            # Of a limit of 0, too: a point too much is as bad as one beyond a limit of a point.
            found["max_quality_loss"] = (loss - self.max_loss) / max(self.max_loss, 1.0)
        return found

    def excess(self, candidate: Candidate) -> float:
        """By how much all limits are missed together; 0: the candidate keeps them."""
        return sum(max(0.0, violation) for violation in self.violations(candidate).values())

    def is_feasible(self, candidate: Candidate) -> bool:
        """Whether it is measured and keeps every limit."""
        return candidate.is_whole(self.measures) and self.excess(candidate) == 0

    def is_safe(self, candidate: Candidate) -> bool:
        """Whether it keeps them with a standard error of its loss to spare."""
        loss = (candidate.loss or 0.0) + (candidate.error or 0.0)
        return self.is_feasible(candidate) and loss <= self.max_loss

    def beats(self, one: Candidate, other: Candidate) -> bool:
        """Whether one is better than the other beyond noise in something, and worse in nothing."""
        pairs = [
            (one.values[name], other.values[name], _MARGIN.get(name, 0.0)) for name in self.minimize
        ]
        no_worse = all(mine <= theirs * (1 + margin) for mine, theirs, margin in pairs)
        return no_worse and any(mine < theirs * (1 - margin) for mine, theirs, margin in pairs)
