import io
import shutil
import subprocess
from dataclasses import replace

import pandas as pd
import pytest
from mobilebench.analysis import summarise
from mobilebench.analysis.estimates import Estimate
from mobilebench.analysis.rows import frame
from mobilebench.errors import BadInputError
from mobilebench.report import table, terminal
from mobilebench.report.exports.document import document
from mobilebench.report.tables.grid import comparison_grid
from mobilebench.runs.summaries import summary_of
from rich.console import Console

from tests.support.run_records import run_of


@pytest.fixture(scope="module")
def summary(finished_run):
    return summary_of(finished_run)


@pytest.fixture
def empty():
    return summarise(run_of(run="empty", state="interrupted"), [], iter([]))


def test_csv_has_a_row_a_variant_and_base_units(summary):
    found = pd.read_csv(io.StringIO(table(summary, "csv")))
    assert len(found) == sum(len(c.variants) for c in summary.comparisons) == 15
    row = found[(found.model == "digits") & (found.recipe == "int8")].iloc[0]
    assert row.size_bytes == 119_500
    assert 100_000 < row.latency_ns < 300_000
    assert row.latency_ns_low < row.latency_ns < row.latency_ns_high
    assert row.speedup_low > 1


def test_csv_leaves_what_is_missing_empty_and_says_why(summary):
    found = pd.read_csv(io.StringIO(table(summary, "csv")))
    row = found[found.recipe == "prune(0.99)"].iloc[0]
    assert pd.isna(row.latency_ns)
    assert "accuracy fell to chance" in row.latency_ns_reason
    accuracy = found[found.model == "mobilenet-v2"].iloc[0]
    assert pd.isna(accuracy.accuracy)
    assert accuracy.accuracy_reason == "no accuracy trial was run"
    few = found[(found.recipe == "dynamic_int8") & (found.model == "digits")].iloc[0]
    assert pd.notna(few.latency_ns)
    assert pd.isna(few.latency_ns_low)
    assert "needs 6" in few.latency_ns_reason


def test_markdown_parses_as_tables_of_even_width(summary):
    tables = [
        [line for line in block.splitlines() if line.startswith("|")]
        for block in table(summary, "md").split("###")[1:]
    ]
    assert [len(lines) for lines in tables] == [2 + 11, 2 + 4]
    for lines in tables:
        assert len({line.replace(r"\|", "").count("|") for line in lines}) == 1
        assert len({len(line) for line in lines}) == 1
        assert set(lines[1]) <= set("|:-")
    assert "float32 (baseline)" in tables[0][2]


def test_latex_is_a_booktabs_table_of_plain_characters(summary):
    text = table(summary, "latex")
    assert r"\toprule" in text
    assert r"\usepackage{booktabs}" in text
    assert r"\caption{digits on bench $\cdot$ cpu-1}" in text
    assert r"dynamic\_int8" in text
    assert r"prune(0.8) $\rightarrow$ cluster(32)" in text
    assert "% prune(0.99): not made" in text
    rows = [line for line in text.splitlines() if not line.startswith("%")]
    assert "\n".join(rows).isascii()


def test_latex_escapes_what_would_be_a_command(summary):
    digits = summary.comparisons[0]
    hostile = replace(digits.variants[0], recipe=r"\input{x}<a>|b|~^$&%#_")
    changed = replace(summary, comparisons=(replace(digits, variants=(hostile,)),))
    text = table(changed, "latex")
    assert r"\textbackslash{}input\{x\}\textless{}a\textgreater{}\textbar{}b\textbar{}" in text
    assert r"\textasciitilde{}\textasciicircum{}\$\&\%\#\_" in text


PDFLATEX = shutil.which("pdflatex")


@pytest.mark.skipif(PDFLATEX is None, reason="needs pdflatex")
def test_latex_fits_a_page(summary, tmp_path):
    # The rules of booktabs have no width; a machine may have LaTeX without it.
    rules = "".join(rf"\newcommand\{name}rule{{\hline}}" for name in ("top", "mid", "bottom"))
    text = table(summary, "latex").replace(r"{\small", r"\noindent{\small")
    document = rf"\documentclass{{article}}{rules}\begin{{document}}{text}\end{{document}}"
    (tmp_path / "page.tex").write_text(document, "utf-8")
    found = subprocess.run(
        [PDFLATEX, "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        check=False, cwd=tmp_path, capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    assert found.returncode == 0, found.stdout
    assert "Overfull" not in found.stdout


def test_terminal_fits_a_hundred_columns(summary):
    console = Console(width=100, file=io.StringIO(), color_system=None)
    console.print(terminal(summary))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("Ship: ") for line in lines)
    assert "…" not in console.file.getvalue()


def test_an_unknown_format_lists_the_known(summary):
    with pytest.raises(BadInputError, match="md, csv, latex"):
        table(summary, "xlsx")


def test_an_empty_run_says_so_in_every_format(empty):
    assert "Nothing to compare" in table(empty, "md")
    assert "Nothing to compare" in table(empty, "latex")
    assert frame(empty).empty
    assert len(pd.read_csv(io.StringIO(table(empty, "csv")))) == 0
    console = Console(width=100, file=io.StringIO())
    console.print(terminal(empty))
    assert "Nothing to compare" in console.file.getvalue()


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


def test_a_spreadsheet_runs_no_name_of_ours(summary):
    digits = summary.comparisons[0]
    hostile = replace(digits.variants[0], recipe="=HYPERLINK(1)\n\u202e")
    changed = replace(summary, comparisons=(replace(digits, variants=(hostile,)),))
    found = pd.read_csv(io.StringIO(table(changed, "csv")))
    assert found.recipe[0].startswith("'=HYPERLINK(1)")
    assert found.recipe[0].isprintable()
    assert document(changed)["variants"][0]["recipe"] == hostile.recipe
    reasons = {**hostile.changes, "accuracy": Estimate.missing("-1+cmd")}
    changed = replace(changed, run="@run", comparisons=(
        replace(digits, variants=(replace(hostile, changes=reasons),)),
    ))  # fmt: skip
    found = pd.read_csv(io.StringIO(table(changed, "csv")))
    assert (found.run[0], found.accuracy_change_reason[0]) == ("'@run", "'-1+cmd")


def test_a_negative_number_stays_a_number_in_a_spreadsheet(summary):
    found = pd.read_csv(io.StringIO(table(summary, "csv")))
    assert found.accuracy_change.min() < 0
    assert found.drift.dtype == float


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
