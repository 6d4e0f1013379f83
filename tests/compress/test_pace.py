"""The time left until all variants are made."""

from __future__ import annotations

import pytest
from mobilebench.compress.pace import Pace
from mobilebench.compress.recipe import parse_recipe


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def pace_of(*recipes: str, at_once: int = 1) -> tuple[Pace, Clock]:
    clock = Clock()
    return Pace([("m", parse_recipe(recipe)) for recipe in recipes], at_once, clock), clock


def make(pace: Pace, clock: Clock, variant: int, **steps: float) -> None:
    for text, seconds in steps.items():
        pace.at(variant, text)
        clock.time += seconds
    pace.end(variant, made=True)


def test_nothing_is_said_before_something_is_known() -> None:
    pace, clock = pace_of("int8", "float16")
    assert pace.left() is None
    pace.at(0, "int8")
    clock.time += 4
    assert pace.left() is None


def test_steps_that_were_not_seen_take_as_long_as_others_of_their_kind() -> None:
    pace, clock = pace_of("float32", "int8", "float16", "dynamic_int8")
    make(pace, clock, 0, convert=9)
    assert pace.left() is None, "conversion says nothing about quantizing"
    make(pace, clock, 1, int8=4)
    assert pace.left() == pytest.approx(8)
    make(pace, clock, 2, float16=2)
    assert pace.left() == pytest.approx(3)
    make(pace, clock, 3, dynamic_int8=2)
    assert pace.left() is None


def test_what_is_under_way_is_taken_off() -> None:
    pace, clock = pace_of("int8", "float16")
    make(pace, clock, 0, int8=4)
    pace.at(1, "float16")
    clock.time += 3
    assert pace.left() == pytest.approx(1)
    clock.time += 3
    assert pace.left() == pytest.approx(0)


def test_a_step_that_says_how_far_it_is_needs_no_other() -> None:
    pace, clock = pace_of("prune(0.5, epochs=4)")
    pace.at(0, "prune(0.5, epochs=4)", 0.0)
    clock.time += 10
    pace.at(0, "prune(0.5, epochs=4)", 0.25)
    assert pace.left() == pytest.approx(30)


def test_training_takes_longer_by_its_epochs_and_is_converted_afterwards() -> None:
    pace, clock = pace_of("prune(0.5, epochs=2)", "prune(0.8, epochs=6)")
    pace.at(0, "convert")
    clock.time += 1
    pace.at(0, "prune(0.5, epochs=2)", 0.5)
    clock.time += 20
    pace.at(0, "convert")
    clock.time += 3
    pace.end(0, made=True)
    assert pace.left() == pytest.approx(60 + 2)


def test_what_is_shared_counts_once_and_side_by_side_goes_faster() -> None:
    recipes = ("int8", "prune(0.5, epochs=1) → int8", "prune(0.5, epochs=1) → float16")
    for at_once, seconds in ((1, 40 + 2 * 4), (2, 40 + 4)):
        pace, clock = pace_of(*recipes, "prune(0.8, epochs=1)", at_once=at_once)
        make(pace, clock, 0, int8=4)
        pace.at(3, "prune(0.8, epochs=1)", 0.1)
        clock.time += 40
        pace.end(3, made=True)
        assert pace.left() == pytest.approx(seconds)


def test_a_failure_leaves_its_time_out() -> None:
    pace, clock = pace_of("int8", "float16", "dynamic_int8")
    make(pace, clock, 0, int8=4)
    pace.end(1, made=False)
    assert pace.left() == pytest.approx(4)
