"""How good a variant's answers must be, and whether they are shown to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from mobilebench.analysis import units
from mobilebench.metrics import Metric, registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mobilebench.analysis.estimates import Estimate, Interval
    from mobilebench.records.run import StoredModel

#: Shown by the interval to be reached, shown to be missed, not shown either way; no such quality.
RequirementStatus = Literal["met", "missed", "open", "unknown"]

#: What a model's quality is called by where nothing was scored, and in older runs.
ACCURACY = "accuracy"
#: What the data's own ``evaluate`` gives.
OWN = ("score", "loss")


class HasQuality(Protocol):
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
class QualityRequirement:
    """What a suite asks of the quality of a model's variants.

    Attributes:
        metric: the one that is meant.
        least: the worst value that a variant may have, in the metric's unit, or None: the least
            accuracy, the largest error.
        loss: how much worse than its baseline it may be, in the metric's unit, or None. With
            neither it is ``tolerance`` that advice goes by.
        tolerance: the loss that counts as small where nothing is asked for: the gate's margin.
            None where that is a share of the baseline's value, which is not known.
        own_margin: whether that is what the data's own file says of its score.
    """

    metric: Metric = field(default_factory=lambda: registry()[ACCURACY])
    least: float | None = None
    loss: float | None = None
    tolerance: float | None = 0.01
    own_margin: bool = False

    @classmethod
    def of(
        cls, model: StoredModel | None, primary: str = ACCURACY, baseline: float | None = None
    ) -> QualityRequirement:
        """What a run requires of a model's variants; nothing of a model that it does not know.

        Args:
            model: of the run.
            primary: the metric by which the model's answers are scored first.
            baseline: the baseline's value of that.
        """
        least, loss, name = None, None, primary
        if model and (model.min_accuracy is not None or model.max_accuracy_loss is not None):
            least, loss, name = model.min_accuracy, model.max_accuracy_loss, ACCURACY
        elif model:
            least, loss = model.min_quality, model.max_quality_loss
        metric = registry()[name]
        margin = metric.judged.margin if metric.judged else 0.0
        if model and model.quality_margin is not None and name in OWN:
            return cls(metric, least, loss, model.quality_margin, own_margin=True)
        if metric.scale == "ratio":
            return cls(metric, least, loss, None if baseline is None else margin * abs(baseline))
        return cls(metric, least, loss, margin)

    @property
    def asked(self) -> bool:
        """Whether the suite asks for anything."""
        return self.least is not None or self.loss is not None

    @property
    def allowed_loss(self) -> float | None:
        """The loss that is judged; None where only the quality itself counts."""
        return self.loss if self.asked else self.tolerance

    @property
    def below(self) -> str:
        """What is said of a variant that misses it; the beginning of a sentence."""
        if self.metric.name == ACCURACY:
            return "Less accurate than its requirement"
        return f"Worse in {self.metric.words} than its requirement"

    def status(self, variant: HasQuality) -> RequirementStatus:
        """Whether its interval rules out, on either side, that it keeps to all that is asked."""
        found = [status for status, *_ in self._judged(variant)]
        for worst in ("missed", "unknown", "open"):
            if worst in found:
                return worst
        return "met" if found else "unknown"

    def measured(self, variant: HasQuality) -> bool:
        """Whether it keeps to all of it by its point estimates, whatever their intervals say."""
        return all(
            estimate.value is not None and self._sign * (estimate.value - limit) >= 0
            for _, estimate, limit, _ in self._judged(variant)
        )

    def level(self, baseline: float | None) -> float | None:
        """The value beyond which a variant misses it, given the baseline's; None: unknown."""
        levels = [] if self.least is None else [self.least]
        if self.loss is not None and baseline is not None:
            levels.append(baseline - self._sign * self.loss)
        return max(levels, key=lambda level: self._sign * level, default=None)

    def shown(self) -> str:
        """What a variant is that meets it, in words."""
        parts = []
        if self.least is not None:
            parts.append(f"to have {self._at_least()}")
        if self.allowed_loss is not None:
            parts.append(f"to stay within {self.margin()} of the baseline's {self.metric.words}")
        return f"shown {' and '.join(parts)}"

    def request(self) -> str:
        """What was asked for, in words."""
        parts = []
        if self.least is not None:
            parts.append(self._at_least())
        if self.allowed_loss is not None:
            what = "" if self.metric.name == ACCURACY else f" {self.metric.words}"
            parts.append(f"at most {self.margin()} {self._worse}{what} than the baseline")
        return " and ".join(parts)

    def margin(self) -> str:
        """The loss that is judged, in the measure of the metric."""
        is_share = self.metric.scale == "ratio" and not self.own_margin
        if not self.asked and is_share and self.metric.judged:
            return f"{100 * self.metric.judged.margin:g} %"
        return _amount(self.metric, self.allowed_loss or 0.0, difference=True)

    def sentences(self, variant: HasQuality) -> Iterator[tuple[RequirementStatus, str]]:
        """A sentence for each thing that was asked for and is missed, or may be: is ``open``."""
        if not self.asked:
            return
        for status, estimate, limit, is_change in self._judged(variant):
            if status not in ("missed", "open"):
                continue
            lead = self.below if status == "missed" else f"Perhaps {_lower(self.below)}"
            shown = (
                f"{with_interval(self.metric, estimate, difference=True)} against the baseline, "
                f"at most {_amount(self.metric, abs(limit), difference=True)} {self._worse} "
                "was asked for"
                if is_change
                else f"{with_interval(self.metric, estimate)}, {self._bound} "
                f"{_amount(self.metric, limit)} was asked for"
            )
            open_ = f"; {units.grouped(estimate.n)} samples do not decide it"
            yield status, f"{lead}: {shown}{open_ if status == 'open' else ''}."

    @property
    def _sign(self) -> int:
        return 1 if self.metric.direction == "higher" else -1

    @property
    def _bound(self) -> str:
        return "at least" if self._sign > 0 else "at most"

    @property
    def _worse(self) -> str:
        return "less" if self._sign > 0 else "more"

    def _at_least(self) -> str:
        return f"{self._bound} {_amount(self.metric, self.least or 0.0)} {self.metric.words}"

    def _judged(
        self, variant: HasQuality
    ) -> Iterator[tuple[RequirementStatus, Estimate, float, bool]]:
        """Each quantity that is asked for, its status, its limit, and whether it is a change."""
        own = variant[self.metric.name]
        if self.least is not None:
            yield self._status(own, self.least), own, self.least, False
        if self.allowed_loss is None:
            return
        if not variant.is_baseline:
            change, limit = variant.changes[self.metric.name], -self._sign * self.allowed_loss
            yield self._status(change, limit), change, limit, True
        elif self.least is None:
            # A baseline loses nothing against itself, if it was scored at all.
            yield ("unknown" if own.value is None else "met"), own, 0.0, False

    def _status(self, estimate: Estimate, limit: float) -> RequirementStatus:
        if estimate.value is None or estimate.interval is None:
            return "unknown"
        ends = (estimate.interval.low, estimate.interval.high)
        worst, best = sorted(self._sign * (end - limit) for end in ends)
        if worst >= 0:
            return "met"
        return "missed" if best < 0 else "open"


