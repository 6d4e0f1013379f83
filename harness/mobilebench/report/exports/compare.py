"""Stored runs beside each other: for a terminal and as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilebench.analysis import units
from mobilebench.metrics import registry
from mobilebench.report.figures.effect import drawing
from mobilebench.report.template import page
from mobilebench.runs.compare import words_of
from mobilebench.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobilebench.analysis.estimates import Estimate
    from mobilebench.metrics import Metric
    from mobilebench.runs.compare import Entry, Row, StoredComparison

ADVICE = (
    "Advice only: runs of different sessions differ by more than their models. "
    "mobilebench gate gives a verdict."
)
_MISSING = "—"
_RUN_WIDTH = 25
#: Shown beside the metric that runs are compared by, and whatever else scores their answers.
_BESIDE = ("size", "accuracy")


def terminal(comparison: StoredComparison) -> RenderableType:
    """The rows for a terminal, and what was refused."""
    metric = registry()[comparison.metric]
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
        beside = [m for m in _beside(metric, [row]) if m.name == "size" or _is_measured(m, row)]
        for column in (metric.words, "change", *(m.words for m in beside)):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("note", overflow="fold")
        for entry in row.entries:
            table.add_row(*_cells(entry, metric, beside))
        parts += [table, Text()]
    parts += [
        Text.assemble(("not compared: ", "yellow"), plain(f"{r.run}: {r.what}: {r.reason}"))
        for r in comparison.refusals
    ]
    parts.append(Text(ADVICE))
    return Group(*parts)


def html(comparison: StoredComparison) -> str:
    """The comparison as one page that needs nothing but itself."""
    metric = registry()[comparison.metric]
    beside = _beside(metric, comparison.rows)
    return page(
        "compare.html.jinja",
        comparison=comparison,
        metric=metric,
        beside=beside,
        words=words_of(metric),
        rows=[
            {
                "title": title(row),
                "entries": [_shown(entry, metric, beside, _reach(row)) for entry in row.entries],
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


def _shown(
    entry: Entry, metric: Metric, beside: Sequence[Metric], reach: float
) -> dict[str, object]:
    """What the page shows of one run."""
    notes = entry.note.split("; ")
    worse, better = words_of(metric)
    tones = {worse: "fail", better: "pass"}
    word = next((note for note in notes if note in tones), "")
    return {
        "run": entry.run,
        "word": word,
        "tone": tones.get(word, "none"),
        "note": "; ".join(note for note in notes if note != word),
        "value": value(metric, entry.estimates[metric.name]),
        "change": change(metric, entry.change),
        "beside": [value(m, entry.estimates[m.name])[0] for m in beside],
        "drawing": drawing(
            entry.change, None, 1 if metric.direction == "lower" else -1, reach=reach
        ),
    }


def _beside(metric: Metric, rows: Sequence[Row]) -> list[Metric]:
    """What is shown beside it: the size, and the metrics that score the answers."""
    scores = [
        m for m in registry().values() if m.is_quality and any(_is_measured(m, r) for r in rows)
    ]
    names = ("size", *(m.name for m in scores)) if scores else _BESIDE
    return [registry()[name] for name in names if name != metric.name]


def _is_measured(metric: Metric, row: Row) -> bool:
    return any(entry.estimates[metric.name].value is not None for entry in row.entries)


def title(row: Row) -> str:
    """What a table shows, and where it was measured."""
    library = f" ({row.library})" if row.library else ""
    return plain(f"{row.model} · {row.recipe} on {row.device} · {row.runtime}{library}")


def value(metric: Metric, estimate: Estimate) -> tuple[str, str]:
    """A value and its interval, as texts; the second is empty where there is none."""
    if estimate.value is None:
        return _MISSING, ""
    text, interval = units.shown(metric.unit, estimate.value), estimate.interval
    if interval is None or not metric.interval:
        return text, ""
    low, high = (units.shown(metric.unit, end) for end in (interval.low, interval.high))
    number, _, unit = low.partition(" ")
    # A unit that both ends have is said once.
    first = number if high.endswith(f" {unit}") else low
    return text, f"{first} to {high}"


def change(metric: Metric, estimate: Estimate) -> tuple[str, str]:
    """A change in percent and its interval, as texts; empty where there is none."""
    if estimate.value is None:
        return "", ""
    unit = {"share": "points", "dB": "dB"}.get(metric.unit, "%")
    number = (lambda x: units.points(x / 100)) if unit == "dB" else units.points
    interval = estimate.interval
    texts = [number(x) for x in (interval.low, interval.high)] if interval else []
    return (
        f"{number(estimate.value)} {unit}",
        f"{texts[0]} to {texts[1]} {unit}" if texts else "",
    )


def _cells(entry: Entry, metric: Metric, beside: Sequence[Metric]) -> list[RenderableType]:
    return [
        plain(entry.run),
        _stacked(*value(metric, entry.estimates[metric.name])),
        _stacked(*change(metric, entry.change)),
        *(value(m, entry.estimates[m.name])[0] for m in beside),
        plain(entry.note),
    ]


def _stacked(text: str, detail: str) -> Text:
    return Text.assemble(text, (f"\n{detail}", "dim")) if detail else Text(text)
