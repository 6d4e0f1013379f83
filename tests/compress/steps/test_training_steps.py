from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mobilebench.compress.pruning.importance import zero_share
from mobilebench.compress.step import State, StepContext, TrainingStep
from mobilebench.compress.steps.distill import Distill, Student, distillation_loss
from mobilebench.compress.steps.fine_tune import FineTune
from mobilebench.compress.steps.prune import Prune
from mobilebench.errors import StepError
from mobilebench.models.kernels import prunable

pytestmark = pytest.mark.tensorflow


def zeros(model: Any) -> list[float]:
    return [zero_share([kernel.numpy()]) for kernel in prunable(model)]


def test_gradual_pruning_reaches_its_goal_and_zeros_stay(
    state: State, context: StepContext
) -> None:
    before = [w.copy() for w in state.model.get_weights()]
    pruned = Prune(sparsity=0.8, epochs=3).train(state, context)
    assert pruned.findings["zeros"] == pytest.approx(0.8, abs=1e-4)
    assert all((b != 0).all() for b in pruned.model.get_weights()[1::2]), "biases are left alone"
    tuned = FineTune(epochs=2).train(pruned, context)
    assert tuned.findings["zeros"] >= 0.8 - 1e-4
    for kernel, old, kept in zip(
        prunable(tuned.model), prunable(pruned.model), pruned.kept or (), strict=True
    ):
        assert (kernel.numpy()[~kept] == 0).all()
        assert (kernel.numpy()[kept] != old.numpy()[kept]).any()
    for weight, now in zip(before, state.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, now)  # the model before is as it was


def test_pruning_goes_on_from_pruning(state: State, context: StepContext) -> None:
    first = Prune(sparsity=0.5, epochs=1).train(state, context)
    second = Prune(sparsity=0.9, epochs=2).train(first, context)
    assert second.findings["zeros_before"] == pytest.approx(0.5, abs=1e-4)
    assert second.findings["zeros"] == pytest.approx(0.9, abs=1e-4)
    for kernel, kept in zip(prunable(second.model), first.kept or (), strict=True):
        assert (kernel.numpy()[~kept] == 0).all()
    with pytest.raises(StepError, match=r"pruned nothing: 50\.0 % of the weights are zero already"):
        Prune(sparsity=0.4, epochs=1).train(first, context)


@pytest.mark.parametrize(
    "step",
    [
        FineTune(epochs=1, learning_rate=1e-50),
        Prune(sparsity=0.5, epochs=1, learning_rate=1e-50),
        Student(epochs=1, learning_rate=1e-50),
        Distill(epochs=1, learning_rate=1e-50),
    ],
    ids=lambda step: step.name,
)
def test_training_that_changes_nothing_is_an_error(
    state: State, context: StepContext, step: TrainingStep
) -> None:
    with pytest.raises(StepError, match="training changed nothing"):
        step.train(state, context)


def test_a_step_that_diverges_fails_in_one_sentence(state: State, context: StepContext) -> None:
    import tensorflow as tf

    broken = State(state.model, loss=lambda z, _y, _x, _w: tf.reduce_sum(z) * np.float32("inf"))
    for step in (FineTune(epochs=1), Prune(sparsity=0.5, epochs=1)):
        with pytest.raises(StepError, match="training diverged in epoch 1 of 1"):
            step.train(broken, context)


def test_scopes_differ(state: State) -> None:
    none = StepContext(None, lambda: None)
    layer = Prune(sparsity=0.7, scope="layer", schedule="once", epochs=0).train(state, none)
    whole = Prune(sparsity=0.7, schedule="once", epochs=0).train(state, none)
    assert zeros(layer.model) == pytest.approx([0.7, 0.7], abs=0.01)
    assert whole.findings["zeros"] == pytest.approx(0.7, abs=1e-4)
    first, last = zeros(whole.model)
    assert first > 0.7 > last + 0.1


