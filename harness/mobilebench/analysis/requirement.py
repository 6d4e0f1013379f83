"""How accurate a variant must be, and whether it is shown to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from mobilebench.analysis import units

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mobilebench.analysis.estimates import Estimate
    from mobilebench.records.run import StoredModel

#: The loss that counts as small where nothing was asked for: one percentage point.
TOLERANCE = 0.01

#: Shown by the interval to be reached, shown to be missed, not shown either way; no accuracy.
RequirementStatus = Literal["met", "missed", "open", "unknown"]

#: The metric that is required.
METRIC = "accuracy"

#: How a sentence begins that says so.
BELOW_REQUIREMENT = "Less accurate than its requirement"


class HasAccuracy(Protocol):
    """What is held against a requirement: a variant's estimates and changes."""

    @property
    def is_baseline(self) -> bool:
        """Whether it is the baseline itself."""

    @property
    def changes(self) -> Mapping[str, Estimate]:
        """The differences to the baseline, by metric."""

    def __getitem__(self, metric: str) -> Estimate:
        """The value of a metric."""


@dataclass(frozen=True)
class AccuracyRequirement:
    """What a suite asks of the accuracy of a model's variants.

    Attributes:
        least: the share of right answers that a variant must at least have, or None.
        loss: how much less than its baseline it may have, as a share, or None. With neither it
            is ``TOLERANCE`` that advice goes by.
    """

    least: float | None = None
    loss: float | None = None

    @classmethod
    def of(cls, model: StoredModel | None) -> AccuracyRequirement:
        """What a run requires of a model's variants; nothing of a model that it does not know."""
        return cls(model.min_accuracy, model.max_accuracy_loss) if model else cls()

    @property
    def asked(self) -> bool:
        """Whether the suite asks for anything."""
        return self.least is not None or self.loss is not None

    @property
    def allowed_loss(self) -> float | None:
        """The loss that is judged; None where only the accuracy itself counts."""
        return self.loss if self.asked else TOLERANCE

    def status(self, variant: HasAccuracy) -> RequirementStatus:
        """Whether its interval rules out, on either side, that it keeps to all that is asked."""
        found = [status for status, *_ in self._judged(variant)]
        for worst in ("missed", "unknown", "open"):
            if worst in found:
                return worst
        return "met"

    def measured(self, variant: HasAccuracy) -> bool:
        """Whether it keeps to all of it by its point estimates, whatever their intervals say."""
        return all(
            estimate.value is not None and estimate.value >= least
            for _, estimate, least in self._judged(variant)
        )

    def level(self, baseline: float | None) -> float | None:
        """The accuracy below which a variant misses it, given the baseline's; None: unknown."""
        levels = [] if self.least is None else [self.least]
        if self.loss is not None and baseline is not None:
            levels.append(baseline - self.loss)
        return max(levels, default=None)

    def shown(self) -> str:
        """What a variant is that meets it, in words."""
        parts = []
        if self.least is not None:
            parts.append(f"to have at least {_percent(self.least)} accuracy")
        if self.allowed_loss is not None:
            parts.append(f"to stay within {self.margin()} of the baseline's accuracy")
        return f"shown {' and '.join(parts)}"

    def request(self) -> str:
        """What was asked for, in words."""
        parts = []
        if self.least is not None:
            parts.append(f"at least {_percent(self.least)} accuracy")
        if self.allowed_loss is not None:
            parts.append(f"at most {self.margin()} less than the baseline")
        return " and ".join(parts)

    def margin(self) -> str:
        """The loss that is judged, in points."""
        return _points(self.allowed_loss or 0.0)

    def sentences(self, variant: HasAccuracy) -> Iterator[tuple[RequirementStatus, str]]:
        """A sentence for each thing that was asked for and is missed, or may be: is ``open``."""
        if not self.asked:
            return
        for status, estimate, least in self._judged(variant):
            if status not in ("missed", "open"):
                continue
            lead = (
                BELOW_REQUIREMENT if status == "missed" else f"Perhaps {_lower(BELOW_REQUIREMENT)}"
            )
            shown = (
                f"{_share(estimate)}, at least {_percent(least)} was asked for"
                if least >= 0
                else f"{_change(estimate)} against the baseline, at most {_points(-least)} less "
                "was asked for"
            )
            open_ = f"; {units.grouped(estimate.n)} samples do not decide it"
            yield status, f"{lead}: {shown}{open_ if status == 'open' else ''}."

    def _judged(self, variant: HasAccuracy) -> Iterator[tuple[RequirementStatus, Estimate, float]]:
        """Each quantity that is asked for, its status, and the least that it must be."""
        if self.least is not None:
            yield _status(variant[METRIC], self.least), variant[METRIC], self.least
        if self.allowed_loss is None:
            return
        if not variant.is_baseline:
            change = variant.changes[METRIC]
            yield _status(change, -self.allowed_loss), change, -self.allowed_loss
        elif self.least is None:
            # A baseline loses nothing against itself, if it has an accuracy at all.
            yield _status(variant[METRIC], 0.0), variant[METRIC], 0.0


def _status(estimate: Estimate, least: float) -> RequirementStatus:
    if estimate.value is None or estimate.interval is None:
        return "unknown"
    if estimate.interval.low >= least:
        return "met"
    return "missed" if estimate.interval.high < least else "open"


def _share(estimate: Estimate) -> str:
    decimals = units.decimals_of_share(estimate.n)
    assert estimate.value is not None
    assert estimate.interval is not None
    low, high = (
        f"{100 * end:.{decimals}f}" for end in (estimate.interval.low, estimate.interval.high)
    )
    return f"{units.percent(estimate.value, decimals)} [{low}, {high}]"


def _change(estimate: Estimate) -> str:
    decimals = units.decimals_of_share(estimate.n)
    assert estimate.value is not None
    assert estimate.interval is not None
    low, high = (
        units.points(end, decimals) for end in (estimate.interval.low, estimate.interval.high)
    )
    return f"{units.points(estimate.value, decimals)} points [{low}, {high}]"


def _percent(share: float) -> str:
    return f"{100 * share:.6g} %"


def _points(share: float) -> str:
    points = f"{100 * share:.6g}"
    return f"{points} point{'' if points == '1' else 's'}"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
