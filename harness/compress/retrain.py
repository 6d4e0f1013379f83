"""Training within a recipe: what every step that learns has in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.compress.step import StepError
from harness.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.compress.step import State
    from harness.models.array import Array
    from harness.models.training import Forward, Lessons, Loss, Masking

LEARNING_RATE = Field(
    None, gt=0, le=1, description="the first learning rate, above 0 and at most 1"
)


def retrain(
    model: Any,
    lessons: Lessons | None,
    *,
    epochs: int,
    learning_rate: float | None,
    loss: Loss | None,
    kernels: Sequence[Any] = (),
    masking: Masking | None = None,
    codes: Sequence[Array] | None = None,
    forward: Forward | None = None,
) -> None:
    """Trains a Keras model in place; the arguments are those of ``harness.models.training.fit``.

    Raises:
        StepError: there are no data, the model is no classifier, training diverged, or every
            weight is what it was before.
    """
    from harness.models.training import fit

    if lessons is None:
        raise StepError("there is no training data")
    try:
        learned = fit(
            model,
            lessons,
            epochs=epochs,
            learning_rate=learning_rate,
            loss=loss,
            kernels=kernels,
            masking=masking,
            codes=codes,
            forward=forward,
        )
    except BadInputError as error:  # it does not suit this step; others it may
        raise StepError(str(error)) from error
    if not learned:
        raise StepError(
            "training changed nothing: every weight is what it was before; "
            "raise learning_rate, or see whether all layers are frozen"
        )


def train_on(
    model: Any,
    state: State,
    lessons: Lessons | None,
    *,
    epochs: int,
    learning_rate: float | None,
    loss: Loss | None = None,
    forward: Forward | None = None,
) -> list[Any]:
    """Trains a copy of a state's model in place, with all that was decided before.

    Zeros of pruning stay zeros, weights that share a value go on sharing it, and unless another
    loss is given, what was distilled goes on learning from its teachers.

    Args:
        model: of the state's architecture.
        state: what was decided.
        lessons: data, settings and seed.
        epochs: passes over the data.
        learning_rate: the first one, instead of the settings'.
        loss: instead of the state's.
        forward: how the logits are computed, if not simply by the model.

    Returns:
        the kernels of which something was decided.
    """
    from harness.compress.prune import prunable

    masks = state.masks()
    kernels = [] if masks is None else prunable(model)
    retrain(
        model,
        lessons,
        epochs=epochs,
        learning_rate=learning_rate,
        loss=loss or state.loss,
        kernels=kernels,
        masking=None if masks is None else lambda _done: masks,
        codes=state.codes,
        forward=forward,
    )
    return kernels