def with_interval(metric: Metric, estimate: Estimate, *, difference: bool = False) -> str:
    """A value of a quality metric, or a difference of two, with its unit and interval."""
    decimals = units.decimals_of_share(estimate.n)
    show = units.change if difference else units.shown
    value, interval = estimate.value or 0.0, estimate.interval
    if interval is None:
        return show(metric.unit, value, decimals)
    if metric.unit == "value":
        return _plain_with_interval(value, interval, sign="+" if difference else "")
    text = show(metric.unit, value, decimals)
    ends = (interval.low, interval.high)
    low, high = (show(metric.unit, end, decimals).partition(" ")[0] for end in ends)
    return f"{text} [{low}, {high}]"


def _plain_with_interval(value: float, interval: Interval, sign: str) -> str:
    """With the decimals that two digits of the interval's half need: more would be noise."""
    half = (interval.high - interval.low) / 2
    decimals = max(0, units.decimals_for(half, 2)) if half else units.VALUE_DIGITS
    numbers = (f"{number:{sign}.{decimals}f}" for number in (value, interval.low, interval.high))
    text, low, high = map(units.true_minus, numbers)
    return f"{text} [{low}, {high}]"


def _amount(metric: Metric, value: float, *, difference: bool = False) -> str:
    """What a suite asks for, to the last digit."""
    if metric.unit != "share":
        return f"{units.true_minus(f'{value:.6g}')}{' dB' if metric.unit == 'dB' else ''}"
    number = f"{100 * value:.6g}"
    if not difference:
        return f"{number} %"
    return f"{number} point{'' if number == '1' else 's'}"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
