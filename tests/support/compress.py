"""A small classifier of the shipped digits, and how its compressed files are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobilebench.compress.artifact import Outcome, Progress
from mobilebench.compress.recipe import parse_recipe
from mobilebench.compress.service import compress_variants
from mobilebench.models.spec import ModelSpec


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
    spec: ModelSpec, *recipes: str, cache: Path, seen: list[Progress] | None = None, seed: int = 0
) -> Outcome:
    """Makes the recipes of a model; ``seen`` takes the progress."""
    seen = [] if seen is None else seen
    return compress_variants(
        [(spec, parse_recipe(recipe)) for recipe in recipes],
        seed=seed,
        cache=cache,
        on_progress=seen.append,
    )
