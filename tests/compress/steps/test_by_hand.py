"""A training loop of the user's, in the data file, under the constraints of steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.step import State, StepContext, TrainingStep
from mobilebench.errors import StepError
from mobilebench.models.compiled import Compiled
from mobilebench.models.hooks import read_hooks
from mobilebench.models.kernels import prunable

pytestmark = pytest.mark.tensorflow

KERAS = """
def train(model, data, callbacks):
    model.fit(data, epochs=callbacks[0].epochs, callbacks=callbacks, verbose=0)
"""

BY_STEPS = """
import tensorflow as tf

def train(model, data, callbacks):
    optimizer = tf.keras.optimizers.SGD(0.05)
    for epoch in range(callbacks[0].epochs):
        for number, (x, y) in enumerate(data):
            for callback in callbacks:
                callback.on_train_batch_begin(number)
            with tf.GradientTape() as tape:
                found = model(x, training=True)
                loss = tf.reduce_mean(tf.keras.losses.sparse_categorical_crossentropy(y, found))
            variables = model.trainable_variables
            optimizer.apply(tape.gradient(loss, variables), variables)
            for callback in callbacks:
                callback.on_train_batch_end(number)
"""


def by(code: str, context: StepContext, folder: Path) -> StepContext:
    (folder / "data.py").write_text(code, encoding="utf-8")
    assert context.training_data is not None
    train = read_hooks(str(folder / "data.py")).train
    assert train is not None
    return replace(context, training_data=replace(context.training_data, by_hand=train))


def trained(text: str, state: State, context: StepContext) -> State:
    step = parse_recipe(text).steps[0]
    assert isinstance(step, TrainingStep)
    return step.train(state, context)


@pytest.mark.parametrize("code", [KERAS, BY_STEPS], ids=["fit", "steps"])
def test_zeros_and_shared_values_stay(
    code: str, state: State, context: StepContext, tmp_path: Path
) -> None:
    own = by(code, context, tmp_path)
    pruned = trained("prune(0.7, epochs=2)", state, own)
    assert pruned.findings["zeros"] == pytest.approx(0.7, abs=1e-3)
    shared = trained("cluster(8, epochs=1)", pruned, own)
    for old, kernel in zip(pruned.kept or (), prunable(shared.model), strict=True):
        values = kernel.numpy()
        assert not values[~old].any()
        assert len(np.unique(values)) <= 9
    for before, after in zip(prunable(state.model), prunable(pruned.model), strict=True):
        assert (before.numpy() != after.numpy()).any()


def test_rounded_weights_learn_what_stands_behind_them(
    state: State, context: StepContext, tmp_path: Path
) -> None:
    own = by(KERAS, context, tmp_path)
    step = "quantization_aware(2, weight_bits=4) → dynamic_int4"
    aware = trained(step, state, own)
    (kernel, *_) = prunable(aware.model)
    assert len(np.unique(kernel.numpy()[:, 0])) > 16  # the exact ones, not the rounded


def test_what_it_raises_and_what_it_leaves_undone_is_said(
    state: State, context: StepContext, tmp_path: Path
) -> None:
    with pytest.raises(StepError, match=r"train\(\) of the data file failed with KeyError"):
        trained("fine_tune(1)", state, by("def train(m, d, c): {}['x']", context, tmp_path))
    with pytest.raises(StepError, match="training changed nothing"):
        trained("fine_tune(1)", state, by("def train(m, d, c): pass", context, tmp_path))
    with pytest.raises(StepError, match="leave train"):
        trained("distill(epochs=1)", state, by(KERAS, context, tmp_path))


def test_it_is_compiled_as_the_step_and_the_model_say(
    state: State, context: StepContext, tmp_path: Path
) -> None:
    import keras

    code = """
def train(model, data, callbacks):
    optimizer = model.optimizer
    weights = model._compile_loss._user_loss_weights
    raise ValueError(f"{type(optimizer).__name__} {float(optimizer.learning_rate):g} {weights}")
"""
    own = by(code, context, tmp_path)
    optimizer = keras.saving.serialize_keras_object(keras.optimizers.SGD(0.25))
    compiled = Compiled("sparse_categorical_crossentropy", [0.5], optimizer)
    assert own.training_data is not None
    own = replace(own, training_data=replace(own.training_data, compiled=compiled))
    for step, said in (
        ("fine_tune(1)", "SGD 0.25 0.5"),
        ("fine_tune(1, learning_rate=0.125)", "SGD 0.125 0.5"),
        ("fine_tune(1, optimizer=adamw, learning_rate=0.125)", "AdamW 0.125 0.5"),
    ):
        with pytest.raises(StepError, match=f"ValueError: {said}"):
            trained(step, state, own)
    for option in ("validation=0.2", "validation=0.2, early_stopping=2"):
        with pytest.raises(StepError, match="validation and early_stopping cannot be put into"):
            trained(f"fine_tune(1, {option})", state, own)
