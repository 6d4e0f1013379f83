"""The page of a run with many files or many models."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from mobilebench import report
from mobilebench.analysis.estimates import Estimate, Interval
from mobilebench.analysis.summary import Comparison, Summary
from mobilebench.report.page.render import MOST_ILLUSTRATED, render
from mobilebench.report.tables.grid import comparison_grid
from mobilebench.store.folder import RunFolder


@pytest.fixture
def spread(summary: Summary) -> Comparison:
    """Files whose latencies lie from half a microsecond to a fifth of a second."""
    comparison = next(c for c in summary.comparisons if c.model == "mobilenet-v2")
    found = [506.0, 41_000.0, 9_876_543.0, 183_000_000.0]
    variants = tuple(
        replace(v, estimates={**v.estimates, "latency": _estimate(ns)})
        for v, ns in zip(comparison.variants, found, strict=True)
    )
    return replace(comparison, variants=variants)


def _estimate(value: float) -> Estimate:
    return Estimate(value, Interval(0.99 * value, 1.01 * value), n=6)


def test_each_number_has_the_unit_in_which_it_reads(spread: Comparison) -> None:
    column = next(c for c in comparison_grid(spread).columns if c.title == "Latency")
    assert column.unit == ""
    texts = [cell.text.replace("\N{NO-BREAK SPACE}", " ") for cell in column.cells]
    assert texts == ["506 ns", "41.0 µs", "9.88 ms", "183 ms"]
    assert column.cells[3].detail == "[181, 185]", "in the unit of its number"
    assert [cell.value for cell in column.cells] == [506.0, 41_000.0, 9_876_543.0, 183_000_000.0]


def test_columns_of_one_unit_share_it_also_when_it_is_given_up(spread: Comparison) -> None:
    units = {c.title: c.unit for c in comparison_grid(spread).columns}
    assert units["Latency"] == units["p90"] == ""
    assert units["Speed-up"] == "×"


@pytest.mark.parametrize("form", ["md", "latex"])
def test_text_tables_have_the_units_too(
    spread: Comparison, summary: Summary, form: report.Format
) -> None:
    text = report.table(replace(summary, comparisons=(spread,)), form)
    assert re.search(r"506.ns", text)
    assert re.search(r"183.ms", text)
    assert "183000" not in text


@pytest.fixture
def page_of(summary: Summary, finished_run: RunFolder) -> Callable[[int], str]:
    """The page of a run with that many models, whose names are long."""

    def build(count: int) -> str:
        one = next(c for c in summary.comparisons if c.model == "mobilenet-v2")
        many = tuple(replace(one, model=f"mobilenet_v2_1.0_224_{n:03}") for n in range(count))
        return render(replace(summary, comparisons=many), finished_run.run())

    return build


def test_many_models_have_a_list_that_leads_to_each(page_of: Callable[[int], str]) -> None:
    html = page_of(10)
    (contents,) = re.findall(r"<nav.*?</nav>", html, re.DOTALL)
    targets = re.findall(r'href="#([^"]+)"', contents)
    assert len(targets) == 10 + 2
    assert all(f'id="{target}"' in html for target in targets)
    assert html.count('href="#contents"') == 10
    assert html.count("No pictures here") == 10 - MOST_ILLUSTRATED


def test_few_models_need_no_list(page_of: Callable[[int], str]) -> None:
    assert "<nav" not in page_of(2)


def test_long_names_break_behind_separators_and_in_no_number(page_of: Callable[[int], str]) -> None:
    html = page_of(1)
    assert "mobilenet_<wbr>v2_<wbr>1.0_<wbr>224_<wbr>000</h2>" in html
    assert "dynamic_int8</span>" in html, "a short one stays whole"


def test_names_stay_text(summary: Summary, finished_run: RunFolder) -> None:
    hostile = replace(summary.comparisons[0], model="<b>bold_</b>_<script>alert(1)</script>")
    html = render(replace(summary, comparisons=(hostile,)), finished_run.run())
    assert "<b>bold" not in html
    assert "<script>alert" not in html
