"""What a gate compares, and what it says of one metric of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobilebench.metrics import registry

if TYPE_CHECKING:
    from mobilebench.analysis.estimates import Estimate
    from mobilebench.analysis.gating import Verdict
    from mobilebench.analysis.measures import Evidence


@dataclass(frozen=True)
class Finding:
    """What the gate says of one metric of one comparison.

    Attributes:
        metric: its name in the policy.
        verdict: None where the metric is missing and the policy ignores that.
        baseline, candidate: their values in the metric's unit, or None.
        effect: the candidate's change, in the measure of the metric's ``scale``: a share of the
            baseline's value, a difference of shares, or of a number.
        margin: how much worse it may get, in the effect's measure.
        noise: that of two runs of the same file, if it was calibrated (share).
        p_fail: of "not worse than the margin", adjusted by Holm; None where nothing is tested.
        p_pass: of "worse than the margin, or as bad".
        blocks: how many blocks the verdict rests on.
        reason: why there is no effect, or what to know of it.
    """

    metric: str
    verdict: Verdict | None
    effect: Estimate
    margin: float
    baseline: float | None = None
    candidate: float | None = None
    noise: float | None = None
    p_fail: float | None = None
    p_pass: float | None = None
    blocks: int = 0
    reason: str = ""

    @property
    def scale(self) -> str:
        """How effect and margin are to be read, as the metric says."""
        return registry()[self.metric].scale


@dataclass(frozen=True)
class Compared:
    """What there is of the baseline and of the candidate.

    ``failure`` says which of the two could not be made; ``threads`` are the runtime's;
    ``invalid`` says of each side, the baseline first, why its answers are not its file's;
    ``own_margin`` is what the data's own file says of its score, in that one's unit.
    """

    baseline: Evidence
    candidate: Evidence
    failure: str = ""
    threads: int = 1
    invalid: tuple[str, str] = ("", "")
    own_margin: float | None = None

    @property
    def sides(self) -> tuple[Evidence, Evidence]:
        """Both, the baseline first."""
        return self.baseline, self.candidate