def test_threshold(state: State) -> None:
    none = StepContext(None, lambda: None)
    step = Prune(threshold=0.05, schedule="once", epochs=0)
    pruned = step.train(state, none)
    for kernel, old in zip(prunable(pruned.model), prunable(state.model), strict=True):
        wanted = np.where(np.abs(old.numpy()) < 0.05, 0, old.numpy())
        np.testing.assert_array_equal(kernel.numpy(), wanted)
    with pytest.raises(StepError, match="pruned nothing"):
        Prune(threshold=1e-12, schedule="once", epochs=0).train(state, none)


def test_convolutions_are_pruned_and_depthwise_ones_are_not() -> None:
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="convolution"),
            layers.DepthwiseConv2D(3),
            layers.BatchNormalization(),
            keras.Sequential([layers.Flatten(), layers.Dense(2, name="dense")]),
        ]
    )
    assert [kernel.shape for kernel in prunable(model)] == [(3, 3, 3, 4), (64, 2)]


def test_distillation_loss_by_hand() -> None:
    student, soft = [[0.0, 0.0]], [[0.75, 0.25]]
    # The teacher says 3/4 and 1/4, the student 1/2 and 1/2.
    divergence = 0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5)
    wanted = 0.7 * 4 * divergence + 0.3 * np.log(2)
    found = distillation_loss(
        np.array(student, np.float32),
        np.array(soft, np.float32),
        np.array([1]),
        temperature=2.0,
        alpha=0.7,
    )
    assert float(found) == pytest.approx(wanted, rel=1e-5)


def test_distillation_counts_samples_by_their_weights() -> None:
    logits = np.array([[0, 0], [3, -1]], np.float32)
    soft = np.array([[0.75, 0.25], [0.5, 0.5]], np.float32)

    def loss(rows: slice, weights: Any = None) -> float:
        labels = np.array([1, 1])[rows]
        found = distillation_loss(
            logits[rows], soft[rows], labels, weights, temperature=2.0, alpha=0.7
        )
        return float(found)

    weighted = loss(slice(2), np.array([3, 0], np.float32))
    assert weighted == pytest.approx(3 * loss(slice(1)) / 2, rel=1e-5)


def test_distilled_students_follow_their_teacher(state: State, context: StepContext) -> None:
    assert context.training_data is not None
    teacher = np.asarray(state.model(context.training_data.x))
    alone = Student(epochs=5).train(state, context)
    distilled = Distill(T=2.0, alpha=1.0, epochs=5).train(state, context)

    def distance(model: Any) -> float:
        said = np.asarray(model(context.training_data.x))  # type: ignore[union-attr]
        return float((teacher * (np.log(teacher + 1e-9) - np.log(said + 1e-9))).sum(axis=1).mean())

    assert distance(distilled.model) < distance(alone.model)
    assert distilled.findings["parameters"] < distilled.findings["parameters_before"]
    assert alone.loss is None
    assert distilled.loss is not None
    pruned = Prune(sparsity=0.5, epochs=2).train(distilled, context)
    assert pruned.loss is distilled.loss, "retraining keeps the teacher"
    assert np.asarray(pruned.model(context.training_data.x)).sum(axis=1) == pytest.approx(
        1, abs=1e-4
    )


def test_a_student_must_fit(state: State, context: StepContext) -> None:
    import keras

    def wrong() -> Any:
        return keras.Sequential([keras.Input((784,)), keras.layers.Dense(7)])

    with pytest.raises(StepError, match=r"student's output shape is \(7,\), the model's \(10,\)"):
        Student(epochs=1).train(state, StepContext(context.training_data, wrong))


def test_large_samples_come_in_smaller_batches() -> None:
    from mobilebench.models.training import TrainingData
    from mobilebench.models.training_settings import TrainingSettings

    def batch(count: int, *shape: int) -> int:
        x = np.broadcast_to(np.float32(0), (count, *shape))
        return TrainingData(x, np.zeros(count, int), TrainingSettings(batch=64), seed=0).batch

    assert batch(1000, 28, 28, 1) == 64
    assert batch(10, 28, 28, 1) == 10
    assert batch(1000, 224, 224, 3) == 34
    assert batch(1000, 4000, 4000, 3) == 1
