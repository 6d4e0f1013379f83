from hypothesis import given
from hypothesis import strategies as st
from mobilebench.analysis.pareto import front

ROWS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8)), max_size=30)


def _dominates(a, b):
    return all(x <= y for x, y in zip(a, b, strict=True)) and a != b


@given(ROWS)
def test_front_is_those_whom_nobody_dominates(rows):
    expected = [not any(_dominates(other, row) for other in rows) for row in rows]
    assert front(rows) == expected


@given(ROWS.filter(bool))
def test_somebody_is_on_the_front_and_dominates_all_who_are_not(rows):
    marks = front(rows)
    assert any(marks)
    best = [row for row, mark in zip(rows, marks, strict=True) if mark]
    for row, mark in zip(rows, marks, strict=True):
        assert mark or any(_dominates(other, row) for other in best)


def test_ties_share_the_front_and_holes_stay_off():
    assert front([(1, 2), (1, 2), (2, 2), (None, 0), (0, 3)]) == [True, True, False, False, True]
    assert front([]) == []
    assert front([(None, None)]) == [False]
