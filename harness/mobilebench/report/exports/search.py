"""A search for those who read it: sentences and tables for a terminal, a page, a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mobilebench.analysis import units
from mobilebench.report.figures.search import picture
from mobilebench.report.template import page
from mobilebench.search.ladder import beyond, shown
from mobilebench.search.search import optimism
from mobilebench.text import plain

if TYPE_CHECKING:
    from mobilebench.search.candidate import Candidate, Measure
    from mobilebench.search.view import Confirmed, SearchView

#: So many rows of the front are shown while a search goes on.
_MOST_LIVE = 10
#: A page of a search under way renews itself so often (seconds).
_RENEWED = 5
#: What differs by less is the same.
_SAME = 0.005
_ENDS = {
    "budget": "the budget is spent",
    "candidates": "as many candidates were tried as were asked for",
    "exhausted": "what was still proposed had been tried before",
}
_HOLDS = {"shown": "shown", "estimated": "by the estimate", "missed": "no", "unknown": "not known"}


def terminal(view: SearchView) -> RenderableType:
    """The search in a terminal."""
    parts: list[RenderableType] = [Text(headline(view), style="bold")]
    front = view.front
    if front:
        parts += [_front_table(view, front[:_MOST_LIVE])]
        if len(front) > _MOST_LIVE:
            parts.append(Text(f"and {len(front) - _MOST_LIVE} more", style="dim"))
    if view.confirmed:
        parts += [Text(), Text("On data that no choice has seen", style="bold")]
        parts.append(_confirmed_table(view))
    parts += [Text(), *map(Text, sentences(view))]
    return Group(*parts)


def headline(view: SearchView) -> str:
    """How far it is, in one line."""
    tried = _counted(len(view.candidates), "candidate")
    spent = f"{_minutes(view.spent)} of {_minutes(view.budget)}"
    return f"{view.model} on {view.device}: {view.state}, {tried} in {spent}"


def sentences(view: SearchView) -> list[str]:
    """What is to be said of it: what was chosen, or what came nearest, and how sure that is."""
    said = []
    if view.end is not None:
        said.append(f"The search ended because {_ENDS[view.end]}.")
    chosen, nearest = view.chosen, view.nearest
    if chosen is None and nearest is not None:
        misses = ", ".join(_misses(view, nearest))
        said.append(f"Nothing meets it; nearest is {nearest.recipe}: {misses}.")
    elif chosen is not None and chosen.recipe == view.baseline.recipe:
        said.append("Nothing better than the model as it is was found.")
    elif chosen is not None:
        said.append(
            f"Chosen: {chosen.recipe}: {', '.join(_values(view, chosen))}; it loses "
            f"{_loss(chosen)} {view.unit} on the {view.samples} samples that choose."
        )
    if view.confirmed and chosen is not None:
        first = view.confirmed[0]
        if first.loss is not None:
            interval = "" if first.low is None else f" {_interval(first)}"
            said.append(
                f"On data that no choice has seen it loses {_number(first.loss)}"
                f"{interval} {view.unit}: "
                + {
                    "shown": "the limits are kept.",
                    "estimated": f"the limits are kept by the estimate alone: {first.reason}.",
                    "missed": f"the limits are not kept: {first.reason}.",
                    "unknown": f"whether the limits are kept is not known: {first.reason}.",
                }[first.holds]
            )
        else:
            said.append(f"On data that no choice has seen it was not measured: {first.reason}.")
        held = [c for c in view.confirmed[1:] if c.holds in ("shown", "estimated")]
        if not view.holds and held:
            said.append(
                f"Of the others, {held[0].candidate.recipe} keeps them there; it is one of "
                f"{len(view.confirmed)} that were looked at."
            )
    if view.optimism is not None:
        sentence = optimism(view)
        said.append(f"{sentence[0].upper()}{sentence[1:]}.")
    return said


def line(view: SearchView, candidate: Candidate) -> str:
    """One candidate, where no table is shown."""
    recipe, *values = _row(view, candidate)
    names = [*map(_title, view.aim.measures), "loss"]
    known = [f"{n} {v}" for n, v in zip(names, values, strict=True) if v != "–"]
    why = f"{candidate.state}: {candidate.reason}" if candidate.reason else candidate.state
    return plain(f"{recipe} · {', '.join([*known, why])}")


def html(view: SearchView) -> str:
    """The search as one page that needs nothing but itself; under way, it renews itself."""
    measures = view.aim.measures
    return page(
        "search.html.jinja",
        view=view,
        renewed=_RENEWED if view.state in ("searching", "confirming") else 0,
        headline=headline(view),
        sentences=sentences(view),
        picture=picture(view),
        headings=[_capital(_heading(view, name)) for name in measures],
        chosen=view.chosen.recipe if view.chosen else None,
        front=[_row(view, c) for c in view.front],
        confirmed=[_confirmed_row(view, c) for c in view.confirmed],
        tried=[[*_row(view, c), c.state, c.reason] for c in reversed(view.candidates)],
    )


def document(view: SearchView) -> dict[str, Any]:
    """The search for a machine, in base units: bytes, nanoseconds, joules."""
    chosen, nearest = view.chosen, view.nearest
    return {
        "folder": str(view.folder),
        "state": view.state,
        "end": view.end,
        "model": view.model,
        "device": view.device,
        "minimize": list(view.aim.minimize),
        "limits": {**view.aim.limits, "quality_loss": view.aim.max_loss},
        "metric": view.metric.name,
        "loss_unit": view.unit,
        "samples_to_choose_on": view.samples,
        "seconds": view.spent,
        "baseline": view.baseline.as_json(),
        "candidates": [c.as_json() for c in view.candidates],
        "front": [c.recipe for c in view.front],
        "chosen": chosen.recipe if chosen else None,
        "nearest": nearest.recipe if nearest else None,
        "run": str(view.run) if view.run else None,
        "confirmed": [
            {
                "recipe": c.candidate.recipe,
                "values": dict(c.values),
                "loss": c.loss,
                "low": c.low,
                "high": c.high,
                "holds": c.holds,
                "reason": c.reason,
            }
            for c in view.confirmed
        ],
        "optimism": view.optimism,
        "holds": view.holds,
    }


def _front_table(view: SearchView, front: Sequence[Candidate]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("the front", overflow="fold")
    for name in view.aim.measures:
        table.add_column(_heading(view, name), justify="right", no_wrap=True)
    table.add_column(f"loss, {view.unit}", justify="right", no_wrap=True)
    chosen = view.chosen
    for candidate in front:
        style = "bold green" if chosen and candidate.recipe == chosen.recipe else ""
        table.add_row(*_row(view, candidate), style=style)
    return table


def _confirmed_table(view: SearchView) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("recipe", overflow="fold")
    for name in view.aim.measures:
        table.add_column(_heading(view, name), justify="right", no_wrap=True)
    for heading in (f"loss, {view.unit}", "95 % interval", "when chosen", "limits kept"):
        table.add_column(heading, justify="right", no_wrap=True)
    for confirmed in view.confirmed:
        table.add_row(*_confirmed_row(view, confirmed))
    return table


def _row(view: SearchView, candidate: Candidate) -> list[str]:
    values = [_value(candidate.values.get(name), name) for name in view.aim.measures]
    return [candidate.recipe, *values, _loss(candidate)]


def _confirmed_row(view: SearchView, confirmed: Confirmed) -> list[str]:
    return [
        confirmed.candidate.recipe,
        *(_value(confirmed.values.get(name), name) for name in view.aim.measures),
        "–" if confirmed.loss is None else _number(confirmed.loss),
        "–" if confirmed.low is None else _interval(confirmed),
        _loss(confirmed.candidate),
        _HOLDS[confirmed.holds],
    ]


def _heading(view: SearchView, name: Measure) -> str:
    limit = view.aim.limits.get(name)
    title = _title(name)
    return title if limit is None else f"{title} ≤ {shown(name, limit)}"


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _title(name: Measure) -> str:
    return "MACs" if name == "macs" else name


def _value(value: float | None, name: Measure) -> str:
    return "–" if value is None else shown(name, value)


def _values(view: SearchView, candidate: Candidate) -> list[str]:
    found = []
    for name in view.aim.measures:
        own, base = candidate.values.get(name), view.baseline.values.get(name)
        if own is not None and base is not None and own > 0:
            how = "the same" if abs(base / own - 1) < _SAME else f"{base / own:.2f} times less"
            if own > base * (1 + _SAME):
                how = f"{own / base:.2f} times more"
            found.append(f"{_title(name)} {shown(name, own)} ({how})")
    return found


def _misses(view: SearchView, candidate: Candidate) -> list[str]:
    said = []
    for name, limit in view.aim.limits.items():
        if candidate.values.get(name, 0.0) > limit:
            said.append(beyond(name, candidate.values[name], limit))
    if candidate.loss is not None and candidate.loss > view.aim.max_loss:
        said.append(
            f"it loses {_loss(candidate)} {view.unit}, and {view.aim.max_loss:g} is the limit"
        )
    return said


def _loss(candidate: Candidate) -> str:
    if candidate.loss is None:
        return "–"
    error = "" if candidate.error is None else f" ± {candidate.error:.2f}"
    return _number(candidate.loss) + error


def _interval(confirmed: Confirmed) -> str:
    assert confirmed.low is not None
    assert confirmed.high is not None
    return f"[{_number(confirmed.low)}, {_number(confirmed.high)}]"


def _number(loss: float) -> str:
    """With two decimals; what rounds to nothing has no sign."""
    return units.true_minus(f"{round(loss, 2) + 0.0:.2f}")


def _minutes(seconds: float) -> str:
    return units.long_duration(seconds * 1e9)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
