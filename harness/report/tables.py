"""The comparison table for a pull request, a paper, a spreadsheet and a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import pandas as pd
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.table import Table
from rich.text import Text

from harness.analysis.estimates import Estimate
from harness.devices.base import AGENT
from harness.errors import BadInputError
from harness.report.grid import MISSING, Cell, Column, Grid, comparison_grid, overviews
from harness.report.text import markdown, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from harness.analysis.summary import Comparison, Summary, Variant

Format = Literal["md", "csv", "latex"]

_NARROW = (
    "Accuracy",
    "Δ accuracy",
    "File",
    "Smaller",
    "Latency",
    "Speed-up",
    "Peak memory",
    "Energy",
)

#: Which columns a narrow terminal does without, the first one first.
_GIVING_WAY = ("Peak memory", "Smaller", "Δ accuracy", "Speed-up", "File", "Accuracy", "Energy")

_VARIANT_WIDTH = 14

#: What of the table a page's width has room for, and the headings there.
_ON_PAPER = {
    "Accuracy": "Accuracy",
    "Δ accuracy": "Δ",
    "File": "File",
    "Latency": "Latency",
    "Speed-up": "Speed-up",
    "Peak memory": "Memory",
    "Energy": "Energy",
}

_NAME_WIDTH = r"0.22\linewidth"

# What means something to LaTeX, and what its default fonts and encodings lack.
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "→": r"$\rightarrow$",
        "×": r"$\times$",
        "−": "$-$",
        "µ": r"$\mu$",
        "Δ": r"$\Delta$",
        "·": r"$\cdot$",
        "—": "---",
        "…": r"\dots{}",
        "\N{THIN SPACE}": r"\,",
        "\N{REPLACEMENT CHARACTER}": "?",
    }
)


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
        return "\n".join(parts) or _nothing(summary)
    if format == "csv":
        return frame(summary).map(_spreadsheet).to_csv(index=False, lineterminator="\n")
    if format == "latex":
        parts = [
            _latex(f"{o.model} across devices: latency and speed-up", o.grid)
            for o in overviews(summary.comparisons)
        ]
        parts += [_latex(title(c), comparison_grid(c)) for c in summary.comparisons]
        return "\n".join(parts) or f"% {_nothing(summary)}"
    raise BadInputError(f"unknown table format {format!r}, known are {', '.join(get_args(Format))}")


def title(comparison: Comparison) -> str:
    """What a table compares: the model, and where it ran."""
    where = " · ".join(part for part in (comparison.device, comparison.runtime_label) if part)
    virtual = " (virtual: not a phone's latency)" if comparison.virtual else ""
    executor = "" if comparison.executor == AGENT else f" ({comparison.executor})"
    return f"{comparison.model} on {where}{executor}{virtual}" if where else comparison.model


def _nothing(summary: Summary) -> str:
    return f"Nothing to compare in run {plain(summary.run)}.\n"


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


def _latex(heading: str, grid: Grid) -> str:
    """A table as wide as a page's text at most: the intervals stand below the numbers."""
    # A table across devices has other columns, and all of them.
    columns = [c for c in grid.columns if c.title in _ON_PAPER] or list(grid.columns)
    titles = [_tex(_ON_PAPER.get(c.title, c.title)) for c in columns]
    in_units = [f"({_tex(c.unit)})" if c.unit else "" for c in columns]
    lines = [_latex_row("Variant", *titles), _latex_row("", *in_units), r"\midrule"]
    for number, variant in enumerate(grid.variants):
        cells = [c.cells[number] for c in columns]
        numbers = [rf"\textbf{{{_tex(c.text)}}}" if c.best else _tex(c.text) for c in cells]
        lines.append(_latex_row(rf"\raggedright {_tex(variant.recipe)}", *numbers))
        below = ["(baseline)" if variant.is_baseline else "", *(_tex(c.detail) for c in cells)]
        if any(below):
            lines.append(_latex_row(*[rf"\scriptsize {text}" if text else "" for text in below]))
    return "\n".join(
        [
            rf"% In a table environment: \caption{{{_tex(heading)}}}",
            r"% In the preamble: \usepackage{booktabs}",
            *(f"% {plain(v.recipe)}: {plain(v.failure)}" for v in grid.variants if v.failure),
            r"{\small\setlength{\tabcolsep}{3pt}%",
            rf"\begin{{tabular}}{{p{{{_NAME_WIDTH}}}{'r' * len(columns)}}}",
            r"\toprule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}}",
            "",
        ]
    )


