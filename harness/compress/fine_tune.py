"""Training on, with everything that was decided before: zeros stay zero, a teacher stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from harness.compress.step import IdleTrainingError, State, StepError, TrainingStep, Workshop

if TYPE_CHECKING:
    from harness.models.array import Array


class FineTune(TrainingStep):
    """Trains the model on.

    Weights that pruning set to zero stay zero, and a model that was distilled keeps learning
    from its teacher.
    """

    name: ClassVar[str] = "fine_tune"
    leading: ClassVar[str] = "epochs"

    epochs: int = Field(
        10, ge=1, le=10_000, description="passes over the training data, 1 to 10000"
    )
    learning_rate: float | None = Field(
        None, gt=0, le=1, description="the first learning rate, above 0 and at most 1"
    )

    @property
    def passes(self) -> int:
        """Passes over the training data."""
        return self.epochs

    def train(self, state: State, workshop: Workshop) -> State:
        """See :meth:`TrainingStep.train`."""
        from harness.compress.prune import prunable, zero_share
        from harness.models.training import copy_of, fit

        if workshop.lessons is None:
            raise StepError("there is no training data")
        model = copy_of(state.model)
        kernels = prunable(model) if state.kept is not None else []

        def masking(_done: float) -> tuple[Array, ...]:
            return state.kept or ()

        learned = fit(
            model,
            workshop.lessons,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            loss=state.loss,
            kernels=kernels,
            masking=masking if kernels else None,
        )
        if not learned:
            raise IdleTrainingError
        findings = {"zeros": zero_share([k.numpy() for k in kernels])} if kernels else {}
        return State(model, state.kept, state.loss, findings)
