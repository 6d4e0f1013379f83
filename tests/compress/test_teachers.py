"""The teachers of distillation, and what it does at each place in a recipe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.service import compress_variants
from mobilebench.compress.step import State, StepContext
from mobilebench.compress.steps.cluster import Cluster
from mobilebench.compress.steps.distill import Distill
from mobilebench.compress.steps.low_rank import LowRank
from mobilebench.compress.steps.prune import Prune
from mobilebench.compress.teachers import (
    Teacher,
    keras_teacher,
    similarity_loss,
    soft_labels,
    tflite_teacher,
)
from mobilebench.errors import StepError
from mobilebench.models.kernels import prunable
from mobilebench.models.spec import ModelSpec

pytestmark = pytest.mark.tensorflow


def probabilities(teacher: Teacher, x: Any, temperature: float = 1.0) -> Any:
    return np.asarray(soft_labels([teacher], x, temperature))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_a_file_teaches_what_its_model_does(
    digits: Any, state: State, training_data: Any, temperature: float
) -> None:
    file = tflite_teacher(digits.tflite.read_bytes(), "file")
    x = training_data.x[:50]
    np.testing.assert_allclose(
        probabilities(file, x, temperature),
        probabilities(keras_teacher(state.model, "model"), x, temperature),
        atol=1e-3,
    )


def test_several_teachers_are_asked_for_their_mean() -> None:
    import tensorflow as tf

    def says(*logits: float) -> Teacher:
        return Teacher("t", lambda x: tf.constant([logits] * len(x)), None)

    yes, no = says(30.0, 0.0), says(0.0, 30.0)
    found = np.asarray(soft_labels([yes, no, no], np.zeros((2, 3)), 1.0))
    np.testing.assert_allclose(found, [[1 / 3, 2 / 3]] * 2, atol=1e-6)


def test_similarity_does_not_depend_on_width_or_scale() -> None:
    seen = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
    wider = np.concatenate([3 * seen, np.zeros((8, 4), np.float32)], axis=1)
    assert float(similarity_loss(seen, wider)) == pytest.approx(0, abs=1e-10)
    other = np.random.default_rng(1).normal(size=(8, 5)).astype(np.float32)
    assert float(similarity_loss(seen, other)) > 1e-3


def test_features_move_what_is_learned(context: StepContext, state: State) -> None:
    plain = Distill(epochs=1).train(state, context)
    seen = Distill(epochs=1, features=100.0).train(state, context)
    pairs = zip(plain.model.get_weights(), seen.model.get_weights(), strict=True)
    assert any((a != b).any() for a, b in pairs)


def test_a_layer_split_in_two_is_looked_at_as_a_whole(context: StepContext, state: State) -> None:
    split = LowRank(rank=4, epochs=0).train(state, context)
    later = replace(context, begins=False)
    plain = Distill(epochs=1).train(split, later)
    seen = Distill(epochs=1, features=100.0).train(split, later)
    pairs = zip(plain.model.get_weights(), seen.model.get_weights(), strict=True)
    assert any((a != b).any() for a, b in pairs)


def test_features_need_a_layer_before_the_last(context: StepContext, state: State) -> None:
    import keras

    bare = keras.Sequential([keras.Input((784,)), keras.layers.Dense(10, "softmax")])
    with pytest.raises(StepError, match="cannot look into the student"):
        Distill(epochs=1, features=1.0).train(state, replace(context, student=lambda: bare))


def test_a_file_has_no_features(digits: Any, context: StepContext, state: State) -> None:
    file = tflite_teacher(digits.tflite.read_bytes(), "old.tflite")
    with pytest.raises(StepError, match=r"cannot look into old\.tflite"):
        Distill(epochs=1, features=1.0).train(state, replace(context, teachers=lambda: [file]))


def test_later_in_a_recipe_the_network_so_far_learns_and_keeps_what_was_decided(
    context: StepContext, state: State
) -> None:
    pruned = Prune(sparsity=0.9, epochs=1).train(state, context)
    shared = Cluster(clusters=8, epochs=1).train(pruned, context)
    taught = Distill(epochs=2).train(shared, replace(context, begins=False))
    for kernel, kept in zip(prunable(taught.model), pruned.kept or (), strict=True):
        weights = kernel.numpy()
        assert (weights[~kept] == 0).all()
        assert len(np.unique(weights[weights != 0])) <= 8
    assert taught.findings["parameters"] == state.model.count_params()
    assert taught.loss is not None


def test_a_suite_may_name_teachers(digits: Any, tmp_path: Any) -> None:
    spec = ModelSpec(
        name="digits",
        source=str(digits.model),
        data=str(digits.data),
        student=str(digits.student),
        teachers=(str(digits.tflite), "zoo:digits-student"),
    )
    recipes = [
        parse_recipe(text) for text in ("distill(epochs=1)", "prune(0.5) → distill(epochs=1)")
    ]
    alone = spec.model_copy(update={"name": "alone", "teachers": ()})
    outcome = compress_variants(
        [(spec, recipes[0]), (spec, recipes[1]), (alone, recipes[0])],
        seed=1,
        cache=tmp_path,
        on_progress=lambda _: None,
    )
    assert not outcome.failures
    first, second, third = outcome.artifacts
    assert first.provenance["steps"][-1]["teachers"] == [digits.tflite.name, "zoo:digits-student"]
    assert third.provenance["steps"][-1]["teachers"] == [digits.model.name]
    assert len({first.sha256, second.sha256, third.sha256}) == 3