def _latex_row(*cells: str) -> str:
    return " & ".join(cells) + r" \\"


def _tex(text: object) -> str:
    return plain(text).translate(_LATEX)


# The tidy table: column name, and where its estimate stands.
_TIDY: tuple[tuple[str, str], ...] = (
    ("accuracy", "accuracy"),
    ("accuracy_change", "accuracy_change"),
    ("size_bytes", "size"),
    ("gzip_bytes", "gzip_size"),
    ("zstd_bytes", "zstd_size"),
    ("xz_bytes", "xz_size"),
    ("size_ratio", "smaller"),
    ("gzip_ratio", "gzip_smaller"),
    ("latency_ns", "latency.median"),
    ("latency_p90_ns", "latency.p90"),
    ("latency_p95_ns", "latency.p95"),
    ("latency_p99_ns", "latency.p99"),
    ("speedup", "speedup"),
    ("first_inference_ns", "latency.first"),
    ("initialization_ns", "latency.initialization"),
    ("memory_peak_bytes", "memory.peak"),
    ("memory_pss_bytes", "memory.pss"),
    ("memory_anonymous_bytes", "memory.anonymous"),
    ("memory_file_bytes", "memory.file"),
    ("energy_per_inference_joules", "energy.per_inference"),
)
_WITH_INTERVAL = (
    "accuracy",
    "accuracy_change",
    "latency_ns",
    "speedup",
    "energy_per_inference_joules",
)


def frame(summary: Summary) -> pd.DataFrame:
    """One row a variant, device and runtime; base units; missing cells are empty.

    Where a cell is empty, the column ``…_reason`` beside it says why.
    """
    rows = [
        dict(_tidy(summary, comparison, variant))
        for comparison in summary.comparisons
        for variant in comparison.variants
    ]
    if rows:
        return pd.DataFrame(rows)
    return pd.DataFrame(columns=["run", "suite", "model", "recipe", "device", "runtime"])


def _tidy(
    summary: Summary, comparison: Comparison, variant: Variant
) -> Iterator[tuple[str, object]]:
    yield "run", summary.run
    yield "suite", summary.suite
    yield "model", comparison.model
    yield "recipe", variant.recipe
    yield "device", comparison.device
    yield "virtual_device", comparison.virtual
    yield "executor", comparison.executor
    yield "runtime", comparison.runtime
    yield "is_baseline", variant.is_baseline
    yield "artifact_sha256", variant.artifact
    for name, path in _TIDY:
        estimate: Estimate = _follow(variant, path)
        whole = name.endswith("_bytes") and estimate.value is not None and estimate.value % 1 == 0
        yield name, int(estimate.value or 0) if whole else estimate.value
        if name in _WITH_INTERVAL:
            interval = estimate.interval
            yield f"{name}_low", interval.low if interval else None
            yield f"{name}_high", interval.high if interval else None
            yield f"{name}_confidence", interval.confidence if interval else None
        yield f"{name}_reason", plain(estimate.reason)
    if variant.sustained is not None:
        for name in ("first", "steady", "change", "throttled_after"):
            found: Estimate = getattr(variant.sustained, name)
            unit = "" if name == "change" else "_ns"
            yield f"sustained_{name}{unit}", found.value
            yield f"sustained_{name}_reason", plain(found.reason)
    yield "energy_source", plain(variant.energy.source)
    yield "energy_windows_or_trials", variant.energy.per_inference.n
    yield "idle_watts", variant.energy.idle_watts
    yield "load_watts", variant.energy.load_watts
    yield "latency_trials", variant.latency.median.n
    yield "failed_trials", variant.failed_trials
    yield "samples", variant.latency.samples
    yield "outlier_share", variant.latency.outliers
    yield "drift", variant.latency.drift
    unsettled = [c for c in variant.latency.convergence if not c.settled]
    yield "warmup_trials", len(variant.latency.convergence)
    yield "warmup_unsettled_trials", len(unsettled)
    yield "bimodal_trials", len(variant.latency.modes_within)
    yield "bimodal_over_trials", variant.latency.modes_over is not None
    yield "nodes", variant.delegation.nodes if variant.delegation else None
    yield "delegated_nodes", variant.delegation.delegated if variant.delegation else None
    yield "best_tradeoff", variant.best_tradeoff
    yield "failure", plain(variant.failure)
    yield "warnings", " | ".join(plain(w) for w in (*variant.findings, *variant.warnings))


