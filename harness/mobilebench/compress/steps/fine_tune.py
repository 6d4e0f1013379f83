"""Training on under the constraints of earlier steps: zeros stay zero, teachers stay."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from mobilebench.compress.step import State, StepContext, TrainingStep, epochs_field
from mobilebench.compress.training.retrain import train_on


class FineTune(TrainingStep):
    """Trains the model on.

    Weights that pruning set to zero stay zero, weights that share a value go on sharing it, and a
    model that was distilled keeps learning from its teachers.
    """

    name: ClassVar[str] = "fine_tune"
    leading: ClassVar[str] = "epochs"

    epochs: int = epochs_field(10, least=1)

    def train(self, state: State, context: StepContext) -> State:
        """See :meth:`TrainingStep.train`."""
        from mobilebench.compress.pruning.importance import zero_share
        from mobilebench.models.copies import copy_of

        model = copy_of(state.model)
        kernels, warnings = train_on(self, model, state, context.training_data)
        findings = {"zeros": zero_share([k.numpy() for k in kernels])} if kernels else {}
        return replace(state, model=model, findings=findings, warnings=warnings)
