"""The comparison table as text cells, before any format: one unit a column, the best marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mobilebench.analysis import units
from mobilebench.analysis.estimates import Estimate
from mobilebench.analysis.summary import Comparison, Variant
from mobilebench.analysis.sustained import MINUTE_NS
from mobilebench.records.device import AGENT

MISSING = "—"

# Beyond this ratio of largest to smallest, a fixed number of decimals makes no readable column.
_WIDE = 100

_NOT_HERE = Estimate.missing("not measured here")


@dataclass(frozen=True)
class Cell:
    """What one place of the table shows.

    ``detail`` is the interval; ``reason`` says why there is no text or no interval; ``value`` is
    the number in base units, for sorting; ``below`` marks an accuracy that is shown to miss its
    requirement. What misses it is the ``best`` of no column.
    """

    text: str = MISSING
    detail: str = ""
    reason: str = ""
    value: float | None = None
    best: bool = False
    below: bool = False


@dataclass(frozen=True)
class Column:
    """A column: its title, the unit of all its cells, and one cell a variant."""

    title: str
    unit: str
    cells: tuple[Cell, ...]

    @property
    def heading(self) -> str:
        """The title with its unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True)
class Grid:
    """A comparison's table; ``numbers`` are the labels that pictures use, one a row."""

    variants: tuple[Variant, ...]
    columns: tuple[Column, ...]

    @property
    def numbers(self) -> range:
        """Row numbers from 1."""
        return range(1, len(self.variants) + 1)


_Get = Callable[[Variant], Estimate]


def comparison_grid(comparison: Comparison) -> Grid:
    """The main table; a column that no variant has a value for is left out."""
    rows = comparison.variants
    time = _unit(rows, lambda v: v.latency.median, units.TIME_UNITS)
    size = _unit(rows, lambda v: v.size, units.SIZE_UNITS)
    memory = _unit(rows, lambda v: v.memory.peak, units.SIZE_UNITS)
    energy = _unit(rows, lambda v: v.energy.per_inference, units.ENERGY_UNITS)
    calm = _calm(rows)
    columns = [
        _shares("Accuracy", rows, lambda v: v.accuracy),
        _points("Δ accuracy", rows, lambda v: v.accuracy_change),
        _scaled("File", rows, lambda v: v.size, size),
        _scaled("gzip", rows, lambda v: v.gzip_size, size),
        _ratios("Smaller", rows, lambda v: v.smaller),
        _scaled("Latency", rows, lambda v: v.latency.median, time, mark=calm),
        _scaled("p90", rows, lambda v: v.latency.p90, time, detail=False, mark=calm),
        _scaled("p99", rows, lambda v: v.latency.p99, time, detail=False, mark=calm),
        _ratios("Speed-up", rows, lambda v: v.speedup, mark=calm),
        _scaled("Peak memory", rows, lambda v: v.memory.peak, memory, detail=False),
        _scaled("Energy", rows, lambda v: v.energy.per_inference, energy),
    ]
    return Grid(rows, tuple(c for c in columns if _any(c)))


def details_grid(comparison: Comparison) -> Grid:
    """What was measured besides; a column that no variant has a value for is left out."""
    rows = comparison.variants
    time = _unit(rows, lambda v: v.latency.median, units.TIME_UNITS)
    load = _unit(rows, lambda v: v.latency.initialization, units.TIME_UNITS)
    memory = _unit(rows, lambda v: v.memory.pss, units.SIZE_UNITS)
    columns = [
        _counts("Trials", rows, lambda v: v.latency.median.n or None),
        _counts("Failed", rows, lambda v: v.failed_trials),
        _counts("Inferences", rows, lambda v: v.latency.samples or None),
        _plain_shares("Outliers", rows, lambda v: v.latency.outliers),
        _plain_shares("Drift", rows, lambda v: v.latency.drift),
        _scaled("p95", rows, lambda v: v.latency.p95, time, detail=False, mark=False),
        _scaled("First inference", rows, lambda v: v.latency.first, time, mark=False),
        _scaled("Load", rows, lambda v: v.latency.initialization, load, mark=False),
        _scaled("PSS", rows, lambda v: v.memory.pss, memory, detail=False, mark=False),
        _scaled("Anonymous", rows, lambda v: v.memory.anonymous, memory, detail=False, mark=False),
        _scaled("File-backed", rows, lambda v: v.memory.file, memory, detail=False, mark=False),
        Column("Delegated", "nodes", tuple(_delegated(v) for v in rows)),
    ]
    return Grid(rows, tuple(c for c in columns if _any(c)))