def _spreadsheet(value: object) -> object:
    """Text that a spreadsheet takes for text: with one of these a formula begins."""
    if not isinstance(value, str):
        return value
    text = plain(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _follow(variant: Variant, path: str) -> Estimate:
    found: object = variant
    for name in path.split("."):
        found = getattr(found, name)
    assert isinstance(found, Estimate)
    return found


def terminal(summary: Summary) -> RenderableType:
    """The comparison for a terminal, with the advice and the warnings.

    A table has as many columns as fit; a number is never cut.
    """
    parts: list[RenderableType] = []
    for comparison in summary.comparisons:
        parts += [Text(), _Fitted(comparison), Text()]
        parts += [
            Text.assemble((f"{advice.topic}: ", "bold"), plain(advice.text))
            for advice in comparison.advice
        ]
        parts += [
            Text.assemble((f"{plain(v.recipe)}: ", "red"), plain(v.failure))
            for v in comparison.variants
            if v.failure
        ]
        told: dict[str, list[str]] = {}
        for variant in comparison.variants:
            for warning in variant.warnings:
                told.setdefault(plain(warning), []).append(plain(variant.recipe))
        parts += [
            Text.assemble(("! ", "yellow"), f"{', '.join(recipes)}: {warning}")
            for warning, recipes in told.items()
        ]
    if not summary.comparisons:
        parts.append(Text(_nothing(summary).strip()))
    parts += [Text.assemble(("! ", "yellow"), plain(warning)) for warning in summary.warnings]
    return Group(*parts)


class _Fitted:
    """A comparison's table with the columns that its terminal has room for."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        grid = comparison_grid(self._comparison)
        columns = [c for c in grid.columns if c.title in _NARROW]
        left_out: list[str] = []
        for name in _GIVING_WAY:
            if _VARIANT_WIDTH + sum(_width(c) + 1 for c in columns) <= options.max_width:
                break
            left_out += [c.title for c in columns if c.title == name]
            columns = [c for c in columns if c.title != name]
        yield _rich(self._comparison, grid, columns)
        if left_out:
            yield Text(f"No room here for {', '.join(left_out)}; the report has it all.", "dim")


def _width(column: Column) -> int:
    texts = [_rich_heading(column), *(_rich_cell(c, column.title) for c in column.cells)]
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
        found.add_row(
            Text(plain(variant.recipe), style=style),
            *(_rich_cell(c.cells[number], c.title) for c in columns),
        )
    return found


def _rich_heading(column: Column) -> Text:
    return Text(f"{column.title}\n{column.unit}", style="dim")


def _rich_cell(cell: Cell, title: str) -> Text:
    style = "bold green" if cell.best else "dim" if cell.text == MISSING else ""
    text = Text(cell.text, style=style)
    # An accuracy's own interval gives way: the one of its difference is what a choice needs.
    if cell.detail and title in ("Δ accuracy", "Latency", "Speed-up", "Energy"):
        text.append(f"\n{cell.detail}", style="dim")
    return text
