"""Which work a few variants share: recipes that begin alike, as a tree of stages.

Pure: nothing is made here. Whoever makes variants side by side, on one machine or on several,
gives out a stage once the one before it is kept, and everything is made once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mobilebench.compress.recipe import Recipe
from mobilebench.compress.step import BaselineStep, Step


@dataclass(frozen=True)
class Stage:
    """Steps of one model that are made in one go: no other variant begins or ends among them.

    Attributes:
        model: which model.
        steps: all steps from the model on, those of the stages before included; empty for the
            model itself as a ``.tflite``, where every recipe begins.
        before: the position of the stage that it goes on from; None for the model itself.
        variants: the positions of the variants that are finished with it; empty for what they only
            share.
        leads_to: the position of the first variant that needs it.
    """

    model: str
    steps: tuple[Step, ...]
    before: int | None
    variants: tuple[int, ...]
    leads_to: int


def stages_of(variants: Sequence[tuple[str, Recipe]]) -> tuple[Stage, ...]:
    """The stages of some variants, each after the one that it goes on from.

    They come in the order of the variants: done one by one, they finish them in that order.

    Args:
        variants: the model, by any name that is its own, and the recipe.
    """
    chains = [(model, _essential(recipe)) for model, recipe in variants]
    ends: dict[tuple[str, tuple[Step, ...]], list[int]] = {}
    for number, chain in enumerate(chains):
        ends.setdefault(chain, []).append(number)
    following: dict[tuple[str, tuple[Step, ...]], set[Step]] = {}
    for model, steps in chains:
        for length, step in enumerate(steps):
            following.setdefault((model, steps[:length]), set()).add(step)
    found: list[Stage] = []
    place: dict[tuple[str, tuple[Step, ...]], int] = {}
    for number, (model, steps) in enumerate(chains):
        before: int | None = None
        for length in range(len(steps) + 1):
            here = (model, steps[:length])
            if length and here not in ends and len(following[here]) == 1:
                continue  # nobody else needs what is made so far
            if here not in place:
                place[here] = len(found)
                found.append(Stage(*here, before, tuple(ends.get(here, ())), number))
            before = place[here]
    return tuple(found)


def _essential(recipe: Recipe) -> tuple[Step, ...]:
    """The steps that do something: a baseline is the model itself."""
    return tuple(step for step in recipe.steps if not isinstance(step, BaselineStep))
