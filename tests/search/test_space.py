"""The space as data: what is read, left out, drawn, and found again."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mobilebench.compress.recipe import parse_recipe
from mobilebench.errors import BadInputError
from mobilebench.search.space import TRAITS, Space, read_space

OWN = read_space(None)
ALL = frozenset(TRAITS)


@given(st.integers(0, 10_000), st.sets(st.sampled_from(TRAITS)))
@settings(max_examples=60, deadline=None)
def test_what_is_drawn_is_a_recipe_that_the_space_finds_again(seed: int, traits: set[str]) -> None:
    space = OWN.within({"float", *traits})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    recipe = space.draw(study.ask())
    parameters = space.parameters(recipe)
    assert parameters is not None
    again = space.draw(optuna.trial.FixedTrial(parameters))
    assert again.text == recipe.text
    if not {"training", "student"} & traits:
        assert not [s for s in recipe.steps if s.name in ("prune", "distill", "prune_channels")]


def test_the_recipes_to_begin_with_are_what_the_documentation_has() -> None:
    texts = [start.recipe for start in OWN.start]
    assert {"int8", "dynamic_int8", "prune(0.9, pattern='1x16') → dynamic_int8 → sparse"} <= {
        *texts
    }
    assert [s.recipe for s in OWN.within({"float"}).start] == [
        "float16", "dynamic_int8", "weight_only_int8",
    ]  # fmt: skip


def test_known_to_be_no_use_is_left_out() -> None:
    names = {c.name for slot in OWN.within(ALL - {"download"}).slots for c in slot.choices}
    assert not names & {"zeros", "shared"}
    assert {"zeros", "shared"} <= {c.name for s in OWN.within(ALL).slots for c in s.choices}


def test_a_recipe_beyond_the_space_has_no_parameters() -> None:
    for text in ("int16x8", "prune_channels(0.33, epochs=0) → int8", "int8 → sparse"):
        assert OWN.within(ALL).parameters(parse_recipe(text)) is None


SLOT = "[[slots]]\nname = 'a'\n"
CHOICE = f"{SLOT}[[slots.choices]]\nname = 'x'\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("slots = 3", "slots"),
        (f"{SLOT}choices = []", "at least 1"),
        (f"{CHOICE}steps = [{{step='prun'}}]", "did you mean prune"),
        (f"{CHOICE}steps = [{{step='prune', sparsty=0.5}}]", "did you mean sparsity"),
        (f"{CHOICE}steps = [{{step='prune', sparsity={{low=0.5, high=1.5}}}}]", "sparsity"),
        (
            f"{CHOICE}steps = [{{step='prune', sparsity={{low=0.5, high=0.1}}}}]",
            "low must be below",
        ),
        (CHOICE.replace("'a'", "'a'\nfollows = ['y']") + "steps = [{step='int8'}]", "no earlier"),
        (f"{CHOICE}requires = ['studnt']\nsteps = [{{step='int8'}}]", "did you mean student"),
        (f"{CHOICE}steps = [{{step='int8'}}]\n[[start]]\nrecipe = 'int9'", "unknown recipe step"),
        ("not toml", "is not valid TOML"),
    ],
)
def test_what_is_wrong_with_a_space_is_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(BadInputError, match=sentence) as error:
        read_space(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_model_that_allows_nothing_is_refused() -> None:
    with pytest.raises(BadInputError, match="no choice that this model allows"):
        OWN.within(set())


def test_a_space_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(
        "[[slots]]\nname = 'numbers'\nrequired = true\n[[slots.choices]]\nname = 'eight'\n"
        "steps = [{ step = 'int8', samples = { low = 10, high = 30, step = 10 } }]\n"
    )
    space = read_space(path)
    assert isinstance(space, Space)
    assert space.parameters(parse_recipe("int8(samples=20)")) == {
        "numbers": "eight", "eight.0.samples": 20,
    }  # fmt: skip
    assert space.parameters(parse_recipe("int8(samples=25)")) is None


@pytest.mark.parametrize("traits", [{"float", "calibration", "dense"}, ALL - {"student"}, ALL])
def test_what_remains_of_a_space_is_one_that_can_be_read_again(traits: set[str]) -> None:
    space = OWN.within(traits)
    assert Space.model_validate(space.model_dump(mode="json")) == space


def test_what_would_leave_a_required_slot_empty_is_refused() -> None:
    space = Space.model_validate(
        {
            "slots": [
                {"name": "first", "choices": [{"name": "a", "steps": [{"step": "float16"}]}]},
                {
                    "name": "second",
                    "required": True,
                    "choices": [{"name": "b", "steps": [{"step": "int8"}], "unless": ["a"]}],
                },
            ]
        }
    )
    with pytest.raises(BadInputError, match="'second' must hold something, and 'b' makes no sense"):
        space.draw(optuna.trial.FixedTrial({"first": "a", "second": "b"}))
    assert space.draw(optuna.trial.FixedTrial({"first": "none", "second": "b"})).text == "int8"
