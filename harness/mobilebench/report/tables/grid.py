"""The comparison table as text cells, before any format; the best is marked.

A column has one unit where all its numbers read in it; else each cell has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mobilebench.analysis import units
from mobilebench.analysis.estimates import Estimate
from mobilebench.analysis.requirement import OWN
from mobilebench.analysis.summary import Comparison, Variant
from mobilebench.analysis.sustained import MINUTE_NS
from mobilebench.metrics import Change, Metric, registry, with_changes
from mobilebench.records.device import AGENT
from mobilebench.text import plain

MISSING = "—"

# Beyond this ratio of largest to smallest, a fixed number of decimals makes no readable column.
_WIDE = 100

_NOT_HERE = Estimate.missing("not measured here")


@dataclass(frozen=True)
class Cell:
    """What one place of the table shows.

    ``detail`` is the interval; ``reason`` says why there is no text or no interval; ``value`` is
    the number in base units, for sorting; ``below`` marks a quality that is shown to miss its
    requirement. What misses it is the ``best`` of no column, and neither is what is invalid.
    """

    text: str = MISSING
    detail: str = ""
    reason: str = ""
    value: float | None = None
    best: bool = False
    below: bool = False


@dataclass(frozen=True)
class Column:
    """A column: its title, the unit of all its cells (empty: in the cells), and one cell a variant.

    ``paper`` is its heading in LaTeX, empty where it has no place there; ``terminal`` is how long
    a narrow terminal keeps it, as of a ``mobilebench.metrics.Metric``.
    ``secondary_interval`` says that its interval gives way where there is little room.
    """

    title: str
    unit: str
    cells: tuple[Cell, ...]
    paper: str = ""
    terminal: int = 0
    secondary_interval: bool = False

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
_Text = Callable[[float], str]
# How the numbers of one cell are written, by its value, and the unit that follows the value.
_Write = Callable[[float], tuple[_Text, str]]
_Units = tuple[tuple[str, float], ...]


def _alike(text: _Text) -> _Write:
    """All cells of a column in its one unit."""
    return lambda _: (text, "")


def _each_its_own(table: _Units) -> _Write:
    """Each cell in the unit that fits its value."""

    def write(value: float) -> tuple[_Text, str]:
        name, factor = units.unit_for(value, table)
        return lambda x: units.significant(x / factor), f"\N{NO-BREAK SPACE}{name}"

    return write


def comparison_grid(comparison: Comparison) -> Grid:
    """The main table; a column that no variant has a value for is left out."""
    rows = comparison.variants
    columns = _metric_columns(comparison, "main")
    return Grid(rows, tuple(c for c in columns if _any(c)))


def details_grid(comparison: Comparison) -> Grid:
    """What was measured besides; a column that no variant has a value for is left out."""
    rows = comparison.variants
    columns = [
        _counts("Trials", rows, lambda v: v["latency"].n or None),
        _counts("Failed", rows, lambda v: v.failed_trials),
        _counts("Inferences", rows, lambda v: v.latency.samples or None),
        _plain_shares("Outliers", rows, lambda v: v.latency.outliers),
        _plain_shares("Drift", rows, lambda v: v.latency.drift),
        *_metric_columns(comparison, "details"),
        Column("Delegated", "nodes", tuple(_delegated(v) for v in rows)),
    ]
    return Grid(rows, tuple(c for c in columns if _any(c)))


def _metric_columns(comparison: Comparison, table: str) -> list[Column]:
    """The metrics of a table, and how they compare with the baseline's."""
    rows, columns = comparison.variants, []
    for metric, change in with_changes():
        if _table_of(metric, comparison) != table:
            continue
        if change is None:
            columns.append(_metric_column(metric, comparison))
        elif change.title:
            columns.append(_change_column(metric, change, rows))
    return columns


def _table_of(metric: Metric, comparison: Comparison) -> str:
    """Of a task's metrics the first is in the main table, the others are details."""
    secondary = metric.is_quality and metric.table == "main" and metric != comparison.quality
    return "details" if secondary else metric.table


def _metric_column(metric: Metric, comparison: Comparison) -> Column:
    """A metric's values; only the main table marks the best."""
    rows = comparison.variants
    found = [v[metric.name] for v in rows]
    best: Callable[[list[float]], float] = min if metric.direction == "lower" else max
    # How alike answers are is a likeness to something, and no merit.
    ranked = metric.table == "main" and (metric.is_quality or metric.kind != "outputs")
    mark = best if ranked and _ranks(metric, rows) else None
    if metric.unit == "share":
        unit, write = "%", _alike(_share_text(found))
    else:
        unit, write = _scaled_text(metric, rows, found)
    if metric.name in OWN:
        unit = plain(comparison.own_unit)
    cells = _cells(rows, found, write, metric.interval, mark)
    return Column(
        metric.title,
        unit,
        _required(cells, rows) if metric == comparison.quality else cells,
        metric.paper,
        metric.terminal,
        # The interval of the difference is what a choice needs.
        secondary_interval=metric.change is not None and metric.change.kind == "difference",
    )


