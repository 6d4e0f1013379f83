"""A small classifier of the shipped digits, and how its compressed files are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mobilebench.compress.artifact import Outcome, Progress
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.service import compress_variants
from mobilebench.models.spec import ModelSpec

#: How many samples of the shipped digits it is trained on, and evaluated with.
TRAIN, TEST = 2000, 500


@dataclass(frozen=True)
class Digits:
    """Files: a trained .keras, its .tflite, a smaller untrained .keras, and data."""

    model: Path
    tflite: Path
    student: Path
    data: Path
    folder: Path


def dense(hidden: int, name: str) -> Any:
    import keras

    return keras.Sequential(
        [
            keras.Input((784,)),
            keras.layers.Dense(hidden, activation="relu", name="hidden"),
            keras.layers.Dense(10, activation="softmax", name="digit"),
        ],
        name=name,
    )


def make_digits(folder: Path) -> Digits:
    """Trains the classifier and writes its files; it takes seconds."""
    import keras
    from mobilebench.compress.pipeline.convert import convert_keras
    from mobilebench.models.datasets import load_dataset
    from mobilebench.models.training import TrainingData, fit
    from mobilebench.models.training_settings import TrainingSettings

    data = load_dataset("mnist-subset").for_model((784,), 10, scale=True)
    assert data.train is not None
    assert data.evaluation is not None
    np.savez(
        folder / "digits.npz",
        x_train=data.train.x[:TRAIN],
        y_train=data.train.y[:TRAIN],
        x_test=data.evaluation.x[:TEST],
        y_test=data.evaluation.y[:TEST],
    )
    keras.utils.set_random_seed(0)
    model = dense(32, "digits_32")
    training_data = TrainingData(
        data.train.x[:TRAIN], data.train.y[:TRAIN], TrainingSettings(learning_rate=5e-3), 0
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


def spec_of(digits: Digits, **changes: Any) -> ModelSpec:
    """The trained classifier of the digits with its student and data."""
    known = {
        "name": "digits",
        "source": str(digits.model),
        "data": str(digits.data),
        "student": str(digits.student),
    }
    return ModelSpec(**{**known, **changes})


def compress(
    spec: ModelSpec,
    *recipes: str,
    cache: Path,
    seen: list[Progress] | None = None,
    seed: int = 0,
    at_once: int = 1,
) -> Outcome:
    """Makes the recipes of a model; ``seen`` takes the progress."""
    seen = [] if seen is None else seen
    return compress_variants(
        [(spec, parse_recipe(recipe)) for recipe in recipes],
        seed=seed,
        cache=cache,
        on_progress=seen.append,
        at_once=at_once,
    )
