"""The report as one HTML page that needs nothing but itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mobilebench.report.exports import history as history_outputs
from mobilebench.report.figures.drawing import Picture
from mobilebench.report.figures.minutes import minutes_picture
from mobilebench.report.figures.operators import MOST_PROFILES, operator_pictures
from mobilebench.report.figures.scans import scan_pictures
from mobilebench.report.figures.tradeoffs import pictures
from mobilebench.report.page.verdict_head import head
from mobilebench.report.tables.grid import (
    Grid,
    comparison_grid,
    details_grid,
    overviews,
    sustained_grid,
)
from mobilebench.report.template import page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobilebench.analysis.summary import Comparison, Summary, Variant
    from mobilebench.records.operator_times import Profile
    from mobilebench.records.run import Run
    from mobilebench.runs.history import Series
    from mobilebench.runs.verdict import GateResult

#: Comparisons with pictures; the others have their tables.
MOST_ILLUSTRATED = 8
#: Comparisons among which one finds one's way without a list of contents.
FEW_SECTIONS = 3
#: Variants whose history is drawn; ``mobilebench history`` has all.
MOST_HISTORIES = 12
#: Failed trials that are listed one by one; all of them are in ``trials.jsonl``.
MOST_FAILED_TRIALS = 100


@dataclass(frozen=True)
class _Section:
    """One comparison as the page shows it."""

    comparison: Comparison
    grid: Grid
    details: Grid
    minutes: Grid | None
    pictures: list[Picture]
    remarks: list[Variant]
    anchor: str


def render(
    summary: Summary,
    run: Run,
    verdict: GateResult | None = None,
    histories: Sequence[Series] = (),
    profiles: Sequence[Profile] = (),
) -> str:
    """The page.

    Args:
        summary: what the run found.
        run: for the appendix. Its strings are escaped, whoever wrote them.
        verdict: what the gate says, if the run is a gate's.
        histories: the run's variants over the runs before it.
        profiles: how long each operator takes alone, where that was asked for.
    """
    policy = run.gate.policy if run.gate else {}
    # What has changed comes first.
    shown = sorted(histories, key=lambda series: not series.steps)[:MOST_HISTORIES]
    sections = [
        _Section(
            comparison,
            comparison_grid(comparison),
            details_grid(comparison),
            sustained_grid(comparison),
            _drawn(comparison) if number <= MOST_ILLUSTRATED else [],
            [v for v in comparison.variants if v.findings or v.warnings],
            f"c{number}",
        )
        for number, comparison in enumerate(summary.comparisons, 1)
    ]
    return page(
        "page.html.jinja",
        summary=summary,
        verdict_head=head(verdict, policy, summary.warnings) if verdict else None,
        histories=[history_outputs.section(series) for series in shown],
        histories_left_out=len(histories) - len(shown),
        document=run.document(),
        sections=sections,
        single=len({(c.device, c.runtime) for c in summary.comparisons}) == 1,
        overviews=overviews(summary.comparisons),
        scans=scan_pictures(run),
        operators=operator_pictures(profiles),
        operators_left_out=max(0, len(profiles) - MOST_PROFILES),
        most_illustrated=MOST_ILLUSTRATED,
        few_sections=FEW_SECTIONS,
        failed_trials=summary.failed_trials[:MOST_FAILED_TRIALS],
        failed_left_out=max(0, len(summary.failed_trials) - MOST_FAILED_TRIALS),
    )


def _drawn(comparison: Comparison) -> list[Picture]:
    first = minutes_picture(comparison)
    return [*([first] if first else []), *pictures(comparison)]
