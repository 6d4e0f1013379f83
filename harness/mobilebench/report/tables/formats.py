"""The comparison as text: Markdown for a pull request, CSV for a spreadsheet, LaTeX for a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from mobilebench.analysis.rows import frame
from mobilebench.errors import BadInputError
from mobilebench.report.tables.grid import Cell, Grid, comparison_grid, overviews
from mobilebench.report.tables.headings import nothing, title
from mobilebench.report.tables.latex import latex
from mobilebench.text import markdown, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobilebench.analysis.summary import Summary

Format = Literal["md", "csv", "latex"]


def table(summary: Summary, format: Format) -> str:  # noqa: A002 - what the command line calls it
    """The run's comparison as text.

    Args:
        summary: the run.
        format: ``md`` (GitHub), ``csv`` (tidy: a row a variant, base units) or ``latex``
            (booktabs).

    Raises:
        BadInputError: an unknown format.
    """
    if format == "md":
        parts = [
            _markdown(f"{o.model} across devices: latency and speed-up", o.grid)
            for o in overviews(summary.comparisons)
        ]
        parts += [_markdown(title(c), comparison_grid(c), c.notes) for c in summary.comparisons]
        return "\n".join(parts) or nothing(summary)
    if format == "csv":
        return frame(summary).map(_spreadsheet).to_csv(index=False, lineterminator="\n")
    if format == "latex":
        parts = [
            latex(f"{o.model} across devices: latency and speed-up", o.grid)
            for o in overviews(summary.comparisons)
        ]
        parts += [
            latex(". ".join((title(c), *c.notes)).removesuffix("."), comparison_grid(c))
            for c in summary.comparisons
        ]
        return "\n".join(parts) or f"% {nothing(summary)}"
    raise BadInputError(f"unknown table format {format!r}, known are {', '.join(get_args(Format))}")


def _markdown(heading: str, grid: Grid, notes: Sequence[str] = ()) -> str:
    headings = ["Variant", *(markdown(c.heading) for c in grid.columns)]
    rows = []
    for number, variant in enumerate(grid.variants):
        name = markdown(variant.recipe) + (" (baseline)" if variant.is_baseline else "")
        name += " **INVALID**" if variant.invalid else ""
        rows.append([name, *(_markdown_cell(c.cells[number]) for c in grid.columns)])
    failed = [
        f"- **{markdown(v.recipe)}**: {markdown(why)}"
        for v in grid.variants
        for why in (v.failure, v.invalid and f"INVALID: {v.invalid}")
        if why
    ]
    lines = [f"### {markdown(heading)}", "", *_pipes(headings, rows), ""]
    lines += [f"{markdown(note)}\n" for note in notes]
    lines += failed
    return "\n".join(lines).rstrip() + "\n"


def _pipes(headings: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a GitHub table: the first column to the left, the numbers to the right."""
    # A heading keeps two columns of space at its side, wherever the cells leave it none.
    columns = zip(headings, *rows, strict=True)
    widths = [max([len(heading) + 2, *map(len, cells)]) for heading, *cells in columns]
    padded = [
        [first.ljust(widths[0]), *map(str.rjust, others, widths[1:])]
        for first, *others in (headings, *rows)
    ]
    head, *body = [f"| {' | '.join(cells)} |" for cells in padded]
    ruler = [":" + "-" * (widths[0] + 1), *("-" * (width + 1) + ":" for width in widths[1:])]
    return [head, f"|{'|'.join(ruler)}|", *body]


def _markdown_cell(cell: Cell) -> str:
    text = f"**{cell.text}**" if cell.best else cell.text
    return f"{text} {markdown(cell.detail)}".strip()


def _spreadsheet(value: object) -> object:
    """Text that a spreadsheet takes for text: with one of these a formula begins."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
