"""One variant in one place over many stored runs, and where its numbers changed for good.

Advice, as all that compares sessions. Only runs that may be compared with the newest one are in a
series; the others are refused with the reason. A run's numbers are read from its ``summary.csv``,
so that hundreds of runs take a second; where that is older than the trials, they are summarised
anew.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mobilebench.analysis.comparability import Refusal, differences, library
from mobilebench.analysis.estimates import Interval
from mobilebench.analysis.steps import Step, find_steps
from mobilebench.errors import BadInputError, MobileBenchError
from mobilebench.metrics import Metric, metric_named, registry
from mobilebench.records.key import Key
from mobilebench.runs.stored import StoredRun, is_current, read_stored, run_folders
from mobilebench.text import plain

if TYPE_CHECKING:
    import pandas as pd

    from mobilebench.analysis.summary import Summary
    from mobilebench.store.folder import RunFolder

#: A picture of fewer runs shows nothing that the runs' own reports do not.
ENOUGH_TO_SHOW = 3

#: What a run's own report follows.
_OF_REPORTS = "latency"
#: Of a run's own report: so many of the runs before it are looked at, the latest ones.
_MOST_BEFORE = 300


@dataclass(frozen=True, slots=True)
class Point:
    """One run's number: ``created`` is its UTC time, ``value`` in the metric's base unit."""

    run: str
    created: str
    artifact: str
    value: float
    interval: Interval | None = None


@dataclass(frozen=True)
class Series:
    """One variant on one device and runtime, oldest run first; ``steps`` are indices into it.

    ``library`` is the inference library of all its runs, with its version.
    """

    model: str
    recipe: str
    device: str
    runtime: str
    metric: str
    virtual: bool
    points: tuple[Point, ...]
    steps: tuple[Step, ...] = ()
    library: str = ""

    @property
    def definition(self) -> Metric:
        """The metric's entry in the registry."""
        return registry()[self.metric]

    @property
    def title(self) -> str:
        """What it is, and where it was measured."""
        library = f" ({self.library})" if self.library else ""
        return plain(f"{self.model} · {self.recipe} on {self.device} · {self.runtime}{library}")

    @property
    def levels(self) -> list[tuple[int, int]]:
        """The first and the last run of each level (indices, both included)."""
        edges = [0, *(step.index for step in self.steps), len(self.points)]
        return [(a, b - 1) for a, b in itertools.pairwise(edges)]


@dataclass(frozen=True)
class History:
    """The series of some runs, and what was left out of them."""

    series: tuple[Series, ...]
    refusals: tuple[Refusal, ...] = ()

    def frame(self) -> pd.DataFrame:
        """A table: a row for each run of each series, oldest first; values in base units.

        ``begins_level`` marks the runs with which a new level begins (a step).
        """
        import pandas as pd

        columns = ["model", "recipe", "device", "runtime", "virtual_device", "run", "created",
                   "artifact_sha256", "metric", "value", "low", "high", "begins_level"]  # fmt: skip
        rows = [
            (s.model, s.recipe, s.device, s.runtime, s.virtual, p.run, p.created, p.artifact,
             s.metric, p.value, p.interval and p.interval.low, p.interval and p.interval.high,
             number in {step.index for step in s.steps})
            for s in self.series
            for number, p in enumerate(s.points)
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=columns)

    def as_json(self) -> dict[str, Any]:
        """For a machine: each step with its run and its change beside what ``Step`` has."""
        return {
            "series": [
                {
                    **asdict(series),
                    "steps": [
                        {
                            **asdict(step),
                            "run": series.points[step.index].run,
                            "change": step.change,
                        }
                        for step in series.steps
                    ],
                }
                for series in self.series
            ],
            "refusals": [asdict(refusal) for refusal in self.refusals],
        }


@dataclass(frozen=True)
class Wanted:
    """Which series: each name must agree where it is given."""

    model: str | None = None
    recipe: str | None = None
    device: str | None = None
    runtime: str | None = None

    def holds(self, key: Key) -> bool:
        """Whether a series of that name is wanted."""
        wanted = (self.model, self.recipe, self.device, self.runtime)
        return all(w is None or plain(w) == name for w, name in zip(wanted, key, strict=True))


