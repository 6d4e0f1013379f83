"""A search as a picture: every candidate, by what is minimized, and the front."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from mobilebench.analysis import units
from mobilebench.report.figures.drawing import BLUE, INK, PAPER, STYLE, VERMILLION, Picture, svg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axis import Axis

    from mobilebench.search.candidate import Candidate, Measure
    from mobilebench.search.view import SearchView

_UNITS: dict[Measure, tuple[tuple[str, float], ...]] = {
    "size": units.SIZE_UNITS,
    "download": units.SIZE_UNITS,
    "macs": (("", 1.0), ("thousand", 1e3), ("million", 1e6), ("billion", 1e9)),
    "latency": units.TIME_UNITS,
    "memory": units.SIZE_UNITS,
    "energy": units.ENERGY_UNITS,
}
#: Where an axis of so many decades or less has numbers, in each decade.
_FEW_DECADES = 1.8
_NUMBERS = (1, 2, 3, 5)


def picture(view: SearchView) -> Picture | None:
    """All candidates of which enough is known; None: there are none yet.

    What is not above 0 has no place on a logarithmic axis: the MACs of a network that multiplies
    nothing, an energy lost in noise.
    """
    across = view.aim.minimize[0]
    up = view.aim.minimize[1] if len(view.aim.minimize) > 1 else None
    axes_of = (across,) if up is None else (across, up)
    known = [
        c
        for c in view.all
        if c.loss is not None and all(c.values.get(name, 0.0) > 0 for name in axes_of)
    ]
    if not known:
        return None

    scales = {name: _unit(name, known) for name in axes_of}

    def place(candidates: Sequence[Candidate]) -> tuple[list[float], list[float]]:
        xs = [c.values[across] / scales[across][1] for c in candidates]
        if up is None:
            return xs, [c.loss or 0.0 for c in candidates]
        return xs, [c.values[up] / scales[up][1] for c in candidates]

    front = [c for c in view.front if c in known]
    kept = {c.recipe for c in front}
    fine = [c for c in known if view.aim.is_feasible(c) and c.recipe not in kept]
    missed = [c for c in known if not view.aim.is_feasible(c)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.4, 3.8), layout="constrained")
        axes = figure.add_subplot()
        axes.scatter(*place(missed), s=22, facecolors=PAPER, edgecolors=INK, alpha=0.5)
        axes.scatter(*place(fine), s=22, color=INK, alpha=0.5)
        xs, ys = place(front)
        axes.plot(xs, ys, color=BLUE, linewidth=1, drawstyle="steps-post" if up else "default")
        axes.scatter(xs, ys, s=34, color=BLUE, zorder=3)
        if view.chosen in known:
            axes.scatter(*place([view.chosen]), s=90, facecolors="none", edgecolors=VERMILLION)
        axes.set_xscale("log")
        _number(axes.xaxis, place(known)[0])
        axes.set_xlabel(_label(across, scales[across][0]))
        if up is None:
            axes.set_ylabel(f"Loss ({view.unit})")
        else:
            axes.set_yscale("log")
            _number(axes.yaxis, place(known)[1])
            axes.set_ylabel(_label(up, scales[up][0]))
        axes.grid(True)
        axes.set_axisbelow(True)
        drawn = svg(figure, f"search: {view.model}")
    caption = (
        "Filled: keeps the limits; hollow: does not. Blue: the front; ringed: the chosen one, by "
        "the samples that choose."
    )
    return Picture(f"search: {view.model}", caption, drawn)


def _unit(name: Measure, candidates: Sequence[Candidate]) -> tuple[str, float]:
    """The unit in which most of them can be read."""
    return units.unit_for(statistics.median(c.values[name] for c in candidates), _UNITS[name])


def _label(name: Measure, unit: str) -> str:
    title = "MACs" if name == "macs" else name.capitalize()
    return f"{title} ({unit})" if unit else title


def _number(axis: Axis, values: Sequence[float]) -> None:
    """Numbers along a logarithmic axis as people write them."""
    narrow = math.log10(max(values) / min(values)) <= _FEW_DECADES
    axis.set_major_locator(LogLocator(subs=_NUMBERS if narrow else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
