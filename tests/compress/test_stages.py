"""Variants as a tree of what they share."""

from __future__ import annotations

import random

from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.stages import Stage, stages_of

from tests.support.recipes import some_recipes


def _of(*recipes: str, model: str = "m") -> list[tuple[str, str, int | None, tuple[int, ...]]]:
    found = stages_of([(model, parse_recipe(recipe)) for recipe in recipes])
    return [(s.model, _text(s), s.before, s.variants) for s in found]


def _text(stage: Stage) -> str:
    return " → ".join(step.text() for step in stage.steps)


def test_one_recipe_is_the_model_and_the_rest_of_it() -> None:
    assert _of("prune(0.8) → int8") == [("m", "", None, ()), ("m", "prune(0.8) → int8", 0, (0,))]


def test_what_recipes_begin_with_is_a_stage_of_its_own() -> None:
    assert _of("prune(0.8) → int8", "float32", "prune(0.8) → float16", "int8") == [
        ("m", "", None, (1,)),
        ("m", "prune(0.8)", 0, ()),
        ("m", "prune(0.8) → int8", 1, (0,)),
        ("m", "prune(0.8) → float16", 1, (2,)),
        ("m", "int8", 0, (3,)),
    ]


def test_a_recipe_that_is_the_beginning_of_another_ends_a_stage() -> None:
    assert _of("prune(0.5) → fine_tune(2) → int8", "prune(0.5)") == [
        ("m", "", None, ()),
        ("m", "prune(0.5)", 0, (1,)),
        ("m", "prune(0.5) → fine_tune(2) → int8", 1, (0,)),
    ]


def test_models_share_nothing_and_names_of_recipes_do_not_matter() -> None:
    named = parse_recipe({"name": "small", "recipe": "int8"})
    found = stages_of([("a", parse_recipe("int8")), ("b", named), ("a", named)])
    assert [(s.model, s.before, s.variants, s.leads_to) for s in found] == [
        ("a", None, (), 0),
        ("a", 0, (0, 2), 0),
        ("b", None, (), 1),
        ("b", 2, (1,), 1),
    ]


def test_every_variant_ends_once_and_nothing_is_made_twice() -> None:
    draw = random.Random(0)
    for _ in range(50):
        variants = [(draw.choice("ab"), parse_recipe(recipe)) for recipe in some_recipes(draw)]
        found = stages_of(variants)
        assert sorted(n for stage in found for n in stage.variants) == list(range(len(variants)))
        assert len({(stage.model, stage.steps) for stage in found}) == len(found)
        for number, stage in enumerate(found):
            if stage.before is None:
                assert stage.steps == ()
                continue
            before = found[stage.before]
            assert stage.before < number
            assert before.model == stage.model
            assert stage.steps[: len(before.steps)] == before.steps
            assert len(stage.steps) > len(before.steps)
        for position in range(len(variants)):
            (own,) = [s for s in found if position in s.variants]
            steps_of = variants[position][1].steps
            assert own.steps == tuple(step for step in steps_of if step.text() != "float32")
