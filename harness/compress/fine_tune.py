"""Training on, with everything that was decided before: zeros stay zero, a teacher stays."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from harness.compress.retrain import LEARNING_RATE, train_on
from harness.compress.step import State, TrainingStep, Workshop


class FineTune(TrainingStep):
    """Trains the model on.

    Weights that pruning set to zero stay zero, weights that share a value go on sharing it, and a
    model that was distilled keeps learning from its teachers.
    """

    name: ClassVar[str] = "fine_tune"
    leading: ClassVar[str] = "epochs"

    epochs: int = Field(
        10, ge=1, le=10_000, description="passes over the training data, 1 to 10000"
    )
    learning_rate: float | None = LEARNING_RATE

    @property
    def passes(self) -> int:
        """Passes over the training data."""
        return self.epochs

    def train(self, state: State, workshop: Workshop) -> State:
        """See :meth:`TrainingStep.train`."""
        from harness.compress.importance import zero_share
        from harness.models.training import copy_of

        model = copy_of(state.model)
        kernels = train_on(
            model,
            state,
            workshop.lessons,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
        )
        findings = {"zeros": zero_share([k.numpy() for k in kernels])} if kernels else {}
        return replace(state, model=model, findings=findings, warnings=())
