"""Knowledge distillation, and the control that its gain is judged by.

A large network's probabilities teach a small one more than the labels do: which wrong answers
are nearly right (Hinton, Vinyals and Dean 2015).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from mobilebench.compress.step import State, Step, StepContext, TrainingStep, epochs_field
from mobilebench.compress.training.retrain import retrain, train_on
from mobilebench.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mobilebench.compress.teachers import Teacher
    from mobilebench.models.objective import Loss

_EPOCHS = epochs_field(30, least=1)


class Distill(TrainingStep):
    """Trains a smaller network on the model's soft labels and the true ones.

    At the beginning of a recipe the smaller network is the model's student, from scratch. Later
    in a recipe it is the network made so far, which goes on learning from the model it was made
    of: zeros stay zeros, and shared weights stay shared.

    The loss is alpha · T² · KL(teacher_T ‖ student_T) + (1 − alpha) · cross-entropy, where _T is
    the softmax at temperature T, and the teacher's probabilities are the mean of all teachers'.
    The factor T² keeps the gradients of the soft part at the same size whatever T is.
    """

    name: ClassVar[str] = "distill"

    T: float = Field(4.0, gt=0, le=1000, description="the temperature, above 0 and at most 1000")
    alpha: float = Field(0.7, ge=0, le=1, description="the soft labels' weight, 0 to 1")
    features: float = Field(
        0.0,
        ge=0,
        le=100_000,
        description="the weight of the similarity of samples before the last layer, 0 or more",
    )
    epochs: int = _EPOCHS

    @property
    def needs_student(self) -> bool:
        """It trains the student, where it begins a recipe."""
        return True

    @property
    def needs_teachers(self) -> bool:
        """It learns from them."""
        return True

    def train(self, state: State, context: StepContext) -> State:
        """See :meth:`TrainingStep.train`."""
        from mobilebench.models.copies import copy_of

        teachers = context.teachers()
        loss = self.loss_of(teachers)
        if context.begins:
            before = State(_fresh_student(state, context), loss=loss)
            model = before.model
        else:
            before, model = state, copy_of(state.model)
        _, warnings = train_on(
            self,
            model,
            before,
            context.training_data,
            loss=self._with_features(loss, model, teachers) if self.features else loss,
        )
        findings = _sizes(state, model) | {"teachers": [teacher.name for teacher in teachers]}
        return replace(before, model=model, loss=loss, findings=findings, warnings=warnings)

    def loss_of(self, teachers: Sequence[Teacher]) -> Loss:
        """What is minimized from this step on: the distance to the teachers and to the labels."""
        from mobilebench.compress.teachers import soft_labels

        def distance(logits: Any, labels: Any, samples: Any, weights: Any) -> Any:
            soft = soft_labels(teachers, samples, self.T)
            return distillation_loss(
                logits, soft, labels, weights, temperature=self.T, alpha=self.alpha
            )

        return distance

    def _with_features(self, loss: Loss, model: Any, teachers: Sequence[Teacher]) -> Loss:
        """The loss with what both make of the samples before their last layers."""
        from mobilebench.compress.teachers import features_of, similarity_loss

        own = features_of(model)
        for teacher in teachers:
            if own is None or teacher.features is None:
                who = "the student" if own is None else teacher.name
                raise StepError(
                    f"distill(features=…) cannot look into {who}: it must be a Keras model with "
                    "a layer before its last one"
                )

        def with_features(logits: Any, labels: Any, samples: Any, weights: Any) -> Any:
            assert own is not None
            seen = own(samples, training=True)
            apart = [similarity_loss(seen, t.features(samples)) for t in teachers if t.features]
            distance = loss(logits, labels, samples, weights)
            return distance + self.features * sum(apart) / len(apart)

        return with_features


class Student(TrainingStep):
    """Trains the same student from scratch on the labels alone.

    Same seed, same epochs, same augmentation as ``distill``: the difference is distillation's.
    """

    name: ClassVar[str] = "student"
    epochs: int = _EPOCHS

    def objection(self, earlier: Step) -> str:
        """It can only begin a recipe."""
        return f"it trains a fresh student, so what {earlier.name} did would be lost"

    @property
    def needs_student(self) -> bool:
        """It trains the student."""
        return True

    def train(self, state: State, context: StepContext) -> State:
        """See :meth:`TrainingStep.train`."""
        student = _fresh_student(state, context)
        warnings = retrain(self, student, context.training_data, loss=None)
        return State(student, findings=_sizes(state, student), warnings=warnings)


def distillation_loss(
    student: Any,
    soft: Any,
    labels: Any,
    weights: Any = None,
    *,
    temperature: float,
    alpha: float,
) -> Any:
    """The distillation loss, averaged over the batch.

    Args:
        student: logits (batch, classes).
        soft: the teachers' probabilities at the temperature (batch, classes).
        labels: class indices (batch,).
        weights: (batch,), how much each sample counts, in both parts; None for all alike.
        temperature: T.
        alpha: the weight of the soft part, 0 to 1.
    """
    import tensorflow as tf

    from mobilebench.models.objective import weighted_cross_entropy, weighted_mean

    student_log = tf.nn.log_softmax(student / temperature)
    divergence = tf.reduce_sum(tf.math.xlogy(soft, soft) - soft * student_log, axis=-1)
    distance = temperature**2 * weighted_mean(divergence, weights)
    return alpha * distance + (1 - alpha) * weighted_cross_entropy(student, labels, None, weights)


def _fresh_student(state: State, context: StepContext) -> Any:
    student = context.student()
    for what in ("input_shape", "output_shape"):
        own, wanted = getattr(student, what), getattr(state.model, what)
        if own != wanted:
            raise StepError(
                f"the student's {what.replace('_', ' ')} is {own[1:]}, the model's {wanted[1:]}"
            )
    return student


def _sizes(state: State, model: Any) -> dict[str, Any]:
    return {"parameters_before": state.model.count_params(), "parameters": model.count_params()}
