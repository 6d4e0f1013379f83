"""The picture of sustained trials: each minute's latency over the first one's, clocks and heat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from mobilebench.analysis import units
from mobilebench.analysis.sustained import THROTTLED, highest
from mobilebench.report.figures.drawing import BLUE, FAINT, INK, STYLE, VERMILLION, Picture, svg
from mobilebench.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from mobilebench.analysis.summary import Comparison, Variant
    from mobilebench.analysis.sustained import SustainedTrial

#: More lines would hide each other.
MOST_LINES = 12

_TITLE = "Latency over the minutes"

#: What is drawn below the latency: the counters' unit, the axis, and what one of it is drawn as.
_BELOW = (("Hz", "Clock (GHz)", 1e9), ("°C", "Temperature (°C)", 1.0))


def minutes_picture(comparison: Comparison) -> Picture | None:
    """Each sustained trial as a line; None for a run of bursts."""
    numbered = [
        (number, v) for number, v in enumerate(comparison.variants, 1) if v.sustained is not None
    ]
    if not numbered:
        return None
    shown = sorted(numbered, key=lambda row: (not row[1].is_baseline, not row[1].best_tradeoff))
    unit, factor = _unit(numbered)
    below = [row for row in _BELOW if any(_readings(v, row[0]) for _, v in shown[:MOST_LINES])]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.4 + 1.5 * len(below)), layout="constrained")
        axes, *lower = figure.subplots(
            1 + len(below), sharex=True, squeeze=False, height_ratios=[2.2] + [1.0] * len(below)
        )[:, 0]
        for number, variant in shown[:MOST_LINES]:
            _lines(axes, number, variant, factor)
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, -2), max(high, 100 * THROTTLED + 2))
        axes.axhline(100 * THROTTLED, color=FAINT, lw=0.9, ls="--", zorder=1)
        axes.set_ylabel("Latency vs. the first point (%)")
        axes.yaxis.set_major_formatter(
            FuncFormatter(lambda y, _: units.true_minus(f"{y:+g}" if y else "0"))
        )
        for place, (counted, label, one) in zip(lower, below, strict=True):
            place.set_ylabel(label)
            for nth, (number, variant) in enumerate(shown[:MOST_LINES]):
                _curves(place, number, variant, counted, (factor, one), 5 + 10 * nth)
        for place in (axes, *lower):
            place.grid(True)
            place.set_axisbelow(True)
        axes.set_xlim(left=0)
        (axes, *lower)[-1].set_xlabel(f"Time ({unit})")
        drawn = svg(figure, f"{_TITLE}: {comparison.model}")
    caption = (
        "One line per trial, one point per minute: its median against the first one's. Numbers are "
        f"the rows of the table; orange: the baseline ({plain(comparison.baseline)}). Dashed: two "
        "points in a row above it are throttling; a ring marks where it begins."
    )
    if below:
        caption += (
            " Below, at the same times: the clock of the fastest cluster, the hottest sensor, as "
            "far as the device reports them. Sensors that never move are left out."
        )
    else:
        caption += " This device reports neither clock nor temperature."
    if len(shown) > MOST_LINES:
        caption += f" {len(shown) - MOST_LINES} variants are not drawn."
    return Picture(_TITLE, caption, drawn)


def _unit(numbered: Sequence[tuple[int, Variant]]) -> tuple[str, float]:
    ends = [
        trial.minute_ns * len(trial.minutes)
        for _, variant in numbered
        if variant.sustained is not None
        for trial in variant.sustained.trials
    ]
    return ("min", 60e9) if max(ends) >= 2 * 60e9 else ("s", 1e9)


def _lines(axes: Axes, number: int, variant: Variant, factor: float) -> None:
    colour = VERMILLION if variant.is_baseline else BLUE
    assert variant.sustained is not None
    for trial in variant.sustained.trials:
        x, y = points(trial, factor)
        axes.plot(x, y, color=colour, lw=1.3, marker="o", ms=3.2, alpha=0.85, zorder=3)
        if trial.throttled_after is not None:
            begin = trial.throttled_after / factor
            at = next(i for i, middle in enumerate(x) if middle >= begin)
            axes.plot(x[at], y[at], ls="", marker="o", ms=9, mfc="none", mec=INK, mew=1, zorder=4)
        axes.annotate(
            str(number), (x[-1], y[-1]), xytext=(5, 0), textcoords="offset points",
            va="center_baseline", fontsize=9, fontweight="bold", color=colour,
        )  # fmt: skip


def _readings(variant: Variant, counted: str) -> list[tuple[tuple[int, float], ...]]:
    """What each trial's counters of a unit say, of the trials that have any."""
    trials = variant.sustained.trials if variant.sustained else ()
    return [found for trial in trials if (found := highest(trial.traces, counted))]


def _curves(
    axes: Axes,
    number: int,
    variant: Variant,
    counted: str,
    scale: tuple[float, float],
    right: float,
) -> None:
    """Its curves; their number stands so many points to the right, for many end at one value."""
    colour = VERMILLION if variant.is_baseline else BLUE
    for readings in _readings(variant, counted):
        x = [time / scale[0] for time, _ in readings]
        y = [value / scale[1] for _, value in readings]
        axes.plot(x, y, color=colour, lw=1.1, alpha=0.85)
        axes.annotate(
            str(number), (x[-1], y[-1]), xytext=(right, 0), textcoords="offset points",
            va="center_baseline", fontsize=9, fontweight="bold", color=colour,
        )  # fmt: skip


def points(trial: SustainedTrial, factor: float) -> tuple[list[float], list[float]]:
    """The middle of each minute (ns / factor), and its median over the first one's (%)."""
    x = [(minute.number + 0.5) * trial.minute_ns / factor for minute in trial.minutes]
    y = [100 * (minute.median / trial.first - 1) for minute in trial.minutes]
    return x, y
