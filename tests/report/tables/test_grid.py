"""Grids that no one comparison fills: one model across devices."""

from dataclasses import replace

import pytest
from mobilebench.analysis.estimates import Estimate, Interval
from mobilebench.report import table
from mobilebench.report.tables import grid
from mobilebench.report.tables.grid import overviews
from mobilebench.runs.summaries import summary_of


def test_one_place_needs_no_overview(finished_run):
    assert overviews(summary_of(finished_run).comparisons) == []


def test_a_model_in_two_places_has_a_column_each(finished_run):
    summary = summary_of(finished_run)
    digits = summary.comparisons[0]
    slower = replace(digits, device="phone", virtual=True, variants=digits.variants[:-1])
    (overview,) = overviews([digits, slower])
    assert overview.model == digits.model
    assert [column.title for column in overview.grid.columns] == [
        f"{digits.device} · {digits.library}",
        f"phone · {digits.library} (virtual)",
    ]
    assert len({column.unit for column in overview.grid.columns}) == 1
    here, there = overview.grid.columns
    assert len(here.cells) == len(there.cells) == len(digits.variants)
    assert there.cells[-1].reason == "not measured here"
    assert [cell.value for cell in here.cells[:-1]] == [cell.value for cell in there.cells[:-1]]
    assert sum(cell.best for cell in here.cells) == 1


def test_two_runtimes_of_one_device_are_told_apart(finished_run):
    digits = summary_of(finished_run).comparisons[0]
    (overview,) = overviews([digits, replace(digits, runtime="cpu-4")])
    titles = [column.title for column in overview.grid.columns]
    library = f"({digits.library})"
    assert titles == [
        f"{digits.device} · {digits.runtime} {library}",
        f"{digits.device} · cpu-4 {library}",
    ]


def test_text_tables_begin_with_the_overview(finished_run):
    summary = summary_of(finished_run)
    digits = summary.comparisons[0]
    both = replace(summary, comparisons=(digits, replace(digits, device="phone")))
    assert "across devices" in table(both, "md").splitlines()[0]
    assert "across devices" in table(both, "latex").splitlines()[0]


@pytest.mark.parametrize(
    ("values", "low", "change", "high", "written"),
    [
        ([0.01884, 0.01885], -9.8e-6, -1.1e-6, 8.1e-6, ("−0.0000098", "−0.0000011", "+0.0000081")),
        ([45.35, 45.37], -0.0524, 0.0221, 0.0974, ("−0.052", "+0.022", "+0.097")),
        ([45.35, 43.1], -4.1, -2.25, 0.0, ("−4.10", "−2.25", "0.00")),
    ],
)
def test_a_change_has_the_digits_that_its_interval_needs(values, low, change, high, written):
    estimate = Estimate(change, Interval(low, high), 500)
    write, _ = grid._signed(grid._small_change_text(values, [estimate]), "")
    assert tuple(map(write, (low, change, high))) == written
