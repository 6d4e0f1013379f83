"""A gate's verdict at the head of its run's page: each metric against its margin, as a drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mobilebench.analysis.gating import Verdict
from mobilebench.report.figures.effect import drawing
from mobilebench.runs import verdict as gate_verdict
from mobilebench.runs.verdict import scope

if TYPE_CHECKING:
    from markupsafe import Markup

    from mobilebench.analysis.gate_finding import Finding
    from mobilebench.runs.verdict import GateResult

#: What each verdict means, for who reads no manual; the metrics that have it follow.
_MEANINGS = {
    Verdict.PASS: "Shown to be not worse than the margins allow",
    Verdict.FAIL: "Shown to be worse than the margin",
    Verdict.INCONCLUSIVE: "Too noisy, or too little known, to show either",
    Verdict.INVALID: "Not judged: a trial failed, a file could not be made, or the device computes "
    "something else than a file says",
}


@dataclass(frozen=True)
class _Row:
    """One metric: the cells as texts, and the drawing of its effect; empty where there is none."""

    metric: str
    verdict: str
    word: str
    cells: tuple[str, ...]
    drawing: Markup
    reason: str


@dataclass(frozen=True)
class _Comparison:
    title: str
    verdict: str
    rows: tuple[_Row, ...]


@dataclass(frozen=True)
class Head:
    """What the page shows of a gate."""

    verdict: str
    sentence: str
    comparisons: tuple[_Comparison, ...]
    looks: str
    warnings: tuple[str, ...]


def head(result: GateResult, policy: Mapping[str, Any], said: Sequence[str] = ()) -> Head:
    """The head of a gate's page.

    Args:
        result: what the gate says.
        policy: what the run has of it: each metric's direction.
        said: warnings that the page has already.
    """
    looks = ", then after ".join(f"{look.blocks} at {look.alpha:g}" for look in result.looks)
    return Head(
        str(result.verdict),
        f"{scope(result)}{result.invalid or _sentence(result)}",
        tuple(
            _Comparison(
                gate_verdict.title(comparison),
                str(comparison.verdict),
                tuple(_row(finding, policy) for finding in comparison.findings),
            )
            for comparison in result.comparisons
        ),
        looks,
        tuple(warning for warning in result.warnings if warning not in said),
    )


def _sentence(result: GateResult) -> str:
    """The verdict in words, with the metrics that it comes from."""
    metrics = [
        finding.metric
        for comparison in result.comparisons
        for finding in comparison.findings
        if finding.verdict == result.verdict
    ]
    named = ", ".join(dict.fromkeys(metrics))
    meaning = _MEANINGS[result.verdict]
    return f"{meaning}: {named}." if named else f"{meaning}."


def _row(finding: Finding, policy: Mapping[str, Any]) -> _Row:
    metric, verdict, *cells = gate_verdict.row(finding)
    higher = policy.get(finding.metric, {}).get("direction") == "higher"
    return _Row(
        metric,
        str(finding.verdict or "none"),
        verdict,
        tuple(cells),
        drawing(finding.effect, finding.margin, -1 if higher else 1),
        finding.reason,
    )
