"""A small trained classifier of the shipped digits, before any step, and what steps need."""

from __future__ import annotations

from typing import Any

import pytest
from mobilebench.compress.step import State, StepContext
from mobilebench.compress.teachers import keras_teacher
from mobilebench.models.sources import build_fresh, find_source, load_keras

from tests.support.compress import Digits


@pytest.fixture
def training_data(digits: Digits) -> Any:
    from mobilebench.models.datasets import load_dataset
    from mobilebench.models.training import TrainingData
    from mobilebench.models.training_settings import TrainingSettings

    data = load_dataset(str(digits.data))
    assert data.train is not None
    return TrainingData(data.train.x, data.train.y, TrainingSettings(learning_rate=5e-3), seed=0)


@pytest.fixture
def state(digits: Digits) -> State:
    """The trained model before any step."""
    return State(load_keras(find_source(str(digits.model))).model)


@pytest.fixture
def context(digits: Digits, training_data: Any, state: State) -> StepContext:
    """What its steps work with, itself as the teacher."""
    return StepContext(
        training_data,
        lambda: build_fresh(find_source(str(digits.student))),
        teachers=lambda: [keras_teacher(state.model, "teacher")],
    )
