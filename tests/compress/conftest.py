"""A small trained classifier of the shipped digits, made once: most tests start from it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.step import State, StepContext
from mobilebench.compress.training.teachers import keras_teacher
from mobilebench.models.sources import build_fresh, find_source, load_keras

from tests.support.compress import Digits, dense

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

TRAIN, TEST = 2000, 500


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Digits:
    import keras
    from mobilebench.compress.pipeline.convert import convert_keras
    from mobilebench.models.datasets import load_dataset
    from mobilebench.models.training import TrainingData, TrainingSettings, fit

    folder = tmp_path_factory.mktemp("digits")
    data = load_dataset("mnist-subset").for_model((784,), 10, scale=True)
    assert data.train is not None
    assert data.evaluation is not None
    np.savez(
        folder / "digits.npz",
        x_train=data.train[0][:TRAIN],
        y_train=data.train[1][:TRAIN],
        x_test=data.evaluation[0][:TEST],
        y_test=data.evaluation[1][:TEST],
    )
    keras.utils.set_random_seed(0)
    model = dense(32, "digits_32")
    training_data = TrainingData(
        data.train[0][:TRAIN], data.train[1][:TRAIN], TrainingSettings(learning_rate=5e-3), 0
    )
    fit(model, training_data, epochs=6)
    model.save(folder / "digits.keras")
    dense(16, "digits_16").save(folder / "student.keras")
    (folder / "digits.tflite").write_bytes(convert_keras(model, folder))
    return Digits(
        folder / "digits.keras",
        folder / "digits.tflite",
        folder / "student.keras",
        folder / "digits.npz",
        folder,
    )


@pytest.fixture
def training_data(digits: Digits) -> Any:
    from mobilebench.models.datasets import load_dataset
    from mobilebench.models.training import TrainingData, TrainingSettings

    data = load_dataset(str(digits.data))
    assert data.train is not None
    return TrainingData(*data.train, TrainingSettings(learning_rate=5e-3), seed=0)


@pytest.fixture
def state(digits: Digits) -> State:
    """The trained model before any step."""
    return State(load_keras(find_source(str(digits.model))))


@pytest.fixture
def context(digits: Digits, training_data: Any, state: State) -> StepContext:
    """What its steps work with, itself as the teacher."""
    return StepContext(
        training_data,
        lambda: build_fresh(find_source(str(digits.student))),
        teachers=lambda: [keras_teacher(state.model, "teacher")],
    )
