"""A search as a picture: every candidate, by what is minimized, and the front."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from mobilebench.report.figures.drawing import BLUE, INK, PAPER, STYLE, VERMILLION, Picture, svg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobilebench.search.candidate import Candidate, Measure
    from mobilebench.search.view import SearchView

_UNITS: dict[Measure, tuple[str, float]] = {
    "size": ("KB", 1e3),
    "download": ("KB", 1e3),
    "latency": ("ms", 1e6),
    "memory": ("MB", 1e6),
}


def picture(view: SearchView) -> Picture | None:
    """All candidates of which enough is known; None: there are none yet."""
    across = view.aim.minimize[0]
    up = view.aim.minimize[1] if len(view.aim.minimize) > 1 else None
    known = [c for c in view.all if across in c.values and c.loss is not None]
    if up is not None:
        known = [c for c in known if up in c.values]
    if not known:
        return None

    def place(candidates: Sequence[Candidate]) -> tuple[list[float], list[float]]:
        xs = [c.values[across] / _UNITS[across][1] for c in candidates]
        if up is None:
            return xs, [c.loss or 0.0 for c in candidates]
        return xs, [c.values[up] / _UNITS[up][1] for c in candidates]

    front = view.front
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
        if view.chosen is not None:
            axes.scatter(*place([view.chosen]), s=90, facecolors="none", edgecolors=VERMILLION)
        axes.set_xscale("log")
        axes.set_xlabel(f"{across.capitalize()} ({_UNITS[across][0]})")
        if up is None:
            axes.set_ylabel(f"Loss ({view.unit})")
        else:
            axes.set_yscale("log")
            axes.set_ylabel(f"{up.capitalize()} ({_UNITS[up][0]})")
        axes.grid(True)
        axes.set_axisbelow(True)
        drawn = svg(figure, f"search: {view.model}")
    caption = (
        "Filled: keeps the limits; hollow: does not. Blue: the front; ringed: the chosen one, by "
        "the samples that choose."
    )
    return Picture(f"search: {view.model}", caption, drawn)
