"""Training on, with everything that was decided before: zeros stay zero, a teacher stays."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from harness.compress.retrain import train_on
from harness.compress.step import State, TrainingStep, Workshop, epochs_field


class FineTune(TrainingStep):
    """Trains the model on.

    Weights that pruning set to zero stay zero, weights that share a value go on sharing it, and a
    model that was distilled keeps learning from its teachers.
    """

    name: ClassVar[str] = "fine_tune"
    leading: ClassVar[str] = "epochs"

    epochs: int = epochs_field(10, least=1)

    def train(self, state: State, workshop: Workshop) -> State:
        """See :meth:`TrainingStep.train`."""
        from harness.compress.importance import zero_share
        from harness.models.copies import copy_of

        model = copy_of(state.model)
        kernels, warnings = train_on(self, model, state, workshop.lessons)
        findings = {"zeros": zero_share([k.numpy() for k in kernels])} if kernels else {}
        return replace(state, model=model, findings=findings, warnings=warnings)