def sustained_grid(comparison: Comparison) -> Grid | None:
    """What minutes without a pause did to each variant; None for a run of bursts."""
    rows = tuple(v for v in comparison.variants if v.sustained is not None)
    if not rows:
        return None

    def get(name: str) -> _Get:
        return lambda v: getattr(v.sustained, name)

    time = _unit(rows, get("first"), units.TIME_UNITS)
    length = max(t.minute_ns for v in rows if v.sustained for t in v.sustained.trials)
    title = "First minute" if length == MINUTE_NS else f"First {units.long_duration(length)}"
    changes = [get("change")(v) for v in rows]
    columns = [
        _scaled(title, rows, get("first"), time, mark=_calm(rows)),
        _scaled("Steady state", rows, get("steady"), time, mark=_calm(rows)),
        Column("Change", "%", _cells(rows, changes, units.points, True, None)),
        _scaled("Throttles after", rows, get("throttled_after"), ("min", 60e9), mark=False),
    ]
    return Grid(rows, tuple(columns))


@dataclass(frozen=True)
class Overview:
    """One model in all the places where it was measured: a column a device and runtime."""

    model: str
    grid: Grid


def overviews(comparisons: Sequence[Comparison]) -> list[Overview]:
    """Latency and speed-up of each model that was measured in several places."""
    models: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        models.setdefault(comparison.model, []).append(comparison)
    grids = ((name, _places(found)) for name, found in models.items() if len(found) > 1)
    return [Overview(name, grid) for name, grid in grids if any(map(_any, grid.columns))]


def _places(comparisons: Sequence[Comparison]) -> Grid:
    rows = max((comparison.variants for comparison in comparisons), key=len)
    everything = [v for comparison in comparisons for v in comparison.variants]
    unit = _unit(everything, lambda v: v.latency.median, units.TIME_UNITS)
    several = len({comparison.runtime for comparison in comparisons}) > 1
    return Grid(rows, tuple(_place(c, rows, unit, several) for c in comparisons))


def _place(
    comparison: Comparison, rows: Sequence[Variant], unit: tuple[str, float], several: bool
) -> Column:
    here = {v.recipe: v for v in comparison.variants}
    title = comparison.device + (f" · {comparison.runtime_label}" if several else "")
    title += " (virtual)" if comparison.virtual else ""
    title += "" if comparison.executor == AGENT else f" ({comparison.executor})"
    column = _scaled(
        title,
        rows,
        lambda v: here[v.recipe].latency.median if v.recipe in here else _NOT_HERE,
        unit,
        detail=False,
        mark=_calm(comparison.variants),
    )
    # The interval stands in the place's own table; here the gain is worth more.
    cells = (
        replace(cell, detail=_gain(here.get(row.recipe)))
        for cell, row in zip(column.cells, rows, strict=True)
    )
    return replace(column, cells=tuple(cells))


def _gain(variant: Variant | None) -> str:
    value = variant.speedup.value if variant else None
    return "" if value is None else f"{units.significant(value)}×"


