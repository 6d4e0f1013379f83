"""The front, the choice among the feasible, and the volume that a front dominates."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mobilebench.errors import BadInputError
from mobilebench.search.aim import Aim
from mobilebench.search.candidate import Candidate, candidate_of
from mobilebench.search.front import MOST_CONFIRMED, chosen, front, hypervolume, nearest, to_confirm

AIM = Aim(("size", "latency"), {}, 1.0)

NUMBERS = st.integers(1, 12)
CANDIDATES = st.lists(
    st.builds(
        lambda number, size, latency, loss: Candidate(
            f"r{number}",
            "measured",
            values={"size": float(size), "latency": float(latency)},
            loss=loss / 4,
            error=0.2,
            sha256=f"s{number}",
        ),
        st.integers(0, 10_000),
        NUMBERS,
        NUMBERS,
        st.integers(-4, 8),
    ),
    max_size=20,
    unique_by=lambda c: c.recipe,
)


@given(CANDIDATES)
@settings(max_examples=100, deadline=None)
def test_a_front_has_what_nothing_feasible_beats(candidates: list[Candidate]) -> None:
    found = front(AIM, candidates)
    feasible = [c for c in candidates if c.loss is not None and c.loss <= 1]
    assert all(c in feasible for c in found)
    assert bool(found) == bool(feasible)
    for candidate in feasible:
        beaten = any(AIM.beats(other, candidate) for other in feasible)
        assert (candidate in found) != beaten


@given(CANDIDATES)
@settings(max_examples=100, deadline=None)
def test_what_is_confirmed_begins_with_the_chosen_one(candidates: list[Candidate]) -> None:
    confirmed = to_confirm(AIM, candidates)
    assert len(confirmed) <= MOST_CONFIRMED
    assert len({c.sha256 for c in confirmed}) == len(confirmed)
    assert confirmed[:1] == [c for c in [chosen(AIM, candidates)] if c is not None]
    assert all(AIM.is_feasible(c) for c in confirmed)


def made(name: str, size: float, loss: float, error: float | None = 0.3) -> Candidate:
    return Candidate(
        name, "measured", values={"size": size, "latency": 1.0}, loss=loss, error=error, sha256=name
    )


def test_a_lucky_one_at_the_limit_is_not_chosen_where_another_has_room() -> None:
    lucky, safe = made("lucky", 10, 0.95), made("safe", 12, 0.6)
    assert chosen(AIM, [lucky, safe]) == safe
    assert chosen(AIM, [lucky]) == lucky
    assert lucky in front(AIM, [lucky, safe])


def test_nothing_feasible_has_a_nearest() -> None:
    near, far = made("near", 10, 1.5), made("far", 5, 4.0)
    assert chosen(AIM, [far, near]) is None
    assert nearest(AIM, [far, near]) == near
    limited = Aim(("size",), {"size": 6.0}, 1.0)
    assert nearest(limited, [far, made("large", 9, 0.0)]) == made("large", 9, 0.0)
    assert nearest(AIM, []) is None


def test_a_candidate_survives_the_journal() -> None:
    one = made("one", 1, 0.1, None)
    assert candidate_of(one.as_json()) == one


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=6), st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_hypervolume_counts_what_is_dominated(points: list[tuple[int, ...]], dims: int) -> None:
    points = [p[:dims] for p in points]
    cells = itertools.product(range(4), repeat=dims)
    counted = sum(any(all(np.array(p) <= cell) for p in points) for cell in cells)
    assert hypervolume(points, [4] * dims) == pytest.approx(counted)


@pytest.mark.parametrize(
    "aim",
    [
        {"minimize": ("sise",)},
        {"minimize": ()},
        {"minimize": ("size", "size")},
        {"limits": {"latency": 0}},
        {"max_loss": -1},
    ],
)
def test_an_aim_that_makes_no_sense_is_refused(aim: dict[str, object]) -> None:
    with pytest.raises(BadInputError):
        Aim(**aim)  # type: ignore[arg-type]


def test_the_baseline_is_no_candidate_with_room_to_spare() -> None:
    baseline, lucky = made("baseline", 100, 0.0, 0.0), made("lucky", 10, 0.95)
    assert chosen(AIM, [baseline, lucky], "baseline") == lucky
    assert to_confirm(AIM, [baseline, lucky], "baseline")[0] == lucky
    safe = made("safe", 12, 0.6)
    assert chosen(AIM, [baseline, lucky, safe], "baseline") == safe
    assert chosen(AIM, [baseline, made("bad", 10, 1.5)], "baseline") == baseline


def test_what_is_bad_after_short_training_misses_the_limit() -> None:
    stopped = Candidate("x", "screened", values={"size": 1.0, "latency": 1.0}, short_loss=5.0)
    assert AIM.violations(stopped) == {"max_quality_loss": 4.0}
    assert not AIM.is_feasible(stopped)
