"""Knowledge distillation, and the control without which its gain cannot be judged.

A large network's probabilities tell a small one more than the labels do: which wrong answers
are nearly right (Hinton, Vinyals and Dean 2015).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.compress.retrain import LEARNING_RATE, retrain
from harness.compress.step import State, StepError, TrainingStep, Workshop

if TYPE_CHECKING:
    from collections.abc import Callable

_EPOCHS = Field(30, ge=1, le=10_000, description="passes over the training data, 1 to 10000")


class Distill(TrainingStep):
    """Trains the model's student from scratch on the model's soft labels and the true ones.

    The loss is alpha · T² · KL(teacher_T ‖ student_T) + (1 − alpha) · cross-entropy, where _T is
    the softmax at temperature T. The factor T² keeps the gradients of the soft part at the same
    size whatever T is.
    """

    name: ClassVar[str] = "distill"
    position: ClassVar[str] = "first"

    T: float = Field(4.0, gt=0, le=1000, description="the temperature, above 0 and at most 1000")
    alpha: float = Field(0.7, ge=0, le=1, description="the soft labels' weight, 0 to 1")
    epochs: int = _EPOCHS
    learning_rate: float | None = LEARNING_RATE

    @property
    def passes(self) -> int:
        """Passes over the training data."""
        return self.epochs

    @property
    def needs_student(self) -> bool:
        """It trains the student."""
        return True

    def train(self, state: State, workshop: Workshop) -> State:
        """See :meth:`TrainingStep.train`."""
        from harness.models.training import logits_of

        with logits_of(state.model):  # is there a softmax to soften?
            pass

        def loss(logits: Any, labels: Any, samples: Any) -> Any:
            with logits_of(state.model) as teacher:
                soft = teacher(samples, training=False)
            return distillation_loss(logits, soft, labels, temperature=self.T, alpha=self.alpha)

        return _train_student(state, workshop, self.epochs, self.learning_rate, loss)


class Student(TrainingStep):
    """Trains the same student from scratch on the labels alone.

    Same seed, same epochs, same augmentation as ``distill``: the difference is distillation's.
    """

    name: ClassVar[str] = "student"
    position: ClassVar[str] = "first"

    epochs: int = _EPOCHS
    learning_rate: float | None = LEARNING_RATE

    @property
    def passes(self) -> int:
        """Passes over the training data."""
        return self.epochs

    @property
    def needs_student(self) -> bool:
        """It trains the student."""
        return True

    def train(self, state: State, workshop: Workshop) -> State:
        """See :meth:`TrainingStep.train`."""
        return _train_student(state, workshop, self.epochs, self.learning_rate, None)


def distillation_loss(
    student: Any, teacher: Any, labels: Any, *, temperature: float, alpha: float
) -> Any:
    """The distillation loss, averaged over the batch.

    Args:
        student: logits (batch, classes).
        teacher: logits (batch, classes).
        labels: class indices (batch,).
        temperature: T.
        alpha: the weight of the soft part, 0 to 1.
    """
    import tensorflow as tf

    from harness.models.training import cross_entropy

    teacher_log = tf.nn.log_softmax(tf.stop_gradient(teacher) / temperature)
    student_log = tf.nn.log_softmax(student / temperature)
    divergence = tf.reduce_sum(tf.exp(teacher_log) * (teacher_log - student_log), axis=-1)
    soft = temperature**2 * tf.reduce_mean(divergence)
    return alpha * soft + (1 - alpha) * cross_entropy(student, labels)


def _train_student(
    state: State,
    workshop: Workshop,
    epochs: int,
    learning_rate: float | None,
    loss: Callable[[Any, Any, Any], Any] | None,
) -> State:
    student = workshop.student()
    for what in ("input_shape", "output_shape"):
        own, wanted = getattr(student, what), getattr(state.model, what)
        if own != wanted:
            raise StepError(
                f"the student's {what.replace('_', ' ')} is {own[1:]}, the model's {wanted[1:]}"
            )
    retrain(student, workshop.lessons, epochs=epochs, learning_rate=learning_rate, loss=loss)
    findings = {
        "parameters_before": state.model.count_params(),
        "parameters": student.count_params(),
    }
    return State(student, None, loss, findings)
