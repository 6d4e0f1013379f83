"""The comparison as text: Markdown for a pull request, CSV for a spreadsheet, LaTeX for a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import pandas as pd

from harness.errors import BadInputError
from harness.report.frame import frame
from harness.report.grid import (
    Cell,
    Grid,
    comparison_grid,
    overviews,
)
from harness.report.headings import nothing, title
from harness.report.latex import latex
from harness.report.text import markdown, plain

if TYPE_CHECKING:
    from harness.analysis.summary import Summary

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
        parts += [_markdown(title(c), comparison_grid(c)) for c in summary.comparisons]
        return "\n".join(parts) or nothing(summary)
    if format == "csv":
        return frame(summary).map(_spreadsheet).to_csv(index=False, lineterminator="\n")
    if format == "latex":
        parts = [
            latex(f"{o.model} across devices: latency and speed-up", o.grid)
            for o in overviews(summary.comparisons)
        ]
        parts += [latex(title(c), comparison_grid(c)) for c in summary.comparisons]
        return "\n".join(parts) or f"% {nothing(summary)}"
    raise BadInputError(f"unknown table format {format!r}, known are {', '.join(get_args(Format))}")


def _markdown(heading: str, grid: Grid) -> str:
    headings = ["Variant", *(markdown(c.heading) for c in grid.columns)]
    rows = []
    for number, variant in enumerate(grid.variants):
        name = markdown(variant.recipe) + (" (baseline)" if variant.is_baseline else "")
        rows.append([name, *(_markdown_cell(c.cells[number]) for c in grid.columns)])
    text = pd.DataFrame(rows, columns=headings).to_markdown(
        index=False,
        tablefmt="pipe",
        disable_numparse=True,
        colalign=["left", *["right"] * len(grid.columns)],
    )
    failed = [
        f"- **{markdown(v.recipe)}**: {markdown(v.failure)}" for v in grid.variants if v.failure
    ]
    return "\n".join([f"### {markdown(heading)}", "", text, "", *failed]).rstrip() + "\n"


def _markdown_cell(cell: Cell) -> str:
    text = f"**{cell.text}**" if cell.best else cell.text
    return f"{text} {markdown(cell.detail)}".strip()


def _spreadsheet(value: object) -> object:
    """Text that a spreadsheet takes for text: with one of these a formula begins."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
