"""Stored runs beside each other: for a terminal and as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilebench.analysis import units
from mobilebench.report.figures.effect import drawing
from mobilebench.report.page.template import page
from mobilebench.text import plain

if TYPE_CHECKING:
    from mobilebench.analysis.estimates import Estimate
    from mobilebench.runs.compare import Entry, Row, StoredComparison

ADVICE = (
    "Advice only: runs of different sessions differ by more than their models. "
    "mobilebench gate gives a verdict."
)
_MISSING = "—"
_RUN_WIDTH = 25
#: How a note that claims a difference is coloured.
_TONES = {"slower": "fail", "faster": "pass"}


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
        table.add_column("run", overflow="fold", min_width=_RUN_WIDTH)
        measured = any(entry.accuracy.value is not None for entry in row.entries)
        for column in ("latency", "change", "size", *(["accuracy"] if measured else [])):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("note", overflow="fold")
        for entry in row.entries:
            table.add_row(*_cells(entry, measured))
        parts += [table, Text()]
    parts += [
        Text.assemble(("not compared: ", "yellow"), plain(f"{r.run}: {r.what}: {r.reason}"))
        for r in comparison.refusals
    ]
    parts.append(Text(ADVICE))
    return Group(*parts)


def html(comparison: StoredComparison) -> str:
    """The comparison as one page that needs nothing but itself."""
    return page(
        "compare.html.jinja",
        comparison=comparison,
        rows=[
            {
                "title": title(row),
                "entries": [_shown(entry, _reach(row)) for entry in row.entries],
            }
            for row in comparison.rows
        ],
        advice=ADVICE,
    )


def _reach(row: Row) -> float:
    """One scale for all runs of a table."""
    changes = [entry.change for entry in row.entries]
    ends = [abs(c.value) for c in changes if c.value is not None]
    ends += [max(abs(c.interval.low), abs(c.interval.high)) for c in changes if c.interval]
    return 1.15 * max(ends, default=0) or 1.0


def _shown(entry: Entry, reach: float) -> dict[str, object]:
    """What the page shows of one run."""
    notes = entry.note.split("; ")
    word = next((note for note in notes if note in _TONES), "")
    return {
        "run": entry.run,
        "word": word,
        "tone": _TONES.get(word, "none"),
        "note": "; ".join(note for note in notes if note != word),
        "latency": latency(entry.latency),
        "change": change(entry.change),
        "size": size(entry),
        "accuracy": accuracy(entry),
        "drawing": drawing(entry.change, None, reach=reach),
    }


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
    low, high = units.duration(interval.low), units.duration(interval.high)
    number, _, unit = low.partition(" ")
    # A unit that both ends have is said once.
    first = number if high.endswith(f" {unit}") else low
    return units.duration(estimate.value), f"{first} to {high}"


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


def _cells(entry: Entry, measured: bool) -> list[RenderableType]:
    return [
        plain(entry.run),
        _stacked(*latency(entry.latency)),
        _stacked(*change(entry.change)),
        size(entry),
        *([accuracy(entry)] if measured else []),
        plain(entry.note),
    ]


def _stacked(text: str, detail: str) -> Text:
    return Text.assemble(text, (f"\n{detail}", "dim")) if detail else Text(text)
