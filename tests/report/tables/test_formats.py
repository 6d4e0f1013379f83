"""Tables of a run in each text format."""

import io
from dataclasses import replace

import pandas as pd
import pytest
from mobilebench.analysis.estimates import Estimate
from mobilebench.analysis.rows import frame
from mobilebench.analysis.summarise import summarise
from mobilebench.errors import BadInputError
from mobilebench.report import table, terminal
from mobilebench.report.exports.document import document
from rich.console import Console

from tests.support.run_records import run_of


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
