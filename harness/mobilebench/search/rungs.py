"""Cheaper stand-ins of a recipe, asked before it is made in full.

Without training it says how large and fast it will be; with a quarter of the training, whether the
rest is worth it.
"""

from __future__ import annotations

from typing import Any

from mobilebench.compress.recipe import Recipe, parse_recipe
from mobilebench.compress.step import Step, TrainingStep
from mobilebench.compress.steps.distill import Distill
from mobilebench.compress.steps.fine_tune import FineTune
from mobilebench.compress.steps.prune import Prune
from mobilebench.compress.steps.quantization_aware import QuantizationAware
from mobilebench.errors import BadInputError

#: The share of the training after which a candidate is looked at.
SHORT = 0.25
#: Less training than that is not worth a look in between (epochs).
_FEWEST_EPOCHS = 8


def untrained(recipe: Recipe) -> Recipe | None:
    """The same network in the same file format, hardly trained or not at all.

    Size, multiply-accumulates and latency follow from it, but for what depends on the numbers
    (``depends_on_weights``). None: the recipe does not train.
    """
    if not any(isinstance(step, TrainingStep) and step.epochs for step in recipe.steps):
        return None
    steps = []
    for place, step in enumerate(recipe.steps):
        if isinstance(step, FineTune | QuantizationAware) or (place and isinstance(step, Distill)):
            continue  # they leave the network as it is
        table = _table(step)
        if isinstance(step, Distill):
            table = {"step": "student", "epochs": 1}
        elif isinstance(step, Prune):
            table |= {"schedule": "once", "epochs": 0}
        elif isinstance(step, TrainingStep):
            table["epochs"] = 0 if _may_stay_untrained(step) else 1
        steps.append(table)
    return _recipe(steps or [{"step": "float32"}], recipe)


def shorter(recipe: Recipe) -> Recipe | None:
    """The recipe with a quarter of its training; None where that is not worth a look."""
    if epochs_of(recipe) < _FEWEST_EPOCHS:
        return None
    steps = []
    for step in recipe.steps:
        table = _table(step)
        if isinstance(step, TrainingStep) and step.epochs:
            table["epochs"] = max(1, round(SHORT * step.epochs))
        steps.append(table)
    return _recipe(steps, recipe)


def epochs_of(recipe: Recipe) -> int:
    """How many epochs a recipe trains for, in all its steps."""
    return sum(step.epochs for step in recipe.steps if isinstance(step, TrainingStep))


def depends_on_weights(recipe: Recipe) -> bool:
    """Whether the file's size depends on what the weights are, and not on how many there are."""
    return any(
        step.name == "sparse" or getattr(step, "min_snr", None) is not None for step in recipe.steps
    )


def _table(step: Step) -> dict[str, Any]:
    return {"step": step.name, **step.model_dump()}


def _may_stay_untrained(step: TrainingStep) -> bool:
    return any(
        getattr(rule, "ge", None) == 0 for rule in type(step).model_fields["epochs"].metadata
    )


def _recipe(steps: list[dict[str, Any]], of: Recipe) -> Recipe | None:
    try:
        found = parse_recipe({"steps": steps})
    except BadInputError:  # without a step, the others may make no sense
        return None
    return None if found.text == of.text else found
