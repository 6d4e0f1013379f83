"""Where the time goes: the operators that take longest, and who runs them, as pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from mobilebench.report.figures.drawing import BLUE, FAINT, STYLE, VERMILLION, Picture, svg
from mobilebench.text import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobilebench.records.operator_times import OperatorTime, Profile

#: Profiles, and operators of each, that are drawn at most.
MOST_PROFILES = 12
MOST_OPERATORS = 15


def operator_pictures(profiles: Sequence[Profile]) -> list[Picture]:
    """A picture for each variant whose operators were timed."""
    with mpl.rc_context(STYLE):
        return [_picture(profile) for profile in profiles[:MOST_PROFILES]]


def _picture(profile: Profile) -> Picture:
    times = profile.times
    timed = [row for row in times.rows if row.total_ns is not None]
    longest = sorted(timed, key=lambda row: -(row.total_ns or 0.0))
    drawn = longest[:MOST_OPERATORS]
    figure = Figure(figsize=(7.2, 0.8 + 0.27 * max(1, len(drawn))), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(drawn):
        total = (row.total_ns or 0.0) / 1e6
        share = times.share(row) or 0.0
        axes.barh(-place, total, height=0.72, color=_colour(row))
        axes.annotate(
            f"{100 * share:.0f} %  {row.by}",
            (total, -place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks([-place for place in range(len(drawn))], list(map(_label, drawn)))
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.set_xlabel(
        "Time alone, all of a kind (ms)" if times.alone else "Mean time within the model (ms)"
    )
    axes.tick_params(length=0)
    axes.margins(x=0.25)
    axes.set_xlim(left=0)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    where = f"{plain(profile.device)} · {plain(profile.runtime)}"
    title = f"Time per operator: {plain(profile.model)}, {plain(profile.recipe)} on {where}"
    return Picture(title, _caption(profile, len(longest) - len(drawn)), svg(figure, title))


def _caption(profile: Profile, left_out: int) -> str:
    times = profile.times
    whole = "" if times.model_ns is None else f", the model {times.model_ns / 1e6:.3g} ms"
    together = f"Together they take {times.sum_ns / 1e6:.3g} ms"
    said = (
        f"Each distinct operator alone on {times.runtime}, with how many of it there are. "
        f"{together}{whole}: a delegate runs neighbours as one."
        if times.alone
        else f"Each operator within the model, by the profiler of {times.runtime}. {together}."
    )
    said += " Blue: run by a delegate; red: by the CPU's built-in kernels; grey: not reported."
    if times.virtual:
        said += " The device is virtual: these are no phone's times."
    if left_out:
        said += f" {left_out} shorter ones are not drawn."
    missing = sum(row.median_ns is None for row in times.rows)
    if missing:
        said += f" {missing} did not run alone."
    return said


def _colour(row: OperatorTime) -> str:
    if row.by == "unknown":
        return FAINT
    return VERMILLION if row.by == "built-in kernels" else BLUE


def _label(row: OperatorTime) -> str:
    shape = row.operator.inputs[0] if row.operator.inputs else ""
    return f"{row.operator.count} × {row.operator.kind}  {shape}"
