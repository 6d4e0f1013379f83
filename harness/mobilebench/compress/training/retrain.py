"""Training within a recipe, for all steps that train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mobilebench.errors import BadInputError, StepError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobilebench.compress.step import State, TrainingStep
    from mobilebench.models.array import Array
    from mobilebench.models.objective import Loss
    from mobilebench.models.training import Forward, Masking, TrainingData


def retrain(
    step: TrainingStep,
    model: Any,
    training_data: TrainingData | None,
    *,
    loss: Loss | None,
    kernels: Sequence[Any] = (),
    masking: Masking | None = None,
    codes: Sequence[Array] | None = None,
    forward: Forward | None = None,
) -> tuple[str, ...]:
    """Trains a Keras model in place for a step's epochs; with none it stays as it is.

    The other arguments are those of ``mobilebench.models.training.fit``.

    Returns:
        warnings about the training data.

    Raises:
        StepError: there are no data or too few, they are none for the model, training diverged,
            or every weight is what it was before.
    """
    from mobilebench.compress.training.by_hand import fit_by_hand
    from mobilebench.models.training import doubts, fit

    if not step.epochs:
        return ()
    if training_data is None:
        raise StepError("there is no training data")
    how = fit if training_data.by_hand is None else fit_by_hand
    try:
        learned = how(
            model,
            training_data,
            epochs=step.epochs,
            loss=loss,
            kernels=kernels,
            masking=masking,
            codes=codes,
            forward=forward,
            options=step.options,
        )
        objective = training_data.objective(model, loss)
    except BadInputError as error:  # it does not suit this step; others it may
        raise StepError(str(error)) from error
    if not learned:
        raise StepError(
            "training changed nothing: every weight is what it was before; "
            "raise learning_rate, or see whether all layers are frozen"
        )
    return doubts(training_data, objective.classes, objective.labels[0])


def train_on(
    step: TrainingStep,
    model: Any,
    state: State,
    training_data: TrainingData | None,
    *,
    loss: Loss | None = None,
    forward: Forward | None = None,
) -> tuple[list[Any], tuple[str, ...]]:
    """Trains a copy of a state's model in place, under the constraints of earlier steps.

    Zeros of pruning stay zeros, weights that share a value go on sharing it, and unless another
    loss is given, what was distilled goes on learning from its teachers.

    Args:
        step: says how long, and how fast.
        model: of the state's architecture.
        state: has the constraints.
        training_data: data, settings and seed.
        loss: instead of the state's.
        forward: how the logits are computed, if not simply by the model.

    Returns:
        the constrained kernels, and warnings.
    """
    from mobilebench.models.kernels import aligned, kernels_of

    masks = state.masks()
    kernels: list[Any] = []
    if masks is not None:
        found = aligned(kernels_of(model), kernels_of(state.model))
        kernels = [kernel.variable for kernel in found]
    warnings = retrain(
        step,
        model,
        training_data,
        loss=loss or state.loss,
        kernels=kernels,
        masking=None if masks is None else lambda _done: masks,
        codes=state.codes,
        forward=forward,
    )
    return kernels, warnings
