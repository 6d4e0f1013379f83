"""The pictures of a comparison: trade-offs, and how latencies spread.

Points carry the row numbers of the table beside them, so that any number of long names fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from mobilebench.analysis import pareto, units
from mobilebench.report.figures.drawing import (
    BLUE,
    FAINT,
    INK,
    PAPER,
    STYLE,
    VERMILLION,
    Picture,
    svg,
)
from mobilebench.report.figures.labels import Place, place_labels
from mobilebench.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

    from mobilebench.analysis.estimates import Estimate
    from mobilebench.analysis.summary import Comparison, Variant
    from mobilebench.metrics import Metric

#: What a picture draws at most; more would be neither readable nor small. With more points than
#: labels, only the front and the baseline are numbered.
MOST_POINTS = 400
MOST_LABELS = 24
MOST_STRIPS = 24

# A logarithmic axis where the largest value is this many times the smallest.
_LOGARITHMIC = 8


@dataclass(frozen=True)
class _Axis:
    """A quantity to plot: how to get it, what to call it, and whether more is better.

    ``is_quality``: it is one of the answers, whose axis is never logarithmic.
    """

    name: str
    get: Callable[[Variant], Estimate]
    units: tuple[tuple[str, float], ...]
    more_is_better: bool = False
    is_quality: bool = False


_LATENCY = _Axis("Latency", lambda v: v["latency"], units.TIME_UNITS)
_SIZE = _Axis("File size", lambda v: v["size"], units.SIZE_UNITS)
_SIMILARITY = _Axis(
    "Similarity to the baseline",
    lambda v: v["similarity"],
    units.MULTIPLES["dB"],
    more_is_better=True,
    is_quality=True,
)


def _quality(metric: Metric) -> _Axis:
    return _Axis(
        metric.title,
        lambda v: v[metric.name],
        units.MULTIPLES[metric.unit],
        metric.direction == "higher",
        is_quality=True,
    )


def pictures(comparison: Comparison) -> list[Picture]:
    """The pictures that a comparison has data for; none where nothing was measured."""
    quality = _quality(comparison.quality)
    pairs = [(_LATENCY, quality), (_SIZE, quality)]
    if not comparison.is_scored:
        pairs = [(_SIZE, _LATENCY)]
        if any(v["similarity"].value is not None for v in comparison.variants):
            pairs.append((_SIZE, _SIMILARITY))
    with mpl.rc_context(STYLE):
        found = [*(_scatter(comparison, x, y) for x, y in pairs), _strips(comparison)]
    return [picture for picture in found if picture is not None]


def _scatter(comparison: Comparison, x: _Axis, y: _Axis) -> Picture | None:
    numbered = [
        (number, variant)
        for number, variant in enumerate(comparison.variants, 1)
        if x.get(variant).value is not None and y.get(variant).value is not None
    ]
    if len(numbered) < 2:
        return None
    marks = pareto.front([_costs(v, x, y) for _, v in numbered])
    front = {
        number
        for (number, v), mark in zip(numbered, marks, strict=True)
        if mark and v.requirement != "missed" and not v.invalid
    }
    # What stands out first, so that the limits cut off the rest.
    numbered.sort(key=lambda item: (not item[1].is_baseline, item[0] not in front, item[0]))
    shown = numbered[:MOST_POINTS]
    crowded = len(shown) > MOST_LABELS

    title = f"{y.name} against {x.name[0].lower()}{x.name[1:]}"
    figure = Figure(figsize=(5.2, 3.9), layout="constrained")
    axes = figure.add_subplot()
    factor_x, factor_y = (
        _prepare(axes, axis, [v for _, v in shown], along) for axis, along in ((x, "x"), (y, "y"))
    )
    line = sorted(
        ((x.get(v).value or 0) / factor_x, (y.get(v).value or 0) / factor_y)
        for number, v in shown
        if number in front
    )
    if line:
        ends = zip(*line, strict=True)
        axes.plot(*ends, color=BLUE, lw=1.2, alpha=0.55, drawstyle="steps-post", zorder=2)
    # Points without numbers look alike and are drawn at once: each call takes milliseconds.
    plain_points = [v for n, v in shown if crowded and n not in front and not v.is_baseline]
    if plain_points:
        xs, ys = ([a.get(v).value or 0 for v in plain_points] for a in (x, y))
        axes.plot([v / factor_x for v in xs], [v / factor_y for v in ys], ls="",
                  **_marker(plain_points[0], on_front=False))  # fmt: skip
    for number, variant in reversed(shown[: len(shown) - len(plain_points)]):
        at, factors = (x.get(variant), y.get(variant)), (factor_x, factor_y)
        _bars(axes, variant, number in front, at, factors)
        at_x, at_y = ((e.value or 0) / factor for e, factor in zip(at, factors, strict=True))
        axes.plot(at_x, at_y, **_marker(variant, number in front))
    requirement = _requirement(comparison) if y.is_quality and comparison.is_scored else None
    if requirement is not None:
        axes.axhline(requirement / factor_y, color=VERMILLION, lw=1, ls=(0, (1, 2)), zorder=1)
    axes.margins(0.09, 0.12)
    unnumbered = _number(figure, axes, shown, front, x=(x, factor_x), y=(y, factor_y))

    dropped = len(numbered) - len(shown)
    caption = (
        "Numbers are the rows of the table. Blue: by point estimates no other variant is better "
        f"in both; orange diamond: the baseline ({plain(comparison.baseline)}). "
        "Bars: 95 % intervals."
    )
    if requirement is not None:
        metric = comparison.quality
        word = "least" if metric.direction == "higher" else "most"
        asked = _percent(requirement) if metric.unit == "share" else f"{requirement:.4g}"
        caption += f" Dotted: the {word} {metric.words} that was asked for, {asked}."
    if _LATENCY in (x, y) and any(v.disturbed for _, v in numbered):
        caption += " Variants disturbed by load are never blue."
    if any(v.invalid for _, v in numbered):
        caption += " What is INVALID is never blue."
    if dropped > 0:
        caption += f" {dropped} variants off the front are not drawn."
    if crowded:
        caption += " So many points have numbers and bars only on the front."
    if unnumbered:
        caption += f" {unnumbered} of the numbers have no room."
    return Picture(title, caption, svg(figure, f"{title}: {comparison.model}"))


def _costs(variant: Variant, x: _Axis, y: _Axis) -> list[float | None]:
    """What it costs along both axes; what is invalid or disturbed by load beats no other."""
    return [
        None
        if variant.invalid or (axis is _LATENCY and variant.disturbed)
        else _cost(variant, axis)
        for axis in (x, y)
    ]


def _requirement(comparison: Comparison) -> float | None:
    name = comparison.quality.name
    base = next((v[name].value for v in comparison.variants if v.is_baseline), None)
    return comparison.requirement.level(base)


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _cost(variant: Variant, axis: _Axis) -> float | None:
    value = axis.get(variant).value
    return value if value is None or not axis.more_is_better else -value


def _prepare(axes: Axes, axis: _Axis, variants: Sequence[Variant], along: str) -> float:
    """Labels and scales one axis; returns what to divide values by."""
    values = sorted(v for v in (axis.get(variant).value for variant in variants) if v is not None)
    side = axes.xaxis if along == "x" else axes.yaxis
    name, factor = units.unit_for(values[len(values) // 2], axis.units)
    if not axis.is_quality and values[0] > 0 and values[-1] / values[0] > _LOGARITHMIC:
        (axes.set_xscale if along == "x" else axes.set_yscale)("log")
        _logarithmic(side, values[0], values[-1])
        if units.reads(values, factor):
            name += ", logarithmic"
        else:
            name = "logarithmic"
            side.set_major_formatter(FuncFormatter(lambda value, _: _tick(value * factor, axis)))
    side.set_label_text(f"{axis.name} ({name})" if name else axis.name)
    axes.grid(True, axis="both")
    axes.set_axisbelow(True)
    return factor


def _tick(value: float, axis: _Axis) -> str:
    """A value on an axis that no one unit fits, with its own."""
    name, factor = units.unit_for(value, axis.units)
    return f"{value / factor:g} {name}"


def _logarithmic(side: mpl.axis.Axis, low: float, high: float) -> None:
    steps = (1, 2, 5) if high / low < 300 else (1,)
    side.set_major_locator(LogLocator(subs=steps))
    side.set_minor_locator(NullLocator())
    side.set_minor_formatter(NullFormatter())
    side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _colour(variant: Variant, on_front: bool) -> str:
    return VERMILLION if variant.is_baseline else BLUE if on_front else INK


def _bars(
    axes: Axes,
    variant: Variant,
    on_front: bool,
    at: tuple[Estimate, Estimate],
    factors: tuple[float, float],
) -> None:
    x, y = ((e.value or 0) / factor for e, factor in zip(at, factors, strict=True))
    colour = _colour(variant, on_front)
    for estimate, factor, along in zip(at, factors, "xy", strict=True):
        if estimate.interval is not None:
            low, high = estimate.interval.low / factor, estimate.interval.high / factor
            ends = ([low, high], [y, y]) if along == "x" else ([x, x], [low, high])
            axes.plot(*ends, color=colour, lw=0.9, alpha=0.3, zorder=1, solid_capstyle="butt")


def _marker(variant: Variant, on_front: bool) -> dict[str, Any]:
    """How a variant's point looks."""
    colour = _colour(variant, on_front)
    return {
        "marker": "D" if variant.is_baseline else "o",
        "ms": 5.5 if variant.is_baseline else 6,
        "mfc": colour if on_front or variant.is_baseline else PAPER,
        "mec": colour,
        "mew": 1.1,
        "zorder": 4 if on_front or variant.is_baseline else 3,
    }