def _change_column(metric: Metric, change: Change, rows: Sequence[Variant]) -> Column:
    found = [v.changes[metric.name] for v in rows]
    if change.kind == "ratio":
        text = _format([e.value for e in found if e.value is not None])
        cells = _cells(rows, found, _alike(text), True, max if _ranks(metric, rows) else None)
        return Column(change.title, "×", cells, change.paper, change.terminal)
    if metric.unit == "share":
        decimals = units.decimals_of_share(max((e.n for e in found), default=0))
        unit, write = "points", _alike(lambda x: units.points(x, decimals))
    else:
        unit, unsigned = _scaled_text(metric, rows, found)
        if metric.unit == "value":
            unsigned = _alike(_small_change_text([v[metric.name].value for v in rows], found))
        write = lambda value: _signed(*unsigned(value))  # noqa: E731
    cells = _cells(rows, found, write, True, None)
    return Column(change.title, unit, cells, change.paper, change.terminal)


def _signed(text: _Text, unit: str) -> tuple[_Text, str]:
    def signed(value: float) -> str:
        written = text(value)
        if not any(digit in written for digit in "123456789"):
            return written.lstrip("−")
        return f"+{written}" if value > 0 else written

    return signed, unit


def _ranks(metric: Metric, rows: Sequence[Variant]) -> bool:
    """Whether one may be called the best: load disturbed none of them."""
    return not (metric.disturbed_by_load and any(v.disturbed for v in rows))


def _required(cells: tuple[Cell, ...], rows: Sequence[Variant]) -> tuple[Cell, ...]:
    """The cells of the required metric, with a mark where that is missed."""
    return tuple(
        replace(c, below=v.requirement == "missed") for c, v in zip(cells, rows, strict=True)
    )


def _share_text(found: Sequence[Estimate]) -> Callable[[float], str]:
    decimals = units.decimals_of_share(max((e.n for e in found), default=0))
    return lambda x: f"{100 * x:.{decimals}f}"


def _scaled_text(
    metric: Metric, rows: Sequence[Variant], found: Sequence[Estimate]
) -> tuple[str, _Write]:
    """The unit that fits the metric, or the one whose unit it shares; and numbers in it."""
    table = units.MULTIPLES[metric.unit]
    shared = metric.unit_of
    by = shared if shared and any(v[shared].value is not None for v in rows) else metric.name
    found_unit = _unit(rows, lambda v: v[by], table)
    if found_unit is None:
        return "", _each_its_own(table)
    name, factor = found_unit
    values = [e.value / factor for e in found if e.value is not None]
    if metric.unit == "dB":
        text: _Text = lambda x: units.true_minus(f"{x:.1f}")  # noqa: E731
    elif metric.unit == "value":
        text = _value_text([v[metric.name].value for v in rows])
    else:
        text = _format(values)
    return name, _alike(lambda x: text(x / factor))


def _value_text(values: Sequence[float | None]) -> _Text:
    """Plain numbers of any size, with the decimals that the middle one needs."""
    decimals = _value_decimals(values)
    if decimals is None:
        return lambda value: units.significant(value, units.VALUE_DIGITS)
    return lambda value: units.fixed(value, decimals)


