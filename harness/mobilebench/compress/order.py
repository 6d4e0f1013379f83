"""Whether the steps of a recipe make sense in their order.

Each step says what it takes and what it gives (:class:`~mobilebench.compress.step.Form`), which
steps it must come before or after, and what else it objects to; nothing here knows a single one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from mobilebench.compress.step import BaselineStep, Form, Step
from mobilebench.errors import BadInputError


def check_order(steps: Sequence[Step]) -> None:
    """Refuses an order that cannot be made, or in which a step would undo or repeat another.

    Raises:
        BadInputError: with the steps' names and the reason.
    """
    for before, step in itertools.pairwise(steps):
        _check_baseline(before, step)
        _check_next(before, step)
        _check_forms(before, step)
    for earlier, step in itertools.combinations(steps, 2):
        _check_pair(earlier, step)
    if steps:
        _check_next(steps[-1], None)


def _check_baseline(before: Step, step: Step) -> None:
    baseline = next((s for s in (before, step) if isinstance(s, BaselineStep)), None)
    if baseline is not None:
        raise BadInputError(
            f"{_pair(before, step)}: {baseline.name} is the baseline and stands alone; "
            "other recipes start from it anyway"
        )


def _check_next(step: Step, following: Step | None) -> None:
    reason = step.needs_next(following)
    if reason and following is not None:
        raise BadInputError(f"{_pair(step, following)}: {reason}")
    if reason:
        raise BadInputError(f"recipe step {step.text()} cannot come last: {reason}")


def _check_forms(before: Step, step: Step) -> None:
    """Whether a step can use what the step before it gives."""
    if _takes(step, before.gives):
        return
    hint = "use one of them"
    if _takes(before, step.gives):
        hint = f"put {step.name} before {before.name}"
    wanted = " or ".join(form.value for form in Form if form in step.takes)
    raise BadInputError(
        f"{_pair(before, step)}: {step.name} takes {wanted}, and {before.name} gives "
        f"{before.gives.value}; {hint}"
    )


def _check_pair(earlier: Step, step: Step) -> None:
    reason = (
        step.before.get(earlier.name) or earlier.after.get(step.name) or step.objection(earlier)
    )
    if reason:
        raise BadInputError(
            f"recipe step {step.text()} cannot come after {earlier.text()}: {reason}"
        )


def _takes(step: Step, form: Form) -> bool:
    """Whether a step can use that form; a Keras model is converted where a .tflite is needed."""
    return form in step.takes or (form is Form.KERAS and Form.FLOAT in step.takes)


def _pair(before: Step, step: Step) -> str:
    return f"recipe step {step.name} cannot follow {before.name}"
