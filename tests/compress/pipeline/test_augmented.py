"""Models that augment their samples themselves, or normalize them by adapted statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mobilebench.compress.pipeline.convert import answers_of, convert_keras
from mobilebench.models.spec import ModelSpec
from mobilebench.tflite.graph import parse
from mobilebench.tflite.interpreter import Runner

from tests.support.compress import compress

pytestmark = pytest.mark.tensorflow

SIDE = 12


def augmentations() -> dict[str, Any]:
    import keras

    layers = keras.layers
    return {
        "flip": layers.RandomFlip("horizontal"),
        "rotation": layers.RandomRotation(0.05),
        "contrast": layers.RandomContrast(0.1),
        "zoom": layers.RandomZoom(0.1),
        "translation": layers.RandomTranslation(0.1, 0.1),
        "brightness": layers.RandomBrightness(0.1, value_range=(0, 1)),
        "erasing": layers.RandomErasing(),
        "hue": layers.RandomHue(0.1, value_range=(0, 1)),
        "noise": layers.GaussianNoise(0.1),
        "dropout": layers.GaussianDropout(0.1),
        "pipeline": keras.Sequential([layers.RandomFlip(), layers.RandomZoom(0.1)]),
    }


@pytest.mark.parametrize("kind", [
    "flip", "rotation", "contrast", "zoom", "translation", "brightness", "erasing", "hue",
    "noise", "dropout", "pipeline",
])  # fmt: skip
def test_no_random_operator_is_converted(kind: str, tmp_path: Path) -> None:
    import keras

    inputs = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(4, 3)(augmentations()[kind](inputs))
    x = keras.layers.Dropout(0.5)(x, training=True)
    model = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(x)))
    content = convert_keras(model, tmp_path)
    assert not [o.kind for o in parse(content, "it").operators if "RANDOM" in o.kind.upper()]
    samples = list(np.random.default_rng(0).random((4, SIDE, SIDE, 3)).astype(np.float32))
    (wanted,) = answers_of(model, samples).values()
    np.testing.assert_allclose(Runner(content).run(samples), wanted, atol=1e-4)


RECIPES = (
    "float32",
    "int8(samples=32)",
    "dynamic_int8",
    "fine_tune(epochs=1)",
    "prune(0.5, epochs=1)",
    "cluster(16, epochs=1)",
    "low_rank(0.8, epochs=1)",
    "prune_channels(0.3, epochs=1)",
    "distill(epochs=1)",
    "quantization_aware(epochs=1) → int8(samples=32)",
)


def test_every_recipe_works(tmp_path: Path) -> None:
    """Augmentation alone and in a pipeline, and statistics without which nothing is right."""
    import keras
    from mobilebench.models.datasets import load_dataset
    from mobilebench.models.training import TrainingData, fit
    from mobilebench.models.training_settings import TrainingSettings

    data = load_dataset("mnist-subset").for_model((28, 28, 1), 10, scale=True)
    assert data.train is not None
    assert data.evaluation is not None
    x, y = 100 + 50 * data.train.x[:1500], data.train.y[:1500]
    x_test, y_test = 100 + 50 * data.evaluation.x[:300], data.evaluation.y[:300]
    np.savez(tmp_path / "data.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    layers = keras.layers

    def build(width: int) -> Any:
        keras.utils.set_random_seed(0)
        normalization = layers.Normalization(axis=None)
        normalization.adapt(x)
        return keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                normalization,
                keras.Sequential(
                    [layers.RandomRotation(0.01), layers.RandomZoom(0.02)], name="pipeline"
                ),
                layers.RandomContrast(0.02),
                layers.Conv2D(width, 3, strides=2, activation="relu"),
                layers.GaussianNoise(0.05),
                layers.Flatten(),
                layers.Dropout(0.1),
                layers.Dense(32, activation="relu"),
                layers.Dense(10, activation="softmax"),
            ]
        )

    model = build(8)
    fit(model, TrainingData(x, y, TrainingSettings(learning_rate=3e-3), 0), epochs=4)
    model.save(tmp_path / "model.keras")
    build(4).save(tmp_path / "student.keras")
    spec = ModelSpec(
        name="augmented",
        source=str(tmp_path / "model.keras"),
        data=str(tmp_path / "data.npz"),
        student=str(tmp_path / "student.keras"),
    )
    outcome = compress(spec, *RECIPES, cache=tmp_path / "cache")
    assert not outcome.failures, outcome.failures
    right = {}
    for artifact in outcome.artifacts:
        answers = Runner(artifact.path.read_bytes()).run(list(x_test))
        right[artifact.recipe] = float((answers.argmax(axis=1) == y_test).mean())
    assert right["float32"] > 0.8
    least = {recipe: accuracy for recipe, accuracy in right.items() if "distill" not in recipe}
    assert min(least.values()) > right["float32"] - 0.1, right
    assert min(right.values()) > 0.4, right
