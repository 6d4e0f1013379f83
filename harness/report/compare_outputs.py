"""Stored runs beside each other: for a terminal and as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.analysis import units
from harness.report.text import plain

if TYPE_CHECKING:
    from harness.analysis.estimates import Estimate
    from harness.compare import Entry, Row, StoredComparison

ADVICE = (
    "Advice only: runs of different sessions differ by more than their models. "
    "mobilebench gate gives a verdict."
)
_MISSING = "—"


def terminal(comparison: StoredComparison) -> RenderableType:
    """The rows for a terminal, and what was refused."""
    parts: list[RenderableType] = []
    for row in comparison.rows:
        table = Table(
            title=Text(title(row), style="bold"),
            title_justify="left",
            box=None,
            pad_edge=False,
            header_style="dim",
        )
        table.add_column("run", overflow="fold")
        for column in ("latency", "change", "size", "accuracy"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("note", overflow="fold")
        for entry in row.entries:
            table.add_row(*_cells(entry))
        parts += [table, Text()]
    parts += [
        Text.assemble(("not compared: ", "yellow"), plain(f"{r.run}: {r.what}: {r.reason}"))
        for r in comparison.refusals
    ]
    parts.append(Text(ADVICE))
    return Group(*parts)


def title(row: Row) -> str:
    """What a table shows, and where it was measured."""
    return plain(f"{row.model} · {row.recipe} on {row.device} · {row.runtime}")


def latency(estimate: Estimate) -> tuple[str, str]:
    """A latency and its interval, as texts; the second is empty where there is none."""
    if estimate.value is None:
        return _MISSING, ""
    interval = estimate.interval
    if interval is None:
        return units.duration(estimate.value), ""
    return (
        units.duration(estimate.value),
        f"{units.duration(interval.low)} to {units.duration(interval.high)}",
    )


def change(estimate: Estimate) -> tuple[str, str]:
    """A change in percent and its interval, as texts; empty where there is none."""
    if estimate.value is None:
        return "", ""
    interval = estimate.interval
    texts = [units.points(x) for x in (interval.low, interval.high)] if interval else []
    return f"{units.points(estimate.value)} %", f"{texts[0]} to {texts[1]} %" if texts else ""


def size(entry: Entry) -> str:
    """The file's size as text."""
    return _MISSING if entry.size is None else units.size(entry.size)


def accuracy(entry: Entry) -> str:
    """The accuracy as text."""
    value = entry.accuracy.value
    return _MISSING if value is None else units.percent(value)


def _cells(entry: Entry) -> list[RenderableType]:
    return [
        plain(entry.run),
        _stacked(*latency(entry.latency)),
        _stacked(*change(entry.change)),
        size(entry),
        accuracy(entry),
        plain(entry.note),
    ]


def _stacked(text: str, detail: str) -> Text:
    return Text.assemble(text, (f"\n{detail}", "dim")) if detail else Text(text)
