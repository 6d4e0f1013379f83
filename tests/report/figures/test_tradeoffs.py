import re
from dataclasses import replace

import pytest
from mobilebench.analysis.estimates import Estimate
from mobilebench.report.figures import tradeoffs as figures
from mobilebench.runs.summaries import summary_of


@pytest.fixture(scope="module")
def comparisons(finished_run):
    return {c.model: c for c in summary_of(finished_run).comparisons}


def words(picture):
    return re.findall(r"<text[^>]*>([^<]+)</text>", picture.svg)


def test_every_point_has_its_row_number(comparisons):
    latency, size, spread = figures.pictures(comparisons["digits"])
    for picture in (latency, size):
        assert {str(n) for n in range(1, 11)} <= {word.strip() for word in words(picture)}
    assert any("float32" in word for word in words(spread))


def test_without_accuracy_latency_stands_against_size(comparisons):
    titles = [p.title for p in figures.pictures(comparisons["mobilenet-v2"])]
    assert titles == ["Latency against file size", "Latency: spread within and between trials"]


def test_intervals_are_drawn(comparisons):
    """One bar each for the interval of accuracy and of latency."""
    comparison = comparisons["digits"]
    plain = tuple(
        replace(v, estimates={**v.estimates, "accuracy": replace(v["accuracy"], interval=None)})
        for v in comparison.variants
    )
    with_bars = figures.pictures(comparison)[0].svg.count("<path")
    without = figures.pictures(replace(comparison, variants=plain))[0].svg.count("<path")
    assert with_bars - without == 10


def test_a_crowd_is_drawn_with_numbers_on_the_front_only(comparisons):
    comparison = comparisons["digits"]
    one = comparison.variants[3]
    # Each a little slower, larger and less accurate than the one before.
    many = tuple(
        replace(
            one,
            recipe=f"r{n}",
            estimates={
                "latency": Estimate(1e5 * (1 + n / 100)),
                "size": Estimate(1e5 + n),
                "accuracy": Estimate(0.9 - n / 1e4),
            },
        )
        for n in range(figures.MOST_POINTS + 10)
    )
    latency, _, spread = figures.pictures(replace(comparison, variants=many))
    assert "10 variants off the front are not drawn" in latency.caption
    assert "only on the front" in latency.caption
    assert "1" in words(latency)
    assert not {"2", "137"} & set(words(latency))
    assert f"{len(many) - figures.MOST_STRIPS} slower variants" in spread.caption


def test_nothing_measured_draws_nothing(comparisons):
    comparison = comparisons["digits"]
    assert figures.pictures(replace(comparison, variants=comparison.variants[-1:])) == []


def test_the_front_is_said_to_rest_on_point_estimates(comparisons):
    for picture in figures.pictures(comparisons["digits"])[:2]:
        assert "by point estimates no other variant is better" in picture.caption
