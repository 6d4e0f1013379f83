"""How much of a model a step reaches: one that changes next to nothing is an error."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from mobilebench.errors import StepError

#: A step that reaches less than this share of a model's weights does not do what its name says.
LEAST = 1 / 20
#: How many layers a sentence names.
_NAMED = 3


def require_reach(text: str, model: Any, reached: Sequence[Any]) -> float:
    """The share of all weights that a step works on.

    Args:
        text: the step, as a recipe would have it.
        model: the Keras model.
        reached: the variables that it works on.

    Raises:
        StepError: it is less than a twentieth; the sentence names the layers with the others.
    """
    total = size_of(model.weights)
    share = size_of(reached) / max(total, 1)
    if share < LEAST:
        raise StepError(
            f"{text} would reach {size_of(reached)} of {total} weights, less than a twentieth: the "
            f"others are in {others(model, reached)}, which it cannot change"
        )
    return share


def others(model: Any, reached: Sequence[Any]) -> str:
    """The layers with most of the weights that a step does not reach, with their kinds."""
    known = {id(variable) for variable in reached}
    left: dict[str, int] = defaultdict(int)
    kinds: dict[str, str] = {}
    for layer in model.layers:
        for variable in layer.weights:
            if id(variable) not in known:
                left[layer.name] += math.prod(variable.shape)
                kinds[layer.name] = type(layer).__name__
    names = sorted(left, key=lambda name: -left[name])
    said = [f"{name} ({kinds[name]}, {left[name]})" for name in names[:_NAMED]]
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return ", ".join(said + more)


def size_of(variables: Sequence[Any]) -> int:
    """How many weights these are."""
    return sum(math.prod(variable.shape) for variable in variables)
