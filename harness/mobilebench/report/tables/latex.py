"""The comparison table for a paper."""

from __future__ import annotations

from mobilebench.report.tables.grid import Grid
from mobilebench.text import plain

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
        "\N{NARROW NO-BREAK SPACE}": r"\,",
        "\N{REPLACEMENT CHARACTER}": "?",
    }
)


def latex(heading: str, grid: Grid) -> str:
    """A table as wide as a page's text at most: the intervals are below the numbers."""
    # A table across devices has other columns, and all of them.
    columns = [c for c in grid.columns if c.paper] or list(grid.columns)
    titles = [_tex(c.paper or c.title) for c in columns]
    in_units = [f"({_tex(c.unit)})" if c.unit else "" for c in columns]
    lines = [_latex_row("Variant", *titles), _latex_row("", *in_units), r"\midrule"]
    for number, variant in enumerate(grid.variants):
        cells = [c.cells[number] for c in columns]
        numbers = [rf"\textbf{{{_tex(c.text)}}}" if c.best else _tex(c.text) for c in cells]
        lines.append(_latex_row(rf"\raggedright {_tex(variant.recipe)}", *numbers))
        marks = ("baseline" * variant.is_baseline, "invalid" * bool(variant.invalid))
        mark = ", ".join(filter(None, marks))
        below = [f"({mark})" if mark else "", *(_tex(c.detail) for c in cells)]
        if any(below):
            lines.append(_latex_row(*[rf"\scriptsize {text}" if text else "" for text in below]))
    return "\n".join(
        [
            rf"% In a table environment: \caption{{{_tex(heading)}}}",
            r"% In the preamble: \usepackage{booktabs}",
            *(f"% {plain(v.recipe)}: {plain(v.failure)}" for v in grid.variants if v.failure),
            *(f"% {plain(v.recipe)}: {plain(v.invalid)}" for v in grid.variants if v.invalid),
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
