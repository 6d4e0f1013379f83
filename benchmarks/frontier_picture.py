"""The picture of benchmarks/frontier.py: accuracy against latency and against size, by model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator
from mobilebench.analysis import pareto
from mobilebench.report.figures.drawing import BLUE, FAINT, INK, PAPER, STYLE, VERMILLION
from mobilebench.report.figures.labels import Place, place_labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from mobilebench.analysis.summary import Comparison, Variant

#: What the stand-ins for a page's colours are on a white sheet.
_ON_PAPER = {INK: "#1a1a1a", FAINT: "#767676", PAPER: "#ffffff"}


def _coloured(colour: str) -> str:
    return _ON_PAPER.get(colour, colour)


def draw(comparisons: Sequence[Comparison], path: Path) -> None:
    """Writes the picture: a row a model, numbered as the rows of its table.

    Args:
        comparisons: one a model; the baseline is what latencies are relative to.
        path: ends in .svg or .png.
    """
    style = {
        key: _coloured(value) if isinstance(value, str) else value for key, value in STYLE.items()
    }
    with mpl.rc_context(style):
        rows = max(len(c.variants) for c in comparisons)
        figure = Figure(
            figsize=(10.5, len(comparisons) * max(3.2, 0.3 * rows + 0.6)), layout="constrained"
        )
        grid = figure.subplots(
            len(comparisons), 3, squeeze=False, gridspec_kw={"width_ratios": (1, 1, 1.35)}
        )
        for (left, right, names), comparison in zip(grid, comparisons, strict=True):
            _panel(left, comparison, "latency")
            _panel(right, comparison, "size")
            _names(names, comparison)
        for (left, right, _), comparison in zip(grid, comparisons, strict=True):
            for axes, quantity in ((left, "latency"), (right, "size")):
                _number(figure, axes, comparison.variants, quantity)
        figure.savefig(path, dpi=150, facecolor=_coloured(PAPER), metadata=_metadata(path))


def _metadata(path: Path) -> dict[str, Any]:
    return {"Date": None} if path.suffix == ".svg" else {}


def _x(variant: Variant, quantity: str) -> tuple[float, float, float] | None:
    """Value, low and high end."""
    if quantity == "size":
        value = variant["size"].value
        return None if value is None else (value / 1000,) * 3
    if variant.is_baseline:
        return 1.0, 1.0, 1.0
    speedup = variant.changes["latency"]
    if speedup.value is None:
        return None
    ends = (speedup.value,) * 2
    if speedup.interval is not None:
        ends = (speedup.interval.high, speedup.interval.low)
    return 1 / speedup.value, 1 / ends[0], 1 / ends[1]


def _points(
    variants: Sequence[Variant], quantity: str
) -> list[tuple[int, Variant, tuple[float, float, float], float]]:
    found = []
    for number, variant in enumerate(variants, 1):
        x, accuracy = _x(variant, quantity), variant["accuracy"].value
        if x is not None and accuracy is not None:
            found.append((number, variant, x, 100 * accuracy))
    return found


def _front(variants: Sequence[Variant], quantity: str) -> set[int]:
    points = _points(variants, quantity)
    marks = pareto.front([(x[0], -y) for _, _, x, y in points])
    return {number for (number, *_), mark in zip(points, marks, strict=True) if mark}


def _is_plain(variant: Variant) -> bool:
    return variant.recipe.startswith("plain int8")


def _colour(variant: Variant, *, on_front: bool) -> str:
    return VERMILLION if _is_plain(variant) else BLUE if on_front else _coloured(INK)


def _panel(axes: Axes, comparison: Comparison, quantity: str) -> None:
    variants = comparison.variants
    front = _front(variants, quantity)
    line = sorted((x[0], y) for n, _, x, y in _points(variants, quantity) if n in front)
    axes.plot(
        *zip(*line, strict=True), color=BLUE, lw=1.2, alpha=0.55, drawstyle="steps-post", zorder=2
    )
    for number, variant, (x, low, high), y in _points(variants, quantity):
        plain, on_front = _is_plain(variant), number in front
        colour = _colour(variant, on_front=on_front)
        bar: dict[str, Any] = {
            "color": colour,
            "lw": 0.9,
            "alpha": 0.3,
            "zorder": 1,
            "solid_capstyle": "butt",
        }
        axes.plot([low, high], [y, y], **bar)
        if (interval := variant["accuracy"].interval) is not None:
            axes.plot([x, x], [100 * interval.low, 100 * interval.high], **bar)
        axes.plot(
            x,
            y,
            marker="D" if plain else "o",
            ms=5.5,
            mfc=colour if plain or on_front else _coloured(PAPER),
            mec=colour,
            mew=1.1,
            zorder=4,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("Latency (× plain int8)" if quantity == "latency" else "File (KB)")
    if quantity == "latency":
        axes.set_ylabel("Accuracy (%)")
        axes.set_title(comparison.model, loc="left", fontweight="bold", fontsize=10)
    axes.grid(True)
    axes.set_axisbelow(True)
    axes.margins(0.1, 0.1)


def _number(figure: Figure, axes: Axes, variants: Sequence[Variant], quantity: str) -> None:
    """Writes each point's number beside it, or with a line to it where that was taken."""
    figure.draw_without_rendering()  # only a drawn figure knows where its points are
    points, front = _points(variants, quantity), _front(variants, quantity)
    pixels = axes.transData.transform([(x[0], y) for _, _, x, y in points])
    scale = 72 / figure.dpi
    box = axes.get_window_extent()
    spots = place_labels(
        [Place(float(px) * scale, float(py) * scale) for px, py in pixels],
        [(6.2 * len(str(number)) + 1, 9.5) for number, *_ in points],
        (box.x0 * scale, box.y0 * scale, box.x1 * scale, box.y1 * scale),
    )
    for (number, variant, x, y), point, spot in zip(points, pixels * scale, spots, strict=True):
        if spot is None:
            continue
        strong = number in front or _is_plain(variant)
        axes.annotate(
            str(number),
            (x[0], y),
            xytext=(spot.x - point[0], spot.y - point[1]),
            textcoords="offset points",
            ha="center",
            va="center_baseline",
            fontsize=8.5,
            fontweight="bold" if strong else "normal",
            color=_colour(variant, on_front=number in front),
            zorder=5,
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": _coloured(FAINT), "shrinkA": 4}
            if spot.far
            else None,
        )


def _names(axes: Axes, comparison: Comparison) -> None:
    """What the numbers mean."""
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(-len(comparison.variants), 0.5)
    front = _front(comparison.variants, "latency") | _front(comparison.variants, "size")
    for number, variant in enumerate(comparison.variants, 1):
        on_front = number in front
        text = (
            variant.recipe
            if len(variant.recipe) < 58
            else variant.recipe.replace(" → distill", "\n  → distill")
        )
        axes.text(
            0,
            0.5 - number,
            f"{number:>2}  {text}",
            fontsize=7.5,
            va="center",
            color=_colour(variant, on_front=on_front),
            fontweight="bold" if on_front or _is_plain(variant) else "normal",
        )
