"""A history as a picture: the runs in order, their intervals, the levels and the steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mobilebench.analysis import units
from mobilebench.report.figures.drawing import BLUE, INK, PAPER, STYLE, VERMILLION, Picture, svg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from mobilebench.runs.history import Series

#: A picture spans at least this share of the median: noise is to look small.
LEAST_SPAN = 0.05
_MOST_DATES = 7
#: As many dots as a page's width has room for; with more runs some share one.
_MOST_DOTS = 500
# Runs closer than this many to each other have no room for a step's label between them.
_LABEL_WIDTH = 0.07


def picture(series: Series) -> Picture:
    """The series, drawn as wide as a page."""
    name, factor = _unit(series)
    what = series.definition.words.capitalize()
    values = [point.value / factor for point in series.points]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.4, 3.1), layout="constrained")
        axes = figure.add_subplot()
        _runs(axes, series, values, factor)
        _levels(axes, series, values)
        low, high = _limits(series, values, factor)
        axes.set_ylim(low, high)
        _steps(axes, series)
        axes.set_xlim(-0.8, len(values) - 0.2)
        axes.set_ylabel(f"{what} ({name})" if name else what)
        axes.grid(True, axis="y")
        axes.set_axisbelow(True)
        axes.xaxis.set_major_locator(MaxNLocator(_MOST_DATES, integer=True))
        dates = [point.created[:10] for point in series.points]
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _date(dates, x)))
        drawn = svg(figure, f"history: {series.title}: {series.definition.words}")
    neighbours = _neighbours(len(values))
    dot = (
        "A dot is a run, in the order they were made, with its 95 % interval"
        if neighbours == 1
        else f"A dot is the median of {neighbours} runs that follow each other, its line their "
        f"range: {len(values):,} are more than a picture can show"
    )
    caption = f"{dot}; grey: the median of each level; orange: where the level changed."
    return Picture(f"{what} over runs", caption, drawn)


def _unit(series: Series) -> tuple[str, float]:
    middle = float(np.median([point.value for point in series.points]))
    return units.unit_for(middle, units.MULTIPLES[series.definition.unit])


def _neighbours(runs: int) -> int:
    """How many runs share a dot."""
    return math.ceil(runs / _MOST_DOTS)


def _runs(axes: Axes, series: Series, values: Sequence[float], factor: float) -> None:
    neighbours = _neighbours(len(values))
    xs: list[float] = []
    ys: list[float] = []
    spans: list[tuple[float, float, float]] = []
    for first in range(0, len(values), neighbours):
        some, point = values[first : first + neighbours], series.points[first]
        x = first + (len(some) - 1) / 2
        xs.append(x)
        ys.append(float(np.median(some)))
        if neighbours > 1:
            spans.append((x, min(some), max(some)))
        elif point.interval is not None:
            spans.append((x, point.interval.low / factor, point.interval.high / factor))
    few = len(xs) <= 120
    lines = [((x, low), (x, high)) for x, low, high in spans]
    axes.add_collection(
        LineCollection(
            lines, colors=BLUE, linewidths=1.6 if few else 0.8, alpha=0.3, capstyle="butt"
        ),
        autolim=False,
    )
    axes.plot(xs, ys, ls="", marker="o", ms=4.6 if few else 2.6, mfc=BLUE, mec=PAPER,
              mew=0.6 if few else 0.2, zorder=3)  # fmt: skip


def _levels(axes: Axes, series: Series, values: Sequence[float]) -> None:
    for first, last in series.levels:
        level = float(np.median(values[first : last + 1]))
        axes.plot([first - 0.4, last + 0.4], [level, level], color=INK, lw=1.1, alpha=0.6, zorder=2)


def _limits(series: Series, values: Sequence[float], factor: float) -> tuple[float, float]:
    """All runs, and all but the widest intervals."""
    found = [point.interval for point in series.points if point.interval is not None]
    low, high, middle = min(values), max(values), float(np.median(values))
    if found:
        low = min(low, float(np.quantile([i.low for i in found], 0.02)) / factor)
        high = max(high, float(np.quantile([i.high for i in found], 0.98)) / factor)
    spread = max(high - low, LEAST_SPAN * abs(middle)) or 1.0
    centre = (low + high) / 2
    return centre - 0.56 * spread, centre + 0.66 * spread


def _steps(axes: Axes, series: Series) -> None:
    labelled = -1.0
    for step in series.steps:
        x = step.index - 0.5
        axes.axvline(x, color=VERMILLION, lw=1, ls=(0, (3, 2)), zorder=1)
        if labelled >= 0 and x - labelled < _LABEL_WIDTH * len(series.points):
            continue
        labelled = x
        change = (
            f"{units.points(step.after - step.before)} points"
            if series.definition.unit == "share"
            else f"{units.points(step.change)} %"
        )
        near_the_end = x > 0.9 * len(series.points)
        axes.annotate(
            change,
            (x, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if near_the_end else 4, -2),
            textcoords="offset points",
            ha="right" if near_the_end else "left",
            va="top",
            fontsize=9,
            fontweight="bold",
            color=VERMILLION,
        )


def _date(dates: Sequence[str], x: float) -> str:
    index = round(x)
    return dates[index] if abs(x - index) < 0.01 and 0 <= index < len(dates) else ""