def _unit(
    rows: Sequence[Variant], get: _Get, table: tuple[tuple[str, float], ...]
) -> tuple[str, float]:
    """The unit that fits the middle value; columns to be compared with each other share it."""
    values = sorted(e.value for e in map(get, rows) if e.value is not None)
    return units.unit_for(values[len(values) // 2], table) if values else table[0]


def _calm(rows: Sequence[Variant]) -> bool:
    """Whether latencies may be ranked: load disturbed none of them."""
    return not any(v.disturbed for v in rows)


def _any(column: Column) -> bool:
    return any(cell.value is not None for cell in column.cells)


def _scaled(
    title: str,
    rows: Sequence[Variant],
    get: _Get,
    unit: tuple[str, float],
    *,
    detail: bool = True,
    mark: bool = True,
) -> Column:
    """Times or sizes in one unit."""
    found = [get(v) for v in rows]
    name, factor = unit
    values = [e.value for e in found if e.value is not None]
    text = _format([v / factor for v in values])
    cells = _cells(rows, found, lambda x: text(x / factor), detail, min if mark else None)
    return Column(title, name, cells)


def _ratios(title: str, rows: Sequence[Variant], get: _Get, *, mark: bool = True) -> Column:
    found = [get(v) for v in rows]
    text = _format([e.value for e in found if e.value is not None])
    return Column(title, "×", _cells(rows, found, text, True, max if mark else None))


def _shares(title: str, rows: Sequence[Variant], get: _Get) -> Column:
    found = [get(v) for v in rows]
    decimals = units.decimals_of_share(max((e.n for e in found), default=0))
    cells = _cells(rows, found, lambda x: f"{100 * x:.{decimals}f}", True, max)
    marked = (replace(c, below=v.requirement == "missed") for c, v in zip(cells, rows, strict=True))
    return Column(title, "%", tuple(marked))


def _points(title: str, rows: Sequence[Variant], get: _Get) -> Column:
    found = [get(v) for v in rows]
    decimals = units.decimals_of_share(max((e.n for e in found), default=0))
    cells = _cells(rows, found, lambda x: units.points(x, decimals), True, None)
    return Column(title, "points", cells)


def _counts(title: str, rows: Sequence[Variant], get: Callable[[Variant], int | None]) -> Column:
    values = [get(v) for v in rows]
    cells = (
        Cell() if value is None else Cell(units.grouped(value), value=value) for value in values
    )
    return Column(title, "", tuple(cells))


def _plain_shares(
    title: str, rows: Sequence[Variant], get: Callable[[Variant], float | None]
) -> Column:
    values = [get(v) for v in rows]
    cells = (
        Cell() if value is None else Cell(units.true_minus(f"{100 * value:.1f}"), value=value)
        for value in values
    )
    return Column(title, "%", tuple(cells))


def _delegated(variant: Variant) -> Cell:
    told = variant.delegation
    if told is None:
        return Cell(reason="not told by the runtime")
    left = ", ".join(f"{count} {name}" for name, count in told.left)
    return Cell(f"{told.delegated}/{told.nodes}", reason=left, value=told.delegated)


def _cells(
    rows: Sequence[Variant],
    found: Sequence[Estimate],
    text: Callable[[float], str],
    detail: bool,
    best: Callable[[list[float]], float] | None,
) -> tuple[Cell, ...]:
    values = [
        e.value
        for e, v in zip(found, rows, strict=True)
        if e.value is not None and v.requirement != "missed"
    ]
    # With one value, or all of them alike, there is no best.
    winner = best(values) if best and len(set(values)) > 1 else None
    cells = []
    for estimate, variant in zip(found, rows, strict=True):
        if estimate.value is None:
            cells.append(Cell(reason=estimate.reason))
            continue
        interval = estimate.interval if detail else None
        cells.append(
            Cell(
                text(estimate.value),
                f"[{text(interval.low)}, {text(interval.high)}]" if interval else "",
                estimate.reason if detail else "",
                estimate.value,
                estimate.value == winner and variant.requirement != "missed",
            )
        )
    return tuple(cells)


def _format(values: Sequence[float]) -> Callable[[float], str]:
    """Three significant digits, with the same decimals all along the column where that reads."""
    sizes = sorted(abs(v) for v in values if v)
    if not sizes or sizes[-1] / sizes[0] > _WIDE:
        return units.significant
    decimals = min(3, max(0, units.decimals_for(sizes[0])))
    return lambda value: units.true_minus(f"{value:.{decimals}f}")