def _value_decimals(values: Sequence[float | None]) -> int | None:
    """None: their sizes differ too much for that."""
    sizes = sorted(abs(v) for v in values if v)
    if not sizes or sizes[-1] / sizes[0] > _WIDE:
        return None
    return max(0, units.decimals_for(sizes[len(sizes) // 2], units.VALUE_DIGITS))


def _small_change_text(values: Sequence[float | None], changes: Sequence[Estimate]) -> _Text:
    """Differences of plain numbers: as their values, but where their intervals would be all 0.

    Then with the decimals that two digits of the middle interval's half need.
    """
    halves = sorted((i.high - i.low) / 2 for c in changes if (i := c.interval) and i.high > i.low)
    decimals = _value_decimals(values)
    if decimals is None or not halves:
        return _value_text(values)
    needed = max(decimals, units.decimals_for(halves[len(halves) // 2], 2))
    return lambda value: units.fixed(value, needed)


def sustained_grid(comparison: Comparison) -> Grid | None:
    """What minutes of sustained inference did to each variant; None for a run of bursts."""
    rows = tuple(v for v in comparison.variants if v.sustained is not None)
    if not rows:
        return None

    def get(name: str) -> _Get:
        return lambda v: getattr(v.sustained, name)

    latency = registry()["latency"]
    time = _unit(rows, get("first"), units.TIME_UNITS)
    length = max(t.minute_ns for v in rows if v.sustained for t in v.sustained.trials)
    title = "First minute" if length == MINUTE_NS else f"First {units.long_duration(length)}"
    changes = [get("change")(v) for v in rows]
    columns = [
        _scaled(title, rows, get("first"), time, mark=_ranks(latency, rows)),
        _scaled("Steady state", rows, get("steady"), time, mark=_ranks(latency, rows)),
        Column("Change", "%", _cells(rows, changes, _alike(units.points), True, None)),
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
    grids = ((found[0].subject, _places(found)) for found in models.values() if len(found) > 1)
    return [Overview(name, grid) for name, grid in grids if any(map(_any, grid.columns))]


def _places(comparisons: Sequence[Comparison]) -> Grid:
    rows = max((comparison.variants for comparison in comparisons), key=len)
    everything = [v for comparison in comparisons for v in comparison.variants]
    unit = _unit(everything, lambda v: v["latency"], units.TIME_UNITS)
    several = len({comparison.runtime for comparison in comparisons}) > 1
    return Grid(rows, tuple(_place(c, rows, unit, several) for c in comparisons))


def _place(
    comparison: Comparison, rows: Sequence[Variant], unit: tuple[str, float] | None, several: bool
) -> Column:
    here = {v.recipe: v for v in comparison.variants}
    where = comparison.runtime_label if several else comparison.library
    title = " · ".join(part for part in (comparison.device, where) if part)
    title += " (virtual)" if comparison.virtual else ""
    title += "" if comparison.executor == AGENT else f" ({comparison.executor})"
    column = _scaled(
        title,
        rows,
        lambda v: here[v.recipe]["latency"] if v.recipe in here else _NOT_HERE,
        unit,
        detail=False,
        mark=_ranks(registry()["latency"], comparison.variants),
    )
    # The interval is in the place's own table; here the gain is worth more.
    cells = (
        replace(cell, detail=_gain(here.get(row.recipe)))
        for cell, row in zip(column.cells, rows, strict=True)
    )
    return replace(column, cells=tuple(cells))


def _gain(variant: Variant | None) -> str:
    value = variant.changes["latency"].value if variant else None
    return "" if value is None else f"{units.significant(value)}×"


def _unit(rows: Sequence[Variant], get: _Get, table: _Units) -> tuple[str, float] | None:
    """The unit that fits the middle value; columns to be compared with each other share it.

    None: no unit has numbers that read for all of them.
    """
    values = sorted(abs(e.value) for e in map(get, rows) if e.value is not None)
    if not values:
        return table[0]
    unit = units.unit_for(values[len(values) // 2], table)
    return unit if len(table) == 1 or units.reads(values, unit[1]) else None


def _any(column: Column) -> bool:
    return any(cell.value is not None for cell in column.cells)


def _scaled(
    title: str,
    rows: Sequence[Variant],
    get: _Get,
    unit: tuple[str, float] | None,
    *,
    detail: bool = True,
    mark: bool = True,
) -> Column:
    """Times in one unit; None: each in its own."""
    found = [get(v) for v in rows]
    best = min if mark else None
    if unit is None:
        cells = _cells(rows, found, _each_its_own(units.TIME_UNITS), detail, best)
        return Column(title, "", cells)
    name, factor = unit
    text = _format([e.value / factor for e in found if e.value is not None])
    cells = _cells(rows, found, _alike(lambda x: text(x / factor)), detail, best)
    return Column(title, name, cells)


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
    found = variant.delegation
    if found is None:
        return Cell(reason="the runtime does not report it")
    left = ", ".join(f"{count} {name}" for name, count in found.left)
    return Cell(f"{found.delegated}/{found.nodes}", reason=left, value=found.delegated)


def _cells(
    rows: Sequence[Variant],
    found: Sequence[Estimate],
    write: _Write,
    detail: bool,
    best: Callable[[list[float]], float] | None,
) -> tuple[Cell, ...]:
    values = [
        e.value for e, v in zip(found, rows, strict=True) if e.value is not None and _may_win(v)
    ]
    # With one value, or all of them alike, there is no best.
    winner = best(values) if best and len(set(values)) > 1 else None
    cells = []
    for estimate, variant in zip(found, rows, strict=True):
        if estimate.value is None:
            cells.append(Cell(reason=estimate.reason))
            continue
        interval = estimate.interval if detail else None
        text, unit = write(estimate.value)
        cells.append(
            Cell(
                text(estimate.value) + unit,
                f"[{text(interval.low)}, {text(interval.high)}]" if interval else "",
                estimate.reason if detail else "",
                estimate.value,
                estimate.value == winner and _may_win(variant),
            )
        )
    return tuple(cells)


def _may_win(variant: Variant) -> bool:
    return variant.requirement != "missed" and not variant.invalid


def _format(values: Sequence[float]) -> _Text:
    """Three significant digits, with the same decimals all along the column where that reads."""
    sizes = sorted(abs(v) for v in values if v)
    if not sizes or sizes[-1] / sizes[0] > _WIDE:
        return units.significant
    decimals = min(3, max(0, units.decimals_for(sizes[0])))
    return lambda value: units.fixed(value, decimals)
