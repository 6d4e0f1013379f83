"""The report as one HTML page that needs nothing but itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from harness.analysis import units
from harness.report.drawing import Picture
from harness.report.figures import pictures
from harness.report.grid import (
    Grid,
    comparison_grid,
    details_grid,
    overviews,
    sustained_grid,
)
from harness.report.minutes import minutes_picture
from harness.report.text import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.analysis.summary import Comparison, Summary, Variant

_TEMPLATES = Path(__file__).parent / "templates"

#: Comparisons with pictures; the others have their tables.
MOST_ILLUSTRATED = 8
#: Failed trials that are listed one by one; all of them are in ``trials.jsonl``.
MOST_FAILED_TRIALS = 100


@dataclass(frozen=True)
class _Section:
    """One comparison as the page shows it."""

    comparison: Comparison
    grid: Grid
    details: Grid
    minutes: Grid | None
    pictures: list[Picture]
    remarks: list[Variant]
    anchor: str


def render(summary: Summary, manifest: Mapping[str, Any]) -> str:
    """The page.

    Args:
        summary: what the run found.
        manifest: ``run.json``, for the appendix. Its strings are escaped, whoever wrote them.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"plain": _words, "json": _json, "grouped": units.grouped}
    sections = [
        _Section(
            comparison,
            comparison_grid(comparison),
            details_grid(comparison),
            sustained_grid(comparison),
            _drawn(comparison) if number <= MOST_ILLUSTRATED else [],
            [v for v in comparison.variants if v.findings or v.warnings],
            f"c{number}",
        )
        for number, comparison in enumerate(summary.comparisons, 1)
    ]
    return environment.get_template("page.html.jinja").render(
        summary=summary,
        manifest=manifest,
        sections=sections,
        single=len({(c.device, c.runtime) for c in summary.comparisons}) == 1,
        overviews=overviews(summary.comparisons),
        without_pictures=max(0, len(sections) - MOST_ILLUSTRATED),
        failed_trials=summary.failed_trials[:MOST_FAILED_TRIALS],
        failed_left_out=max(0, len(summary.failed_trials) - MOST_FAILED_TRIALS),
        # The stylesheet and script are ours; matplotlib escapes the text of its drawings.
        style=Markup((_TEMPLATES / "style.css").read_text("utf-8")),  # noqa: S704
        script=Markup((_TEMPLATES / "sort.js").read_text("utf-8")),  # noqa: S704
        drawn=Markup,
    )


def _drawn(comparison: Comparison) -> list[Picture]:
    first = minutes_picture(comparison)
    return [*([first] if first else []), *pictures(comparison)]


def _words(text: object) -> str:
    """Text made safe to show, with each number and its percent sign kept on one line."""
    return plain(text).replace(" %", "\N{NO-BREAK SPACE}%")


def _json(value: object) -> str:
    """A part of the manifest as readable text, a line a field."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return "\n".join(_plain_line(line) for line in text.splitlines())


def _plain_line(line: str) -> str:
    """One line of JSON with its indentation, made safe to show."""
    return " " * (len(line) - len(line.lstrip())) + plain(line)