def _number(
    figure: Figure,
    axes: Axes,
    shown: Sequence[tuple[int, Variant]],
    front: set[int],
    *,
    x: tuple[_Axis, float],
    y: tuple[_Axis, float],
) -> int:
    """Writes each point's number beside it, or with a line to it where that was taken.

    Of many points only the front and the baseline are numbered.

    Returns:
        How many numbers were left out, because they have no room.
    """
    figure.draw_without_rendering()  # Only a drawn figure knows where its points are.
    data = [tuple((axis.get(v).value or 0) / factor for axis, factor in (x, y)) for _, v in shown]
    pixels = axes.transData.transform(data)
    scale = 72 / figure.dpi
    box = axes.get_window_extent()
    texts = [str(number) for number, _ in shown]
    few = len(shown) <= MOST_LABELS
    wanted = [few or number in front or v.is_baseline for number, v in shown]
    spots = place_labels(
        [Place(float(px) * scale, float(py) * scale) for px, py in pixels],
        [(6.2 * len(t) + 1, 9.5) if w else None for t, w in zip(texts, wanted, strict=True)],
        (box.x0 * scale, box.y0 * scale, box.x1 * scale, box.y1 * scale),
    )
    for (number, variant), text, at, point, spot in zip(
        shown, texts, data, pixels * scale, spots, strict=True
    ):
        if spot is None:
            continue
        strong = number in front or variant.is_baseline
        axes.annotate(
            text,
            (at[0], at[1]),
            xytext=(spot.x - point[0], spot.y - point[1]),
            textcoords="offset points",
            ha="center",
            va="center_baseline",
            fontsize=9,
            fontweight="bold" if strong else "normal",
            color=_colour(variant, number in front),
            zorder=5,
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": FAINT, "shrinkA": 4, "shrinkB": 3}
            if spot.far
            else None,
        )
    return sum(w and spot is None for w, spot in zip(wanted, spots, strict=True))


