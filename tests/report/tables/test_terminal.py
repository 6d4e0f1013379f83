"""Tables on a terminal."""

import io
from dataclasses import replace

import pytest
from mobilebench.report import terminal
from mobilebench.report.tables.grid import comparison_grid
from rich.console import Console


def test_terminal_fits_a_hundred_columns(summary):
    console = Console(width=100, file=io.StringIO(), color_system=None)
    console.print(terminal(summary))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("Ship: ") for line in lines)
    assert "…" not in console.file.getvalue()


@pytest.mark.parametrize("width", [50, 60, 80, 100, 140])
def test_terminal_never_cuts_a_number(summary, width):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(terminal(summary))
    lines = console.file.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    heads = [line for line in lines if line.startswith("Variant")]
    assert len(heads) == len(summary.comparisons)
    tables = [line for line in lines if line.startswith(("float32 ", "int8 "))]
    assert tables
    assert not [line for line in tables if "…" in line]
    if width <= 80:
        assert any("No room here for Peak memory" in line for line in lines)


def test_terminal_shows_which_variant_is_smaller_but_slower(summary):
    told = {
        (variant.recipe, finding.text)
        for comparison in summary.comparisons
        for variant in comparison.variants
        for finding in variant.findings
        if finding.code == "smaller_but_slower"
    }
    console = Console(width=400, file=io.StringIO(), color_system=None)
    console.print(terminal(summary))
    text = console.file.getvalue()
    assert told
    assert all(f"{recipe}: {finding}" in text for recipe, finding in told)


def test_terminal_shows_the_warnings_of_the_files(summary):
    digits = summary.comparisons[0]
    warned = [replace(v, warnings=("calibrated with random data",)) for v in digits.variants[:2]]
    changed = replace(summary, comparisons=(replace(digits, variants=tuple(warned)),))
    console = Console(width=100, file=io.StringIO(), color_system=None)
    console.print(terminal(changed))
    assert "! float32, float16: calibrated with random data" in console.file.getvalue()


@pytest.mark.parametrize("width", [32, 60, 80, 200])
def test_terminal_shows_every_number_of_its_columns_whole(summary, width):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(terminal(summary))
    text = console.file.getvalue()
    for comparison in summary.comparisons:
        columns = {c.title: c for c in comparison_grid(comparison).columns}
        for cell in columns["Latency"].cells:
            assert f" {cell.text}\n" in text or f" {cell.text} " in text
            assert cell.detail in text
