"""Who makes which stage next, where variants are made side by side."""

from __future__ import annotations

import random

from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.stages import stages_of
from mobilebench.compress.turns import Turns

from tests.support.recipes import some_recipes


def turns_of(*recipes: str) -> tuple[Turns, set[int]]:
    settled: set[int] = set()
    stages = stages_of([("m", parse_recipe(recipe)) for recipe in recipes])
    return Turns(stages, settled.__contains__), settled


def finish(turns: Turns, settled: set[int], number: int, process: int, *, failed: bool) -> None:
    settled.update(turns.stages[number].variants)
    turns.ended(number, process, failed=failed)


def test_nobody_begins_before_what_all_share_is_made() -> None:
    turns, settled = turns_of("int8", "float16")
    assert turns.next(0) == 0
    assert turns.next(1) is None
    finish(turns, settled, 0, 0, failed=False)
    assert (turns.next(0), turns.next(1), turns.next(2)) == (1, 2, None)


def test_a_process_goes_on_with_its_own() -> None:
    turns, settled = turns_of("prune(0.5) → int8", "prune(0.8) → int8", "prune(0.5)", "prune(0.8)")
    finish(turns, settled, turns.next(0) or 0, 0, failed=False)
    half, most = turns.next(1), turns.next(0)
    assert (half, most) == (1, 3)
    finish(turns, settled, 1, 1, failed=False)
    finish(turns, settled, 3, 0, failed=False)
    assert (turns.next(0), turns.next(1)) == (4, 2)


def test_what_is_behind_a_failure_goes_to_the_process_that_knows_why() -> None:
    turns, settled = turns_of("prune(0.5) → int8", "prune(0.5) → float16")
    finish(turns, settled, turns.next(0) or 0, 0, failed=False)
    assert turns.next(1) == 1
    settled.add(0)  # the variant under whose name it was made
    turns.ended(1, 1, failed=True)
    assert turns.next(0) is None
    assert turns.next(1) == 3
    assert turns.left_of(3) == [1]


def test_stages_whose_variants_are_there_are_passed_over() -> None:
    turns, settled = turns_of("prune(0.5) → int8", "prune(0.8) → int8")
    settled.add(0)
    assert turns.next(0) == 0
    finish(turns, settled, 0, 0, failed=False)
    assert (turns.next(0), turns.next(0)) == (2, None)


def test_every_stage_is_given_once_whatever_fails() -> None:
    draw = random.Random(0)
    for _ in range(50):
        recipes = some_recipes(draw)
        turns, settled = turns_of(*recipes)
        at: dict[int, int] = {}
        given = []
        while True:
            for process in range(3):
                if process not in at and (number := turns.next(process)) is not None:
                    at[process] = number
                    given.append(number)
            if not at:
                break
            process, number = draw.choice(sorted(at.items()))
            del at[process]
            settled.update(turns.stages[number].variants or turns.left_of(number)[:1])
            turns.ended(number, process, failed=draw.random() < 0.2)
        assert len(given) == len(set(given))
        assert settled == set(range(len(recipes)))