def _strips(comparison: Comparison) -> Picture | None:
    """Each variant's latencies on a line of its own, its name above it."""
    rows = [
        (number, v)
        for number, v in enumerate(comparison.variants, 1)
        if v["latency"].value is not None and v.latency.band is not None
    ]
    if not rows:
        return None
    # Over the limit, what is worth choosing is kept, in the order of the table.
    shown = sorted(sorted(rows, key=_worth)[:MOST_STRIPS], key=lambda row: row[0])
    figure = Figure(figsize=(5.2, 0.8 + 0.44 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    for line, (number, variant) in enumerate(shown):
        _strip(axes, -line, f"{number}  {plain(variant.recipe)}", variant)
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -2), max(high, 2))
    axes.set_ylim(-len(shown) + 0.55, 0.85)
    axes.set_xlabel("Difference from the variant's own median (%)")
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: units.true_minus(f"{x:+g}" if x else "0"))
    )
    axes.grid(True, axis="x")
    axes.set_axisbelow(True)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    caption = (
        "Bands: the middle 90 % (pale) and 50 % of the samples, as medians over the trials. "
        "Dots: one trial median each; line: their median, with its 95 % interval below."
    )
    if len(rows) > len(shown):
        caption += f" {len(rows) - len(shown)} slower variants off the front are not drawn."
    title = "Latency: spread within and between trials"
    return Picture(title, caption, svg(figure, f"{title}: {comparison.model}"))


def _worth(row: tuple[int, Variant]) -> tuple[bool, bool, float]:
    variant = row[1]
    return not variant.is_baseline, not variant.best_tradeoff, variant["latency"].value or 0


def _strip(axes: Axes, y: int, name: str, variant: Variant) -> None:
    """One variant's line. Variants differ by more than they spread: each has its own zero."""
    latency, median = variant.latency, variant["latency"]
    middle = median.value or 0

    def relative(value: float) -> float:
        return 100 * (value / middle - 1) if middle else 0.0

    colour = VERMILLION if variant.is_baseline else BLUE
    p05, p25, p75, p95 = (relative(edge) for edge in latency.band or ())
    axes.plot([p05, p95], [y, y], color=colour, lw=8, alpha=0.16, solid_capstyle="butt", zorder=2)
    axes.plot([p25, p75], [y, y], color=colour, lw=8, alpha=0.3, solid_capstyle="butt", zorder=2)
    axes.plot([0, 0], [y - 0.17, y + 0.17], color=INK, lw=1.3, zorder=3)
    medians = [relative(value) for _, value in variant.blocks["latency"]]
    axes.plot(medians, [y] * len(medians), ls="", marker="o", ms=3.6, mfc=colour, mec=PAPER,
              mew=0.6, zorder=4)  # fmt: skip
    if median.interval is not None:
        ends = [relative(median.interval.low), relative(median.interval.high)]
        axes.plot(ends, [y - 0.17] * 2, color=INK, lw=1.3, zorder=3, solid_capstyle="butt")
    across = axes.get_yaxis_transform()
    for x, side, text in ((0.0, "left", name), (1.0, "right", units.duration(middle))):
        axes.text(x, y + 0.22, text, transform=across, va="bottom", ha=side, fontsize=8.5,
                  parse_math=False)  # fmt: skip
