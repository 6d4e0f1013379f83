import pytest
from hypothesis import given
from hypothesis import strategies as st
from mobilebench.analysis import units


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1, "1.00"), (9.996, "10.0"), (0.01234, "0.0123"), (99.96, "100"), (-1.5, "−1.50"),
     (123456, "123\N{NARROW NO-BREAK SPACE}000"), (999.6, "1\N{NARROW NO-BREAK SPACE}000")],
)  # fmt: skip
def test_three_significant_digits(value, text):
    assert units.significant(value) == text


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (999, "999 ns"),
        (1000, "1.00 µs"),
        (999_900, "1.00 ms"),
        (1_234_000, "1.23 ms"),
        (5e9, "5.00 s"),
    ],
)
def test_durations(ns, text):
    assert units.duration(ns) == text


def test_sizes_are_decimal():
    assert units.size(1_500_000) == "1.50 MB"
    assert units.size(21_400) == "21.4 KB"


def test_points_have_a_sign_unless_they_round_to_nothing():
    assert units.points(-0.012) == "−1.2"
    assert units.points(0.012) == "+1.2"
    assert units.points(-0.0001) == "0.0"


@given(st.floats(1e-9, 1e12))
def test_three_digits_are_within_half_a_percent(value):
    text = units.significant(value).replace("\N{NARROW NO-BREAK SPACE}", "")
    assert float(text) == pytest.approx(value, rel=0.0051)


def test_decibels_have_three_digits_at_most():
    shown = [units.decibels(value) for value in (150.0, 99.96, 99.94, 8.26, -3.04)]
    assert shown == ["150 dB", "100 dB", "99.9 dB", "8.3 dB", "−3.0 dB"]
