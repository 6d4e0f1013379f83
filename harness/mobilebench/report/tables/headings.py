"""What stands above a table, and in its place where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobilebench.records.device import AGENT
from mobilebench.text import plain

if TYPE_CHECKING:
    from mobilebench.analysis.summary import Comparison, Summary


def title(comparison: Comparison) -> str:
    """What a table compares: the model, and where it ran."""
    where = " · ".join(part for part in (comparison.device, comparison.runtime_label) if part)
    virtual = " (virtual: not a phone's latency)" if comparison.virtual else ""
    executor = "" if comparison.executor == AGENT else f" ({comparison.executor})"
    what = comparison.subject
    return f"{what} on {where}{executor}{virtual}" if where else what


def nothing(summary: Summary) -> str:
    """What stands in the place of tables where there are none."""
    return f"Nothing to compare in run {plain(summary.run)}.\n"