def history(paths: Sequence[Path], metric: str = "latency", wanted: Wanted = Wanted()) -> History:
    """The series of some runs.

    Args:
        paths: run folders, and folders that hold run folders.
        metric: the name of a registered one.
        wanted: which series; all by default.

    Raises:
        BadInputError: there is no such metric, no run there, or no such series; the message says
            what there is.
    """
    column = metric_named(metric).column
    runs, refusals = [], []
    for path in run_folders(paths):
        try:
            runs.append(read_stored(path, column))
        except MobileBenchError as error:
            refusals.append(Refusal(path.name, "the run", str(error)))
    if not runs:
        why = f": {refusals[0].reason}" if refusals else ""
        raise BadInputError(f"no finished run in {', '.join(map(str, paths))}{why}")
    found = _series(runs, metric, wanted, refusals)
    if not found:
        raise BadInputError(_nothing(runs, metric, wanted, refusals))
    return History(tuple(found), tuple(refusals))


def before(folder: RunFolder, summary: Summary) -> tuple[Series, ...]:
    """The latency of a run's own variants in the runs beside it, up to this one.

    What cannot be compared is left out, and runs whose summary is not up to date: a report must not
    wait for them.

    Args:
        folder: the run, which is the last of each series.
        summary: of that run.

    Returns:
        The series of at least ``ENOUGH_TO_SHOW`` runs; none if the run is not finished.
    """
    from mobilebench.analysis.rows import frame  # pandas

    column = registry()[_OF_REPORTS].column
    try:
        this = read_stored(folder.path, column, frame(summary).to_dict("records"))
        beside = run_folders([folder.path.parent])
    except BadInputError:
        return ()
    runs = [this]
    # The names of runs begin with their times.
    earlier = [path for path in beside if path.name < folder.path.name]
    for path in earlier[: -_MOST_BEFORE - 1 : -1]:
        if not is_current(path):
            continue
        try:
            run = read_stored(path, column)
        except MobileBenchError:
            continue
        if (run.created, run.name) < (this.created, this.name):
            runs.append(run)
    return tuple(
        series
        for series in _series(runs, _OF_REPORTS, Wanted(), [])
        if series.points[-1].run == this.name and len(series.points) >= ENOUGH_TO_SHOW
    )


def _series(
    runs: Sequence[StoredRun], metric: str, wanted: Wanted, refusals: list[Refusal]
) -> list[Series]:
    """Each wanted series that has a number, the longest first; adds what was left out."""
    definition = registry()[metric]
    by_key: dict[Key, list[StoredRun]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: (run.created, run.name), reverse=True):
        for key in run.rows:
            if wanted.holds(key):
                by_key[key].append(run)
    found = []
    for key, having in by_key.items():
        what = " · ".join(key)
        place = (key.device, key.runtime)
        newest = having[0].settings.get(place, {})
        points = []
        for run in having:
            reasons = differences(newest, run.settings.get(place, {}))
            row = run.rows[key]
            # The table knows that of latency trials alone.
            timed = definition.kind == "latency" and definition.disturbed_by_load
            if timed and row.disturbed_by_load:
                reasons = [f"load disturbed its {definition.words}"]
            if not reasons and row.value is not None:
                point = Point(run.name, run.created, row.artifact, row.value, row.interval)
                points.append(point)
                continue
            why = f"no {definition.words}: {row.reason or 'not recorded'}"
            refusals.append(Refusal(run.name, what, "; ".join(reasons) or why))
        if points:
            points.reverse()
            steps = find_steps([point.value for point in points])
            virtual = having[0].rows[key].virtual
            found.append(Series(*key, metric, virtual, tuple(points), steps, library(newest)))
    return sorted(found, key=lambda series: -len(series.points))


def _nothing(
    runs: Sequence[StoredRun], metric: str, wanted: Wanted, refusals: Sequence[Refusal]
) -> str:
    keys = [key for run in runs for key in run.rows]
    named = {
        "model": wanted.model,
        "recipe": wanted.recipe,
        "device": wanted.device,
        "runtime": wanted.runtime,
    }
    for position, (what, name) in enumerate(named.items()):
        known = sorted({key[position] for key in keys})
        if name is not None and plain(name) not in known:
            return f"no run has the {what} {name!r}; there are {', '.join(known) or 'none'}"
    if any(map(wanted.holds, keys)):
        return f"no run has a {registry()[metric].words} there: {refusals[-1].reason}"
    return "no run has that model, recipe, device and runtime together"
