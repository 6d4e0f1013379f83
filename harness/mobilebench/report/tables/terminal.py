"""The comparison for a terminal, as wide as that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from mobilebench.analysis import units
from mobilebench.analysis.findings import FOREMOST
from mobilebench.report.tables.grid import MISSING, Cell, Column, Grid, comparison_grid
from mobilebench.report.tables.headings import nothing, title
from mobilebench.text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from mobilebench.analysis.summary import Comparison, Summary

_VARIANT_WIDTH = 14


def terminal(summary: Summary) -> RenderableType:
    """The comparison for a terminal, with the advice and the warnings.

    A table has as many columns as fit; a number is never cut.
    """
    parts: list[RenderableType] = [
        Text.assemble(("! ", "bold yellow"), plain(said)) for said in summary.disturbed
    ]
    for comparison in summary.comparisons:
        parts += [Text(), _Fitted(comparison)]
        parts += [*(Text(note, "dim") for note in comparison.notes), Text()]
        parts += [
            Text.assemble((f"{advice.topic}: ", "bold"), plain(advice.text))
            for advice in comparison.advice
        ]
        parts += [
            Text.assemble(("Sustained latency: ", "bold"), plain(sentence))
            for sentence in _sustained(comparison)
        ]
        parts += [
            Text.assemble((f"{plain(v.recipe)}: ", "bold"), plain(finding))
            for v in comparison.variants
            for finding in v.findings
            if finding.code in FOREMOST
        ]
        parts += [
            Text.assemble((f"{plain(v.recipe)}: ", "red"), plain(v.failure))
            for v in comparison.variants
            if v.failure
        ]
        warned: dict[str, list[str]] = {}
        for variant in comparison.variants:
            for warning in variant.warnings:
                warned.setdefault(plain(warning), []).append(plain(variant.recipe))
        parts += [
            Text.assemble(("! ", "yellow"), f"{', '.join(recipes)}: {warning}")
            for warning, recipes in warned.items()
        ]
    if not summary.comparisons:
        parts.append(Text(nothing(summary).strip()))
    parts += [Text.assemble(("! ", "yellow"), plain(warning)) for warning in summary.warnings]
    return Group(*parts)


def _sustained(comparison: Comparison) -> Iterator[str]:
    """What minutes did to each variant of a sustained run."""
    for variant in comparison.variants:
        found = variant.sustained
        if found is None or found.steady.value is None or found.change.value is None:
            continue
        change = units.true_minus(f"{100 * found.change.value:+.1f} %")
        verb = "slows down" if variant.load.loaded else "throttles"
        when = (
            "no throttling seen"
            if found.throttled_after.value is None
            else f"{verb} after {units.long_duration(found.throttled_after.value)}"
        )
        steady = units.duration(found.steady.value)
        yield f"{variant.recipe}: {steady} at its end, {change} over its beginning; {when}."


class _Fitted:
    """A comparison's table with the columns that its terminal has room for."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        grid = comparison_grid(self._comparison)
        columns = [c for c in grid.columns if c.terminal]
        left_out: list[str] = []
        while (
            len(columns) > 1
            and _VARIANT_WIDTH + sum(_width(c) + 1 for c in columns) > options.max_width
        ):
            least = min(columns, key=lambda c: c.terminal)
            left_out.append(least.title)
            columns = [c for c in columns if c is not least]
        yield _rich(self._comparison, grid, columns)
        if left_out:
            yield Text(f"No room here for {', '.join(left_out)}; the report has it all.", "dim")


def _width(column: Column) -> int:
    texts = [_rich_heading(column), *(_rich_cell(c, column) for c in column.cells)]
    return max(cell_len(line) for text in texts for line in text.plain.split("\n"))


def _rich(comparison: Comparison, grid: Grid, columns: Sequence[Column]) -> Table:
    found = Table(
        title=Text(plain(title(comparison)), style="bold"),
        title_justify="left",
        box=None,
        pad_edge=False,
        collapse_padding=True,
    )
    found.add_column("Variant", overflow="fold", min_width=_VARIANT_WIDTH)
    for column in columns:
        # Rich would rather shorten a number than leave a column out.
        found.add_column(
            _rich_heading(column), justify="right", no_wrap=True, min_width=_width(column)
        )
    for number, variant in enumerate(grid.variants):
        style = "dim" if variant.failure else "italic" if variant.is_baseline else ""
        name = Text(plain(variant.recipe), style=style)
        if variant.invalid:
            name.append(" INVALID", style="bold red")
        found.add_row(
            name,
            *(_rich_cell(c.cells[number], c) for c in columns),
        )
    return found


def _rich_heading(column: Column) -> Text:
    return Text(f"{column.title}\n{column.unit}", style="dim")


def _rich_cell(cell: Cell, column: Column) -> Text:
    style = "bold green" if cell.best else "dim" if cell.text == MISSING else ""
    style = "red" if cell.below else style
    text = Text(cell.text, style=style)
    if cell.detail and not column.secondary_interval:
        text.append(f"\n{cell.detail}", style="dim")
    return text
