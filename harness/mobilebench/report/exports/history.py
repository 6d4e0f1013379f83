"""A history for those who read it: sentences, a table and a sparkline for a terminal, a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilebench.analysis import units
from mobilebench.analysis.steps import ALPHA, ENOUGH_RUNS
from mobilebench.report.template import page
from mobilebench.text import plain

if TYPE_CHECKING:
    from mobilebench.analysis.steps import Step
    from mobilebench.metrics import Metric
    from mobilebench.runs.history import History, Point, Series

ADVICE = (
    "Advice only: sessions differ by heat, other load and time. A step says that the runs before "
    "and after it differ, not why."
)

_BARS = "▁▂▃▄▅▆▇█"
_SPARKS = 60
#: A sparkline and a picture span at least this share of the median: noise is to look small.
LEAST_SPAN = 0.05
_MOST_ROWS = 40
_MOST_ON_A_PAGE = 500


def terminal(history: History) -> RenderableType:
    """Each series with its sparkline and steps; of a single one the runs as well."""
    parts: list[RenderableType] = []
    for series in history.series:
        parts += [
            Text(series.title + virtual(series), style="bold"),
            Text.assemble(
                (sparkline([p.value for p in series.points]), "cyan"), f"  {span(series)}"
            ),
            *(Text.assemble((_mark(step), "yellow"), said) for step, said in sentences(series)),
            *([] if series.steps else [Text(no_step(series), style="dim")]),
            Text(),
        ]
    if len(history.series) == 1:
        parts += [_table(history.series[0]), Text()]
    parts += [Text.assemble(("not compared: ", "yellow"), said) for said in refused(history)]
    parts.append(Text(ADVICE))
    return Group(*parts)


def html(history: History) -> str:
    """The history as one page that needs nothing but itself."""
    return page(
        "history.html.jinja",
        history=history,
        sections=[section(series) for series in history.series],
        refused=refused(history),
        advice=ADVICE,
    )


def section(series: Series) -> dict[str, object]:
    """What a page shows of a series."""
    from mobilebench.report.figures.history import picture  # for pages alone: it is large

    return {
        "series": series,
        "picture": picture(series),
        "span": span(series),
        "steps": [said for _, said in sentences(series)],
        "none": "" if series.steps else no_step(series),
        "rows": rows(series),
        "older": older(series, _MOST_ON_A_PAGE),
    }


def virtual(series: Series) -> str:
    """What to say of a virtual device."""
    return " (virtual: not a phone's numbers)" if series.virtual else ""


def shown(metric: Metric, value: float) -> str:
    """A value of a metric with its unit."""
    return units.shown(metric.unit, value, decimals=2)


def sparkline(values: list[float], width: int = _SPARKS) -> str:
    """The series in one line of text; long ones as medians of neighbours."""
    pieces = np.array_split(np.array(values), min(width, len(values)))
    x = np.array([np.median(piece) for piece in pieces])
    middle = float(np.median(x))
    low, high = float(x.min()), float(x.max())
    least = LEAST_SPAN * abs(middle)
    if high - low < least:
        low, high = (low + high - least) / 2, (low + high + least) / 2
    if high == low:
        return _BARS[0] * x.size
    places = np.clip(((x - low) / (high - low) * len(_BARS)).astype(int), 0, len(_BARS) - 1)
    return "".join(_BARS[place] for place in places)


def span(series: Series) -> str:
    """How many runs there are, from when to when, and the newest number."""
    first, last = series.points[0], series.points[-1]
    count = len(series.points)
    runs = "1 run" if count == 1 else f"{count} runs"
    return (
        f"{runs}, {day(first)} to {day(last)}; "
        f"newest {series.definition.words} "
        f"{shown(series.definition, last.value)}{interval(series, last)}"
    )


def day(point: Point) -> str:
    """The date of a run."""
    return plain(point.created)[:10]


def interval(series: Series, point: Point) -> str:
    """The interval of a point in brackets, with a space before it; empty where there is none."""
    found = point.interval
    if found is None:
        return ""
    return f" [{shown(series.definition, found.low)}, {shown(series.definition, found.high)}]"


def sentences(series: Series) -> list[tuple[Step, str]]:
    """Each step in words, the newest first."""
    found = []
    for step in reversed(series.steps):
        old, new = series.points[step.index - 1], series.points[step.index]
        # A share's step is a difference: 91 % is not 1.1 % more than 90 %.
        change = (
            f"{units.points(step.after - step.before)} points"
            if series.definition.unit == "share"
            else f"{units.points(step.change)} %"
        )
        levels = (
            f"{shown(series.definition, step.before)} to {shown(series.definition, step.after)}"
        )
        file = "the same file as" if old.artifact == new.artifact else "another file than"
        said = f"{change} from {plain(new.run)} on: {levels}, p {step.p:.2g}; {file} before"
        found.append((step, said))
    return found


def no_step(series: Series) -> str:
    """Why no step is reported."""
    if len(series.points) < ENOUGH_RUNS:
        return f"Too few runs to look for steps: {ENOUGH_RUNS} are needed."
    return f"No step: the runs come in no order that chance would not give (α = {ALPHA:g})."


def refused(history: History) -> list[str]:
    """What is not compared, runs with the same reason together."""
    runs: dict[tuple[str, str], list[str]] = {}
    for refusal in history.refusals:
        runs.setdefault((refusal.what, refusal.reason), []).append(refusal.run)
    return [
        plain(f"{names[0]}{f' and {len(names) - 1} more' * (len(names) > 1)}: {what}: {reason}")
        for (what, reason), names in runs.items()
    ]


def rows(series: Series, most: int = _MOST_ON_A_PAGE) -> list[tuple[str, ...]]:
    """Run, day, value, interval, difference from its level, file: the newest runs first."""
    found: list[tuple[str, ...]] = []
    oldest = max(0, len(series.points) - most)
    for first, last in series.levels:
        if last < oldest:
            continue
        level = float(np.median([p.value for p in series.points[first : last + 1]]))
        for point in series.points[max(first, oldest) : last + 1]:
            change = point.value - level
            if series.definition.unit != "share":
                change = change / level if level else 0.0
            found.append(
                (
                    plain(point.run),
                    day(point),
                    shown(series.definition, point.value),
                    interval(series, point).strip(" []"),
                    units.points(change),
                    plain(point.artifact)[:12],
                )
            )
    return found[::-1]


def older(series: Series, most: int) -> str | None:
    """What to say of the runs that a table has no rows for; None: it has all."""
    left = len(series.points) - most
    runs = "run" if left == 1 else "runs"
    return f"{left:,} older {runs}: --json has them all." if left > 0 else None


def _table(series: Series) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    unit = "points" if series.definition.unit == "share" else "%"
    table.add_column("run", overflow="fold")
    table.add_column("day", no_wrap=True)
    for name in (series.definition.words, "interval", f"off its level ({unit})"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("file", no_wrap=True)
    for row in rows(series, _MOST_ROWS):
        table.add_row(*row)
    table.caption = older(series, _MOST_ROWS)
    return table


def _mark(step: Step) -> str:
    return "▲ " if step.after > step.before else "▼ "
